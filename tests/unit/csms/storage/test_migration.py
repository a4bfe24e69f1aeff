from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect

from csms.errors import StorageError
from csms.ports import IdToken, TokenStatus
from csms.storage import dialect, id_tokens, migrate, migration, sessions
from csms.storage.tables import metadata
from tests.unit.csms.storage.databases import url_in


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_in(tmp_path)


@pytest.fixture
def engine(url: str) -> Engine:
    return dialect.writer_engine(dialect.parse(url))


def tables(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())


def test_the_migrated_tables_are_the_ones_in_the_code(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_the_comparison_sees_a_difference(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_frames_charger")
        connection.exec_driver_sql("ALTER TABLE chargers DROP COLUMN serial")
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        assert sorted(difference[0] for difference in found) == ["add_column", "add_index"]


def test_what_the_comparison_does_not_see_is_the_same_too(url: str, engine: Engine) -> None:
    """Check constraints and the conditions of partial indexes, word by word as SQLite has them."""
    migrate(url)
    query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"

    def schema(connection: Connection) -> dict[str, str]:
        return {n: " ".join(s.split()) for n, s in connection.exec_driver_sql(query)}

    with engine.begin() as connection:
        migrated = schema(connection)
        for name in reversed(metadata.sorted_tables):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        metadata.create_all(connection)
        assert schema(connection) == migrated


def test_migrating_twice_changes_nothing(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO stations VALUES ('site', '{}', 1.5)")

    migrate(url)

    with engine.begin() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM stations").all()
        assert [tuple(row) for row in kept] == [("site", "{}", 1.5)]


def test_a_database_of_the_first_version_keeps_what_is_in_it(url: str, engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "csms.storage:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO stations VALUES ('site', '{}', 1.5)")
        assert "capabilities" not in tables(connection)

    migrate(url)

    with engine.begin() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM stations").all()
        assert [tuple(row) for row in kept] == [("site", "{}", 1.5)]
        assert {"capabilities", "model_capabilities"} <= set(tables(connection))


def test_sessions_of_an_older_version_are_kept(url: str, engine: Engine) -> None:
    """One that was superseded was never stopped: its stop register was no word of the charger."""
    config = Config()
    config.set_main_option("script_location", "csms.storage:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0004")
        endings = ("NULL, NULL, NULL", "5, 70, 'Local'", "5, 60, 'Superseded'")
        for number, ending in enumerate(endings):
            connection.exec_driver_sql(
                f"INSERT INTO sessions VALUES ('s{number}', {number}, 'site', 'CP1', 1, 'TAG',"  # noqa: S608
                f" 'Accepted', 1.5, 10, 'T{number}', NULL, 60, {ending})"
            )

    migrate(url)

    with engine.begin() as connection:
        kept = [sessions.find(connection, "CP1", number) for number in range(3)]
        assert [s and (s.energy_wh, s.ended_at, s.reason, s.provisional) for s in kept] == [
            (50, None, None, False),
            (60, 5.0, "Local", False),
            (50, 5.0, "Superseded", True),
        ]
        assert [s.session_id for s in sessions.running(connection)] == ["s0"]


def test_tokens_of_an_older_database_are_found_by_their_group(url: str, engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "csms.storage:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0004")
        insert = "INSERT INTO id_tokens VALUES "
        connection.exec_driver_sql(f"{insert} ('anna', 'ANNA', 'Accepted', NULL, 'Family')")
        connection.exec_driver_sql(f"{insert} ('bob', 'BOB', 'Blocked', NULL, NULL)")

    migrate(url)

    with engine.begin() as connection:
        anna = IdToken("ANNA", parent_id_token="Family")  # noqa: S106
        assert id_tokens.group(connection, "FAMILY") == [anna]
        assert id_tokens.load(connection, "Bob") == IdToken("BOB", TokenStatus.BLOCKED)


def test_the_way_back_leaves_nothing(url: str, engine: Engine) -> None:
    migrate(url)
    config = Config()
    config.set_main_option("script_location", "csms.storage:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        downgrade(config, "base")
        assert tables(connection) == ["alembic_version"]


def test_a_migration_that_fails_leaves_the_database_as_it_was(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE frames (note TEXT)")

    with pytest.raises(StorageError, match=r"cannot migrate sqlite.*table frames already exists"):
        migrate(url)

    with engine.begin() as connection:
        assert tables(connection) == ["frames"]


def test_a_newer_database_is_refused(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StorageError, match=r"newer version of csms \(revision 9999\)"):
        migrate(url)
    with engine.begin() as connection, pytest.raises(StorageError, match="newer version"):
        migration.check(connection)


def test_check_tells_an_old_database_from_a_ready_one(url: str, engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(StorageError, match="run `csms migrate`"):
        migration.check(connection)

    migrate(url)

    with engine.begin() as connection:
        migration.check(connection)


@pytest.mark.parametrize("folder", ["with space", "100%", "50%(here)s"])
def test_any_folder_name_will_do(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()

    migrate(url_in(tmp_path / folder))

    assert (tmp_path / folder / "csms.db").stat().st_size > 0
