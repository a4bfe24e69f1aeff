from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from csms.errors import StorageError
from csms.storage import SqlSettings, SqlStore
from tests.unit.csms.storage.databases import url_in


async def test_a_probe_is_one_row_that_is_committed(tmp_path: Path) -> None:
    store = SqlStore(url_in(tmp_path))
    await store.open()
    await store.probe(7.0)
    await store.probe(8.0)
    with closing(sqlite3.connect(tmp_path / "csms.db")) as other:
        assert other.execute("SELECT probe_id, at FROM probes").fetchall() == [(1, 8.0)]
    await store.close()


async def test_a_database_that_takes_no_write_fails_the_probe(tmp_path: Path) -> None:
    store = SqlStore(url_in(tmp_path), settings=SqlSettings(busy_timeout_s=0.01))
    await store.open()
    with closing(sqlite3.connect(tmp_path / "csms.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked"):
            await store.probe(7.0)
        other.execute("ROLLBACK")
    await store.close()
