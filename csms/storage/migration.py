"""Bringing a database to the shape the code expects.

The revisions are packaged in `csms.storage.migrations` and run from here, without an ini file.
All of them run in one transaction: a crash in between leaves the database as it was.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from csms.errors import StorageError
from csms.storage import dialect, lock


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest revision; nothing happens when it is there.

    Raises StorageError when the database cannot be used, is in use, or is newer than the code.
    """
    parsed = dialect.parse(url)
    engine = dialect.writer_engine(parsed)
    try:
        with lock.held(parsed), engine.begin() as connection:
            upgrade(connection)
    except SQLAlchemyError as error:
        doing = f"cannot migrate {parsed.render_as_string()}"
        raise dialect.storage_error(error, doing) from error
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Migrate inside the transaction that `connection` is in."""
    config = _config()
    if _is_at_head(connection, config):
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """Raise StorageError unless the database is at the newest revision."""
    if not _is_at_head(connection, _config()):
        raise StorageError("the database is older than this version of csms; run `csms migrate`")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "csms.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _is_at_head(connection: Connection, config: Config) -> bool:
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found - known:
        raise StorageError(
            "the database was made by a newer version of csms"
            f" (revision {', '.join(sorted(found - known))}); upgrade csms"
        )
    return found == set(script.get_heads())
