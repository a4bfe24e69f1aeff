"""What waits for the writing thread.

* `Asked` work has a caller who waits for its result.
* `Kept` rows have nobody waiting, and are never given up while there is hope.
* A `Stream` holds rows of which the oldest go when too many wait; `Rows` are taken from it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from sqlalchemy import Connection

from csms.errors import StorageError
from csms.storage import dialect

Row = TypeVar("Row")

_log = structlog.get_logger(__name__)


class Stream(Generic[Row]):
    """Rows nobody waits for, at most `limit` of them; when one more comes the oldest goes.

    `save` writes many rows at once. `dropped` counts those that went.
    """

    def __init__(self, save: Callable[[Connection, Sequence[Row]], None], limit: int) -> None:
        self.save = save
        self.limit = limit
        self.rows: deque[Row] = deque()
        self.dropped = 0

    def append(self, row: Row) -> None:
        """Add the newest row."""
        self.rows.append(row)
        if len(self.rows) > self.limit:
            self.rows.popleft()
            self.dropped += 1

    def give_back(self, rows: Sequence[Row]) -> None:
        """Put rows that could not be written in front again, as many of the newest as fit."""
        room = max(0, self.limit - len(self.rows))
        fitting = rows[max(0, len(rows) - room) :]
        self.dropped += len(rows) - len(fitting)
        self.rows.extendleft(reversed(fitting))

    def take(self) -> list[Row]:
        """All rows, oldest first; none are left."""
        rows = list(self.rows)
        self.rows.clear()
        return rows

    def is_half_full(self) -> bool:
        """Whether the rows should be written soon."""
        return len(self.rows) * 2 >= self.limit


class Asked:
    """Work somebody waits for. `run` and `fail` are called in the thread, `settle` on the loop.

    `told` is whether `settle` is on its way: from then on nothing changes. What `can_wait` is left
    out first when the disk is full.
    """

    def __init__(
        self,
        work: Callable[[Connection], object],
        future: asyncio.Future[Any],
        *,
        can_wait: bool = False,
    ) -> None:
        self.told = False
        self.can_wait = can_wait
        self._work = work
        self._future = future
        self._outcome: object = None
        self._error: StorageError | None = None

    def run(self, connection: Connection) -> None:
        """Do it, inside a transaction that may still fail."""
        self._outcome = self._work(connection)

    def split(self) -> list[Step]:
        """Nothing: it is done whole or not at all."""
        return []

    def fail(self, error: Exception) -> int:
        """It cannot be done; the caller gets a StorageError. No kept row is lost."""
        self._error = as_storage_error(error)
        return 0

    def settle(self) -> None:
        """Tell the caller, unless it has gone."""
        if self._future.done():
            return
        if self._error is None:
            self._future.set_result(self._outcome)
        else:
            self._future.set_exception(self._error)


@dataclass(slots=True)
class Kept:
    """Rows by key; a newer row of the same key takes the place of an older one."""

    save: Callable[[Connection, Collection[Any]], None]
    rows: dict[Hashable, Any]
    can_wait: ClassVar[bool] = False

    def run(self, connection: Connection) -> None:
        """Write all of them."""
        self.save(connection, self.rows.values())

    def split(self) -> list[Step]:
        """Two halves, or nothing when one row is left."""
        return [Kept(self.save, dict(half)) for half in _halves(list(self.rows.items()))]

    def fail(self, error: Exception) -> int:
        """No database would take them; how many are lost."""
        _log.error("kept_rows_lost", rows=list(self.rows.values()), error=str(error))
        return len(self.rows)

    def merged(self, newer: Kept) -> Kept:
        """Both; `newer` wins."""
        return Kept(self.save, {**self.rows, **newer.rows})


@dataclass(slots=True)
class Rows:
    """Rows taken from a stream, oldest first."""

    stream: Stream[Any]
    rows: list[Any]
    can_wait: ClassVar[bool] = True

    def run(self, connection: Connection) -> None:
        """Write all of them."""
        self.stream.save(connection, self.rows)

    def split(self) -> list[Step]:
        """Two halves, or nothing when one row is left."""
        return [Rows(self.stream, half) for half in _halves(self.rows)]

    def fail(self, error: Exception) -> int:
        """No database would take them; how many are lost."""
        _log.error("rows_lost", count=len(self.rows), newest=self.rows[-1], error=str(error))
        return len(self.rows)


Step = Asked | Kept | Rows


def as_storage_error(error: Exception) -> StorageError:
    """The error a caller gets for what went wrong in the database."""
    if isinstance(error, StorageError):
        return error
    readable = dialect.storage_error(error, "the database refused")
    readable.__cause__ = error
    return readable


def _halves(items: list[Any]) -> list[list[Any]]:
    middle = len(items) // 2
    return [items[:middle], items[middle:]] if middle else []
