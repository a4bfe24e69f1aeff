from __future__ import annotations

from csms.ports import Frame
from csms.storage import frames
from tests.unit.csms.storage.databases import connected, on_postgresql, plan


def frame(number: int) -> Frame:
    return Frame("CP1", float(number), inbound=True, text=str(number))


def test_pruning_keeps_the_newest_of_all_chargers() -> None:
    with connected() as connection:
        frames.save(connection, [frame(n) for n in range(10)])
        frames.save(connection, [Frame("CP2", 0.0, inbound=False, text="other")])

        frames.prune(connection, kept=3, at_most=1000)

        assert frames.newest(connection, "CP1", 100) == [frame(8), frame(9)]
        assert len(frames.newest(connection, "CP2", 100)) == 1


def test_pruning_deletes_the_oldest_first_and_no_more_than_it_may() -> None:
    with connected() as connection:
        frames.save(connection, [frame(n) for n in range(10)])

        frames.prune(connection, kept=3, at_most=2)

        assert frames.newest(connection, "CP1", 100) == [frame(n) for n in range(2, 10)]


def test_pruning_with_nothing_to_delete() -> None:
    with connected() as connection:
        frames.prune(connection, kept=3, at_most=2)
        frames.save(connection, [frame(1)])
        frames.prune(connection, kept=3, at_most=2)

        assert frames.newest(connection, "CP1", 100) == [frame(1)]


def test_reading_and_pruning_use_indexes() -> None:
    with connected() as connection:
        assert "ix_frames_charger (charger_id=?)" in plan(connection, frames._newest)  # noqa: SLF001
        assert "SCAN" not in plan(connection, frames._prune)  # noqa: SLF001


def test_pruning_on_postgresql() -> None:
    assert on_postgresql(frames._prune).startswith(  # noqa: SLF001
        "DELETE FROM frames WHERE frames.frame_id IN"
        " (SELECT frames.frame_id FROM frames WHERE frames.frame_id <="
        " (SELECT max(frames.frame_id) AS max_1 FROM frames) - %(kept)s"
    )
