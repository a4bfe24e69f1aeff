from __future__ import annotations

from types import MappingProxyType

from sqlalchemy import select

from csms.ports import IdToken, TokenStatus
from csms.storage import stations, tables
from tests.unit.csms.storage.databases import connected


def test_the_time_of_the_last_change_is_kept() -> None:
    query = select(tables.stations.c.updated_at)
    with connected() as connection:
        stations.save_station(connection, "site", {}, 1.5)
        assert connection.execute(query).scalar_one() == 1.5
        stations.save_station(connection, "site", {}, 2.5)
        assert connection.execute(query).scalar_one() == 2.5
        stations.save_station(connection, "site", {}, None)
        assert connection.execute(query).scalar_one() is None


def test_any_mapping_is_a_document() -> None:
    with connected() as connection:
        stations.save_station(connection, "site", MappingProxyType({"a": [1, None]}), 1.0)
        assert stations.load_stations(connection) == {"site": {"a": [1, None]}}


def test_a_token_is_kept_as_written_and_found_folded() -> None:
    token = IdToken("StraßE", TokenStatus.BLOCKED)
    with connected() as connection:
        stations.save_token(connection, token)
        assert stations.load_token(connection, "STRASSE") == token
        assert stations.load_token(connection, "STRASS") is None
