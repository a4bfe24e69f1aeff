from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from csms.errors import StorageError
from csms.storage import SqlSettings, SqlStore
from csms.storage.probe import free_share
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


def test_the_share_is_that_of_the_disk_of_the_file(tmp_path: Path) -> None:
    share = free_share(make_url(url_in(tmp_path)))
    assert share is not None
    assert 0 < share <= 1
    assert free_share(make_url("sqlite:////nowhere/at/all/csms.db")) is None
    assert free_share(make_url("postgresql://host/name")) is None
