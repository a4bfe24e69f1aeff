from __future__ import annotations

from csms.api.access_schemas import TokenRequest, epoch, token_json
from csms.ports import Concurrency, IdToken, TokenStatus


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
