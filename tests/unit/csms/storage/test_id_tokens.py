from __future__ import annotations

from csms.ports import IdToken, TokenStatus
from csms.station.tokens import Concurrency
from csms.storage import id_tokens
from tests.unit.csms.storage.databases import connected


def test_a_token_is_kept_as_written_and_found_folded() -> None:
    token = IdToken("StraßE", TokenStatus.BLOCKED, None, "Großes", Concurrency.ONE_PER_GROUP)
    with connected() as connection:
        assert id_tokens.save(connection, [token]) == 1
        assert id_tokens.load(connection, "STRASSE") == token
        assert id_tokens.load(connection, "STRASS") is None
        assert id_tokens.group(connection, "GROSSES") == [token]
        assert id_tokens.page(connection, 5, "STRASS") == [token]
        assert id_tokens.page(connection, 5, "STRASSE") == []
        assert id_tokens.remove(connection, "STRASSE")
        assert not id_tokens.remove(connection, "STRASSE")


def test_those_that_are_there_stay_as_they_are_when_asked() -> None:
    with connected() as connection:
        assert id_tokens.save(connection, [IdToken("A", TokenStatus.BLOCKED)]) == 1
        assert id_tokens.save(connection, [IdToken("a"), IdToken("B")], replace=False) == 1
        assert id_tokens.page(connection, 9, "") == [
            IdToken("A", TokenStatus.BLOCKED),
            IdToken("B"),
        ]
