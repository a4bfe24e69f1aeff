from __future__ import annotations

from csms.storage.retention import Turn


def test_the_first_rows_are_a_turn() -> None:
    """Or else a process that is often restarted would never prune."""
    assert Turn(every=100).due(1)


def test_a_turn_comes_after_every_so_many_rows() -> None:
    turn = Turn(every=10)

    assert [turn.due(4) for _ in range(7)] == [True, False, False, True, False, False, True]


def test_many_rows_at_once_are_one_turn() -> None:
    turn = Turn(every=10)

    assert [turn.due(1), turn.due(1000), turn.due(1)] == [True, True, False]


def test_pruning_is_faster_than_writing() -> None:
    """Between two turns there are never more new rows than one turn deletes."""
    turn = Turn(every=1_000_000, at_most=10_000)

    assert turn.every == 5_000
