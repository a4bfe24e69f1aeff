from __future__ import annotations

from types import MappingProxyType

from sqlalchemy import select

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


def test_the_time_of_the_last_change_of_a_grid_limit_is_kept() -> None:
    query = select(tables.grid_limits.c.updated_at)
    with connected() as connection:
        stations.save_grid(connection, "site", MappingProxyType({"active": True}), 1.5)
        assert connection.execute(query).scalar_one() == 1.5
        stations.save_grid(connection, "site", {}, None)
        assert connection.execute(query).scalar_one() is None
        assert stations.load_grid(connection, "site") == {}


def test_any_mapping_is_a_document() -> None:
    with connected() as connection:
        stations.save_station(connection, "site", MappingProxyType({"a": [1, None]}), 1.0)
        assert stations.load_stations(connection) == {"site": {"a": [1, None]}}


def test_any_mapping_is_a_capability() -> None:
    document = MappingProxyType({"unit": "A"})
    with connected() as connection:
        stations.save_capability(connection, "CP1", document)
        stations.save_model_capability(connection, ("V", "M", "1"), document)
        assert stations.load_capabilities(connection) == {"CP1": {"unit": "A"}}
        assert stations.load_model_capabilities(connection) == {("V", "M", "1"): {"unit": "A"}}


def test_a_model_named_in_characters_no_database_takes_is_kept_all_the_same() -> None:
    with connected() as connection:
        stations.save_model_capability(connection, ("V\0", "\ud800", ""), {"unit": "A"})
        assert stations.load_model_capabilities(connection) == {("V\ufffd", "?", ""): {"unit": "A"}}
