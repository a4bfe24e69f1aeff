from __future__ import annotations

from typing import Any

from csms.ports import ChargerRecord, IdToken, Store, TokenStatus
from csms.station.model import ConnectorKey
from csms.station.tokens import Concurrency, Reservation, ReservationState
from tests.contract.conftest import Reopen
from tests.contract.examples import frame


async def test_nothing_is_known_at_first(store: Store) -> None:
    assert await store.load_stations() == {}
    assert await store.load_chargers() == {}
    assert await store.load_grid("north") is None
    assert await store.load_token("TAG1") is None
    assert await store.load_capabilities() == {}
    assert await store.load_model_capabilities() == {}
    assert await store.load_reports() == {}
    assert await store.frames("CP1") == []


async def test_station_documents_are_kept_whole_and_replaced(store: Store) -> None:
    north: dict[str, Any] = {
        "stationId": "north",
        "gridCapacity": 400.5,
        "chargers": [{"id": "CP1", "maxPower": 200, "connectors": 2, "note": "né"}],
        "battery": None,
    }
    await store.save_station("north", {"stationId": "north"})
    await store.save_station("south", {"stationId": "south"})

    await store.save_station("north", north)

    assert await store.load_stations() == {"north": north, "south": {"stationId": "south"}}


async def test_a_station_document_is_removed(store: Store) -> None:
    await store.save_station("north", {"stationId": "north"})
    await store.save_station("south", {"stationId": "south"})
    await store.remove_station("north")
    await store.remove_station("nowhere")
    assert await store.load_stations() == {"south": {"stationId": "south"}}


async def test_a_document_changed_after_it_was_saved_is_not_changed_in_the_store(
    store: Store,
) -> None:
    document: dict[str, Any] = {"chargers": [{"id": "CP1"}]}
    await store.save_station("north", document)

    document["chargers"].clear()
    (await store.load_stations())["north"]["chargers"].clear()

    assert await store.load_stations() == {"north": {"chargers": [{"id": "CP1"}]}}


async def test_grid_limits_are_kept_whole_and_replaced(store: Store) -> None:
    north: dict[str, Any] = {
        "active": True,
        "given": [60_000, 1_700_000_000.125, None],
        "heartbeat_s": 60.0,
        "schedule": [[1_700_000_600.5, 80_000]],
    }
    await store.save_grid("north", {"active": False})
    await store.save_grid("south", {"active": False})

    await store.save_grid("north", north)
    (await store.load_grid("south") or {}).clear()

    assert await store.load_grid("north") == north
    assert await store.load_grid("south") == {"active": False}
    assert await store.load_stations() == {}


async def test_grid_limits_are_still_there_when_the_store_is_opened_again(
    new_store: Reopen,
) -> None:
    first = new_store()
    await first.open()
    await first.save_grid("north", {"active": True})
    await first.close()

    again = new_store()
    await again.open()
    assert await again.load_grid("north") == {"active": True}
    await again.close()


async def test_charger_records_are_kept_and_replaced(store: Store) -> None:
    whole = ChargerRecord(
        charger_id="CP1",
        vendor="Vendor",
        model="Model",
        serial="0001",
        firmware="1.2.3",
        accepted=True,
        last_seen_at=1_700_000_000.5,
    )
    await store.save_charger(ChargerRecord("CP1"))
    await store.save_charger(ChargerRecord("CP2"))

    await store.save_charger(whole)

    assert await store.load_chargers() == {"CP1": whole, "CP2": ChargerRecord("CP2")}


async def test_charger_ids_differ_by_case(store: Store) -> None:
    await store.save_charger(ChargerRecord("cp1", vendor="small"))
    await store.save_charger(ChargerRecord("CP1", vendor="large"))

    assert {k: v.vendor for k, v in (await store.load_chargers()).items()} == {
        "CP1": "large",
        "cp1": "small",
    }


async def test_tokens_are_found_without_regard_to_case(store: Store) -> None:
    token = IdToken("AbCd", TokenStatus.EXPIRED, 1_700_000_000.5, "Parent")
    await store.save_token(token)

    assert await store.load_token("aBcD") == token
    assert await store.load_token("ABCE") is None


async def test_a_token_is_replaced_whatever_its_case(store: Store) -> None:
    await store.save_token(IdToken("ABCD", TokenStatus.ACCEPTED))
    await store.save_token(IdToken("abcd", TokenStatus.BLOCKED))

    assert await store.load_token("ABCD") == IdToken("abcd", TokenStatus.BLOCKED)


async def test_a_token_is_kept_whole(store: Store) -> None:
    token = IdToken(
        "TAG", TokenStatus.BLOCKED, 1_700_000_000.5, "FAMILY", Concurrency.ONE_PER_GROUP
    )
    await store.save_token(token)

    assert await store.load_token("TAG") == token


async def test_many_tokens_replace_or_leave_those_that_are_there(store: Store) -> None:
    await store.save_token(IdToken("ONE", TokenStatus.BLOCKED))

    assert await store.save_tokens([IdToken("one"), IdToken("TWO")], replace=False) == 1
    assert await store.load_tokens() == [IdToken("ONE", TokenStatus.BLOCKED), IdToken("TWO")]
    assert await store.save_tokens([IdToken("one"), IdToken("TWO")]) == 2
    assert await store.load_tokens() == [IdToken("one"), IdToken("TWO")]
    assert await store.save_tokens([]) == 0


async def test_a_fill_adds_what_is_not_there_and_takes_back_what_nobody_saved(
    store: Store,
) -> None:
    await store.save_token(IdToken("MINE", TokenStatus.BLOCKED))
    await store.fill_tokens([IdToken(name) for name in ("mine", "A", "B", "C", "D")])
    await store.save_token(IdToken("b", TokenStatus.BLOCKED))
    assert await store.remove_token("D")
    await store.save_token(IdToken("D"))
    await store.fill_tokens([IdToken("c")])

    assert await store.load_tokens() == [
        IdToken("b", TokenStatus.BLOCKED),
        IdToken("C"),
        IdToken("D"),
        IdToken("MINE", TokenStatus.BLOCKED),
    ]
    await store.fill_tokens([])
    assert [t.id_token for t in await store.load_tokens()] == ["b", "D", "MINE"]


async def test_tokens_come_page_by_page_in_the_order_of_their_names(store: Store) -> None:
    await store.save_tokens([IdToken(name) for name in ("c3", "A1", "b2", "D4")])

    assert [t.id_token for t in await store.load_tokens(limit=2)] == ["A1", "b2"]
    assert [t.id_token for t in await store.load_tokens(limit=9, after="B2")] == ["c3", "D4"]
    assert await store.load_tokens(after="d4") == []
    assert await store.load_tokens(limit=-1) == []


async def test_a_group_is_a_parent_and_its_children_whatever_their_case(store: Store) -> None:
    family, other = "Family", "ELSE"
    parent, child = IdToken("FAMILY"), IdToken("ANNA", parent_id_token=family)
    await store.save_tokens([parent, child, IdToken("BOB", parent_id_token=other)])

    assert await store.load_group("family") == [child, parent]
    assert [t.id_token for t in await store.load_group(other)] == ["BOB"]
    assert await store.load_group("NOBODY") == []


async def test_a_removed_token_is_gone(store: Store) -> None:
    await store.save_token(IdToken("TAG"))

    assert await store.remove_token("tag")
    assert not await store.remove_token("TAG")
    assert await store.load_token("TAG") is None


async def test_local_lists_are_kept_by_charger_and_replaced(store: Store) -> None:
    told: dict[str, Any] = {"copy": {"version": 3, "entries": {"a": ["A", "x"]}}, "at": None}
    assert await store.load_local_list("CP1") is None
    await store.save_local_list("CP1", {})
    await store.save_local_list("cp1", {})
    await store.save_local_list("CP1", told)

    assert await store.load_local_list("CP1") == told
    assert await store.load_local_list("cp1") == {}


async def test_reservations_are_kept_replaced_and_forgotten(store: Store) -> None:
    made = Reservation(2, ConnectorKey("CP1", 0), "ANNA", 100.5, "FAMILY")
    used = Reservation(2, made.connector, "ANNA", 100.5, None, ReservationState.USED, "s1")
    other = Reservation(1, ConnectorKey("CP1", 2), "BOB", 90.0)
    assert await store.load_reservations() == []
    for each in (made, other):
        await store.save_reservation(each)
    assert await store.load_reservations() == [other, made]

    await store.save_reservation(used)
    await store.forget_reservations(100.5)

    assert await store.load_reservations() == [used]


async def test_capabilities_are_kept_whole_and_replaced(store: Store) -> None:
    learned: dict[str, Any] = {"sessionForm": {"unit": "A", "tellsPhases": None}, "stepA": 0.5}
    await store.save_capability("CP1", {"unit": "W"})
    await store.save_capability("cp1", {})

    await store.save_capability("CP1", learned)

    assert await store.load_capabilities() == {"CP1": learned, "cp1": {}}


async def test_capabilities_of_models_are_kept_by_vendor_model_and_firmware(store: Store) -> None:
    await store.save_model_capability(("ACME", "Fast", "1.0"), {"unit": "A"})
    await store.save_model_capability(("ACME", "Fast", "1.1"), {"unit": "W"})
    await store.save_model_capability(("ACME", "", ""), {"lease": "yes"})
    await store.save_model_capability(("Fast", "ACME", "1.0"), {})

    await store.save_model_capability(("ACME", "Fast", "1.0"), {"lacks": ["session"]})

    assert await store.load_model_capabilities() == {
        ("ACME", "", ""): {"lease": "yes"},
        ("ACME", "Fast", "1.0"): {"lacks": ["session"]},
        ("ACME", "Fast", "1.1"): {"unit": "W"},
        ("Fast", "ACME", "1.0"): {},
    }


async def test_a_capability_changed_after_it_was_saved_is_not_changed_in_the_store(
    store: Store,
) -> None:
    learned: dict[str, Any] = {"lacks": ["session"]}
    await store.save_capability("CP1", learned)
    await store.save_model_capability(("A", "B", "C"), learned)

    learned["lacks"].clear()

    assert await store.load_capabilities() == {"CP1": {"lacks": ["session"]}}
    assert await store.load_model_capabilities() == {("A", "B", "C"): {"lacks": ["session"]}}


async def test_reports_are_kept_whole_and_replaced(store: Store) -> None:
    await store.save_reports("CP1", {"log": [{"what": "Uploading", "at": 1.5, "told_at": None}]})
    await store.save_reports("cp1", {"log": []})

    newest: dict[str, Any] = {"log": [{"what": "Uploaded", "at": 2.5, "told_at": 2.25}]}
    await store.save_reports("CP1", newest)

    assert await store.load_reports() == {"CP1": newest, "cp1": {"log": []}}


async def test_frames_come_oldest_first_per_charger(store: Store) -> None:
    for number in range(4):
        store.frame(frame(number))
        store.frame(frame(number, "CP2"))

    assert await store.frames("CP1") == [frame(0), frame(1), frame(2), frame(3)]
    assert await store.frames("CP2", limit=2) == [frame(2, "CP2"), frame(3, "CP2")]
    assert await store.frames("CP1", limit=0) == []
    assert await store.frames("CP1", limit=-1) == []


async def test_frames_are_bounded(store: Store) -> None:
    """The stores of this suite keep 10, and may keep a few more until the next pruning."""
    for number in range(60):
        store.frame(frame(number))
        if number % 5 == 4:
            await store.frames("CP1")

    kept = await store.frames("CP1", limit=1000)

    assert 10 <= len(kept) <= 20
    assert kept == [frame(n) for n in range(60 - len(kept), 60)]
