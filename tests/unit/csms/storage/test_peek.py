"""A look into a database that changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from csms.errors import StorageError
from csms.ports import IdToken
from csms.storage import Contents, SqlStore, peek
from tests.unit.csms.storage.databases import url_in


def test_a_database_that_is_not_there_is_empty_and_stays_away(tmp_path: Path) -> None:
    assert peek(url_in(tmp_path)) == Contents({}, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_is_empty(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "csms.db").close()
    assert peek(url_in(tmp_path)) == Contents({}, 0)


async def test_stations_and_tokens_are_seen_while_the_store_is_open(tmp_path: Path) -> None:
    store = SqlStore(url_in(tmp_path))
    await store.open()
    await store.save_station("S", {"in_force": {}, "file": None})
    await store.save_token(IdToken("CARD"))
    seen = peek(url_in(tmp_path))
    await store.close()
    assert seen == Contents({"S": {"in_force": {}, "file": None}}, 1)
    assert peek(url_in(tmp_path)) == seen
    assert peek(f"sqlite:///file:{tmp_path}/csms.db?uri=true") == seen


def test_what_is_not_a_database_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "csms.db").write_text("the quick brown fox\n" * 100)
    with pytest.raises(StorageError, match=r"cannot read sqlite:///.*: file is not a database"):
        peek(url_in(tmp_path))
