from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from csms.storage import reserve
from csms.storage.reserve import Reserve
from tests.unit.csms.storage.databases import url_in
from tests.unit.csms.storage.disks import KILOBYTE, Disk

SIZE = 1_000 * KILOBYTE
NAME = "csms.db-reserve"


def reserve_in(folder: Path, disk: Disk, size: int = SIZE) -> Reserve:
    return Reserve(make_url(url_in(folder)), size, disk)


def test_the_bounds_are_those_of_the_reference() -> None:
    assert (reserve.LEAST_SHARE, reserve.ROOM_SHARE) == (0.01, 0.10)


def test_the_share_is_that_of_the_disk_of_the_file(tmp_path: Path) -> None:
    share = Reserve(make_url(url_in(tmp_path))).free_share()
    assert share is not None
    assert 0 < share <= 1
    assert Reserve(make_url("sqlite:////nowhere/at/all/csms.db")).free_share() is None
    assert Reserve(make_url(url_in(tmp_path)), 0, Disk(total=0)).free_share() is None


def test_of_another_database_nothing_can_be_told_and_nothing_is_kept(tmp_path: Path) -> None:
    for elsewhere in (Reserve(make_url("postgresql://host/name"), SIZE), Reserve()):
        elsewhere.tend()
        assert elsewhere.free_share() is None
        assert not elsewhere.short()
        assert not elsewhere.give_up()
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_once_with_all_its_blocks(tmp_path: Path) -> None:
    kept = reserve_in(tmp_path, Disk())
    with capture_logs() as logs:
        kept.tend()
        kept.tend()
    found = (tmp_path / NAME).stat()
    assert found.st_size == SIZE
    assert found.st_blocks * 512 >= SIZE
    assert [entry["event"] for entry in logs] == ["reserve_made"]


def test_it_takes_no_disk_below_a_tenth(tmp_path: Path) -> None:
    disk = Disk()
    kept = reserve_in(tmp_path, disk)
    disk.free = disk.total // 10 + SIZE - 1
    kept.tend()
    assert not (tmp_path / NAME).exists()
    disk.free += 1
    kept.tend()
    assert (tmp_path / NAME).exists()


def test_it_is_given_up_below_a_hundredth_and_made_again_above_a_tenth(tmp_path: Path) -> None:
    disk = Disk()
    kept = reserve_in(tmp_path, disk)
    kept.tend()
    found = []
    with capture_logs() as logs:
        for share in (0.02, 0.01, 0.0099, 0.05, 0.10, 0.12):
            disk.has(share)
            kept.tend()
            found.append((kept.short(), (tmp_path / NAME).exists()))
    assert found == [
        (False, True),
        (False, True),
        (True, False),
        (False, False),
        (False, False),
        (False, True),
    ]
    assert [entry["event"] for entry in logs] == ["reserve_given_up", "reserve_made"]
    assert logs[0]["free_pct"] == 1.0


def test_it_can_be_given_up_once(tmp_path: Path) -> None:
    kept = reserve_in(tmp_path, Disk())
    kept.tend()
    assert kept.give_up()
    assert not kept.give_up()


def test_one_of_another_size_or_without_its_blocks_is_made_anew(tmp_path: Path) -> None:
    for size in (SIZE // 2, SIZE):
        with (tmp_path / NAME).open("wb") as sparse:
            sparse.truncate(size)
        reserve_in(tmp_path, Disk()).tend()
        found = (tmp_path / NAME).stat()
        assert (found.st_size, found.st_blocks * 512 >= SIZE) == (SIZE, True)


def test_it_is_made_once_where_the_disk_does_not_show_its_blocks(tmp_path: Path) -> None:
    kept = reserve_in(tmp_path, Disk())
    with capture_logs() as logs:
        kept.tend()
        with (tmp_path / NAME).open("r+b") as shown_without:
            shown_without.truncate(0)
            shown_without.truncate(SIZE)
        kept.tend()
    assert [entry["event"] for entry in logs] == ["reserve_made"]


def test_where_none_is_wanted_an_old_one_goes(tmp_path: Path) -> None:
    reserve_in(tmp_path, Disk()).tend()
    unwanted = reserve_in(tmp_path, Disk(), 0)
    unwanted.tend()
    unwanted.tend()
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_refuses_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_file: int, _start: int, _size: int) -> None:
        raise OSError("no space left on device")

    kept = reserve_in(tmp_path, Disk())
    with capture_logs() as logs:
        with monkeypatch.context() as patch:
            patch.setattr("os.posix_fallocate", refuses)
            kept.tend()
            assert list(tmp_path.iterdir()) == []
            kept.tend()
        kept.tend()
    assert [entry["event"] for entry in logs] == ["reserve_not_made", "reserve_made"]


def test_one_that_cannot_be_deleted_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    kept = reserve_in(tmp_path, Disk())
    with capture_logs() as logs:
        assert not kept.give_up()
    assert [entry["event"] for entry in logs] == ["reserve_not_given_up"]


def test_a_disk_that_tells_nothing_is_not_taken_for_full(tmp_path: Path) -> None:
    kept = reserve_in(tmp_path, Disk(broken=True))
    kept.tend()
    assert not kept.short()
    assert list(tmp_path.iterdir()) == []
