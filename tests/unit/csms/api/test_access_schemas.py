from __future__ import annotations

from csms.api.access_schemas import TokenRequest, epoch, local_list_json, token_json
from csms.control.local_lists import ListState, ListStatus
from csms.ports import IdToken, TokenStatus
from csms.station.tokens import Concurrency


def test_a_token_comes_back_as_it_was_given() -> None:
    asked = {
        "idToken": "Anna",
        "status": "Expired",
        "expiresAt": "2026-01-31T18:00:00+01:00",
        "parentIdToken": "FAMILY",
        "concurrency": "one_per_group",
    }
    token = TokenRequest.model_validate(asked).token()
    assert token == IdToken(
        "Anna", TokenStatus.EXPIRED, 1_769_878_800.0, "FAMILY", Concurrency.ONE_PER_GROUP
    )
    shown = token_json(token).model_dump(mode="json", by_alias=True)
    assert shown == {**asked, "expiresAt": "2026-01-31T17:00:00.000000Z"}


def test_a_time_is_read_in_its_zone() -> None:
    assert epoch("1970-01-01T01:00:00+01:00") == 0.0


def test_what_no_reader_takes_is_replaced() -> None:
    assert token_json(IdToken("a\x00b")).id_token == "a\ufffdb"  # noqa: S105


def test_a_list_is_shown_as_it_was_left() -> None:
    shown = local_list_json(ListStatus("CP1", ListState.REFUSED, 3, 2, 1, detail="No\x00"))
    assert shown.model_dump(mode="json", by_alias=True) == {
        "chargerId": "CP1",
        "state": "refused",
        "version": 3,
        "entries": 2,
        "leftOut": 1,
        "enabled": None,
        "detail": "No\ufffd",
        "at": None,
    }
