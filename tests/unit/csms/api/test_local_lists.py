from __future__ import annotations

from csms.errors import ChargerOfflineError, UnknownChargerError
from tests.unit.csms.api.fakes import Api

PATH = "/chargers/CP001/local-list"


async def test_a_list_is_read_and_brought_up_to_date(api: Api) -> None:
    shown = {
        "chargerId": "CP001",
        "state": "refused",
        "version": 7,
        "entries": 3,
        "leftOut": 1,
        "enabled": True,
        "detail": "Failed",
        "at": "2023-11-14T22:13:20.250000Z",
    }
    assert await api.get(PATH) == shown
    answer = await api.request("POST", PATH)
    assert (answer.status_code, answer.json()) == (200, shown)
    assert api.operations.who.local_lists.asked == [("status", "CP001"), ("sync", "CP001")]


async def test_a_charger_that_is_not_there(api: Api) -> None:
    api.operations.who.local_lists.error = UnknownChargerError("no station has it")
    assert (await api.problem(404, "GET", PATH))["type"] == "urn:csms:unknown-charger"
    api.operations.who.local_lists.error = ChargerOfflineError("not connected")
    assert (await api.problem(409, "POST", PATH))["type"] == "urn:csms:charger-offline"
