"""One process per database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from csms.errors import StorageError
from csms.storage import dialect, lock, migrate
from tests.unit.csms.storage.databases import url_in


def test_a_database_is_locked_once(tmp_path: Path) -> None:
    url = dialect.parse(url_in(tmp_path))
    with lock.held(url):
        with pytest.raises(StorageError) as caught, lock.held(url):
            pass
        assert str(caught.value) == (
            f"sqlite:///{tmp_path}/csms.db is in use by another csms (process {os.getpid()}); "
            "one process at a time may serve a database"
        )
    with lock.held(url):
        assert (tmp_path / "csms.db-lock").read_text() == f"{os.getpid()}\n"


def test_two_databases_do_not_disturb_each_other(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with lock.held(dialect.parse(url_in(tmp_path))):
        release = lock.acquire(dialect.parse(url_in(tmp_path / "other")))
        release()


def test_every_name_of_a_database_is_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with lock.held(dialect.parse(url_in(tmp_path / "there"))):
        for name in (
            url_in(tmp_path / "link"),
            f"sqlite:///{tmp_path}/there/../there/csms.db",
            f"sqlite:///file:{tmp_path}/there/csms.db?mode=rw&uri=true",
        ):
            with pytest.raises(StorageError, match="is in use by another csms"):
                lock.acquire(dialect.parse(name))


def test_a_lock_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    url = dialect.parse(url_in(tmp_path))
    (tmp_path / "csms.db-lock").mkdir()
    with pytest.raises(StorageError, match=r"cannot lock sqlite:///.*: .*Is a directory"):
        lock.acquire(url)


def test_a_server_that_cannot_be_reached_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match=r"no driver for postgresql\+nodriver://"):
        lock.acquire(dialect.parse("postgresql+nodriver://localhost/csms"))


def test_a_database_in_use_is_not_migrated(tmp_path: Path) -> None:
    with (
        lock.held(dialect.parse(url_in(tmp_path))),
        pytest.raises(StorageError, match="is in use by another csms"),
    ):
        migrate(url_in(tmp_path))
