"""Every implementation of `ports.Store`, each in a place of its own.

With CSMS_TEST_POSTGRESQL_URL in the environment (an empty database, whose tables are dropped) the
suite runs on PostgreSQL too.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from csms.ports import Store
from csms.storage import MemoryStore, SqlSettings, SqlStore, migrate
from csms.storage.tables import metadata

POSTGRESQL_URL = os.environ.get("CSMS_TEST_POSTGRESQL_URL", "")
KINDS = ["memory", "sqlite", *(["postgresql"] if POSTGRESQL_URL else [])]

Reopen = Callable[[], Store]


@pytest.fixture(params=KINDS)
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Make a store on the same data each time it is called. Keeps 10 frames."""
    kind = request.param
    if kind == "memory":
        memory = MemoryStore(frames_kept=10)
        return lambda: memory
    url = f"sqlite:///{tmp_path}/csms.db" if kind == "sqlite" else empty_postgresql()
    return lambda: SqlStore(url, settings=SqlSettings(frames_kept=10))


@pytest.fixture
async def store(new_store: Reopen) -> AsyncIterator[Store]:
    made = new_store()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/csms.db"


def empty_postgresql() -> str:
    engine: Any = create_engine(POSTGRESQL_URL, poolclass=NullPool)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    engine.dispose()
    migrate(POSTGRESQL_URL)
    return POSTGRESQL_URL
