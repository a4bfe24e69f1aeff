from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest
from sqlalchemy import Connection, create_engine

from csms.errors import StorageError
from csms.storage.work import Asked, Kept, Rows, Stream, as_storage_error

CONNECTION: Connection = create_engine("sqlite://").connect()
CONNECTION.close()


class Saved:
    """Keeps what it is given to save."""

    def __init__(self) -> None:
        self.rows: list[object] = []

    def __call__(self, connection: Connection, rows: Sequence[object] | Collection[object]) -> None:
        self.rows.extend(rows)


def stream(*rows: int, limit: int = 4) -> Stream[int]:
    made: Stream[int] = Stream(Saved(), limit)
    for row in rows:
        made.append(row)
    return made


def test_a_full_stream_drops_the_oldest() -> None:
    full = stream(1, 2, 3, 4, 5, 6)

    assert full.dropped == 2
    assert full.take() == [3, 4, 5, 6]
    assert full.take() == []


@pytest.mark.parametrize(
    ("came_since", "kept", "dropped"),
    [
        ((), [1, 2, 3], 0),
        ((8,), [1, 2, 3, 8], 0),
        ((8, 9), [2, 3, 8, 9], 1),
        ((6, 7, 8, 9), [6, 7, 8, 9], 3),
    ],
)
def test_rows_given_back_are_older_than_what_came_since(
    came_since: tuple[int, ...], kept: list[int], dropped: int
) -> None:
    refilled = stream(*came_since)

    refilled.give_back([1, 2, 3])

    assert refilled.take() == kept
    assert refilled.dropped == dropped


def test_half_full() -> None:
    assert [stream(*range(n)).is_half_full() for n in range(5)] == [False, False, True, True, True]


def test_rows_split_into_single_rows_and_no_further() -> None:
    rows = Rows(stream(), [1, 2, 3])

    first, second = rows.split()

    assert isinstance(first, Rows)
    assert isinstance(second, Rows)
    assert (first.rows, second.rows) == ([1], [2, 3])
    assert first.split() == []
    assert first.fail(ValueError("bad")) == 1


def test_rows_are_saved_by_their_stream() -> None:
    saved = Saved()

    Rows(Stream(saved, 9), [1, 2]).run(CONNECTION)

    assert saved.rows == [1, 2]


def test_kept_rows_split_and_merge_by_key() -> None:
    saved = Saved()
    kept = Kept(saved, {"a": 1, "b": 2, "c": 3})

    halves = kept.split()
    merged = kept.merged(Kept(saved, {"b": 20, "d": 4}))
    merged.run(CONNECTION)

    assert halves == [Kept(saved, {"a": 1}), Kept(saved, {"b": 2, "c": 3})]
    assert halves[0].split() == []
    assert saved.rows == [1, 20, 3, 4]
    assert kept.rows == {"a": 1, "b": 2, "c": 3}
    assert kept.fail(ValueError("bad")) == 3


async def test_the_caller_gets_the_outcome() -> None:
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    asked = Asked(lambda _: 42, future)

    asked.run(CONNECTION)
    assert not future.done()
    asked.settle()

    assert await future == 42
    assert asked.split() == []


async def test_the_caller_gets_a_storage_error() -> None:
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    asked = Asked(lambda _: 42, future)
    reason = ValueError("bad")

    assert asked.fail(reason) == 0
    asked.settle()

    with pytest.raises(StorageError, match="the database refused: bad") as caught:
        await future
    assert caught.value.__cause__ is reason


async def test_a_caller_that_has_gone_gets_nothing() -> None:
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    asked = Asked(lambda _: 42, future)
    future.cancel()

    asked.settle()

    assert future.cancelled()


def test_a_storage_error_stays_what_it_is() -> None:
    error = StorageError("taken")

    assert as_storage_error(error) is error
