"""One thread with one connection writes everything: group commit.

What waits when a transaction starts goes into it together, and is answered together after COMMIT. A
commit costs a flush of the disk whatever is in it, so this is what makes "durable before answered"
cheap. The database blocks its caller, hence the thread; everything else stays on the loop.

Asked work and kept rows stay in the order of the calls. A stream's rows stay in order among
themselves, and are written no later than work that was asked for after them.

An error that may pass (locked, disk full) fails the callers and keeps the rows for the next try.
For any other error the batch is rolled back and every piece of it is done alone: only the guilty
one fails. When the disk is full, the reserve is given up and what can wait is left out: limits
are written as long as there is room for them alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from csms.errors import StorageError
from csms.storage import dialect
from csms.storage.reserve import Reserve
from csms.storage.work import Asked, Kept, Rows, Step, Stream, as_storage_error

Result = TypeVar("Result")
Row = TypeVar("Row")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """How the writer groups work.

    `window_s` is how long a transaction waits for company after work was asked; it starts at once
    when `batch_operations` wait. `linger_s` is the same when nobody waits for an answer. `retry_s`
    is the pause after an error that may pass. More than `waiting_operations` are refused. Streams
    are left alone for `full_s` after the disk was full; the reserve is tended at least every
    `tend_s`.
    """

    window_s: float = 0.002
    linger_s: float = 0.05
    retry_s: float = 1.0
    full_s: float = 30.0
    tend_s: float = 1.0
    batch_operations: int = 500
    waiting_operations: int = 20_000


@dataclass(slots=True)
class Counters:
    """What the writer has done so far.

    `operations` were asked, `rows` came from streams; `failed` pieces of work were guilty of an
    error, `refused` operations came when too many waited, `lost` rows could never be written.
    """

    commits: int = 0
    operations: int = 0
    rows: int = 0
    failed: int = 0
    refused: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Refusal:
    """The database did not take these steps now, and may later."""

    error: OperationalError
    steps: list[Step]

    @property
    def pauses(self) -> bool:
        """Whether trying again at once would be in vain. Of a full disk only limits would be."""
        full = dialect.is_full(self.error)
        return not full or any(isinstance(step, Kept) for step in self.steps)


def _save_nothing(_connection: Connection, _rows: Collection[Any]) -> None:
    raise StorageError("this writer keeps no rows")


class Writer:
    """The writing thread. Made, opened and used on one event loop, once.

    `connect` runs in the thread and makes the database ready. `streams` are the ones it serves;
    `save_kept` writes kept rows; `reserve` is tended in the thread.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        settings: WriterSettings | None = None,
        streams: Sequence[Stream[Any]] = (),
        save_kept: Callable[[Connection, Collection[Any]], None] = _save_nothing,
        reserve: Reserve | None = None,
    ) -> None:
        self.counters = Counters()
        self._connect = connect
        self._settings = settings or WriterSettings()
        self._streams = tuple(streams)
        self._save_kept = save_kept
        self._reserve = reserve or Reserve()
        self._full = False
        self._full_timer: asyncio.TimerHandle | None = None
        self._served: tuple[Stream[Any], ...] = self._streams
        self._changed = threading.Condition()
        self._waiting: deque[Asked | Kept] = deque()
        self._accepting = False
        self._closing = False
        self._pausing = False
        self._in_hand: list[Step] = []
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._ended: asyncio.Future[None]

    # ------------------------------------------------------------------ on the loop

    async def open(self) -> None:
        """Start the thread; raises what `connect` raises."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._accepting = True
        self._thread = threading.Thread(
            target=self._live, args=(opened,), name="csms-writer", daemon=True
        )
        self._thread.start()
        try:
            await opened
        except BaseException:
            self._stop()
            raise

    async def close(self) -> None:
        """Write what waits, then end the thread. Raises StorageError when kept rows were lost."""
        self._stop()
        if self._full_timer is not None:
            self._full_timer.cancel()
        try:
            await self._ended
        finally:
            if self._ended.done():
                self._thread.join()

    async def submit(
        self, work: Callable[[Connection], Result], *, can_wait: bool = False
    ) -> Result:
        """What `work` returns, once it is committed.

        Raises StorageError when it could not be, or when too much waits already; what `can_wait`
        also when the disk is nearly full. A caller that stops waiting does not take the work back.
        """
        if can_wait and self._reserve.short():
            raise StorageError("the disk is nearly full: this can wait")
        if len(self._waiting) >= self._settings.waiting_operations:
            self.counters.refused += 1
            raise StorageError(f"the database is behind: {len(self._waiting)} operations wait")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._enqueue(Asked(work, future, can_wait=can_wait))
        return cast("Result", await future)

    def keep(self, rows: dict[Any, Any]) -> None:
        """Write rows, by key, soon, in order with `submit`. Raises StorageError when closed.

        Bounded by the number of keys: rows that wait side by side are merged, and the asked work
        between them is bounded.
        """
        self._enqueue(Kept(self._save_kept, dict(rows)))

    def put(self, stream: Stream[Row], row: Row) -> None:
        """Add a row to one of the streams. When closed, it counts as dropped."""
        with self._changed:
            if not self._accepting:
                stream.dropped += 1
                return
            stream.append(row)
            if len(stream.rows) in (1, stream.limit // 2):
                self._changed.notify()

    async def settled(self) -> None:
        """Wait until everything that was handed over before this call is committed."""
        with self._changed:
            busy = bool(self._in_hand) or self._anything_waits()
        if busy or not self._accepting:
            await self.submit(lambda _connection: None)

    def _stop(self) -> None:
        with self._changed:
            self._accepting = False
            self._closing = True
            self._changed.notify()

    def _wait_for_room(self) -> None:
        """Take the disk for full for a while."""
        if self._full_timer is not None:
            self._full_timer.cancel()
        if not self._closing:
            self._full_timer = self._loop.call_later(self._settings.full_s, self._hope_for_room)

    def _hope_for_room(self) -> None:
        self._full = False

    def _enqueue(self, step: Asked | Kept) -> None:
        with self._changed:
            if not self._accepting:
                raise StorageError("the store is not open")
            last = self._waiting[-1] if self._waiting else None
            if isinstance(step, Kept) and isinstance(last, Kept):
                last.rows.update(step.rows)
                return
            self._waiting.append(step)
            # Waking the thread for every step would cost more than writing it.
            if len(self._waiting) in (1, 2, self._settings.batch_operations):
                self._changed.notify()

    # ------------------------------------------------------------------ in the thread

    def _live(self, opened: asyncio.Future[None]) -> None:
        try:
            if self._reserve.short():
                self._reserve.give_up()
            connection = self._connect()
        except Exception as error:  # noqa: BLE001 - boundary: whoever awaits open() gets it
            self._on_loop(_resolve, opened, error)
            return
        self._on_loop(_resolve, opened, None)
        failure: Exception | None = None
        try:
            with connection:
                failure = self._work(connection)
        except Exception as error:  # noqa: BLE001 - boundary: whoever awaits close() gets it
            _log.exception("writer_ended")
            failure = error
        self._abandon(failure)
        self._on_loop(_resolve, self._ended, failure and as_storage_error(failure))

    def _work(self, connection: Connection) -> Exception | None:
        """Write until closed and nothing is left, or the database refuses what is left."""
        while steps := self._next_steps():
            refusal = self._write(connection, steps)
            self._pausing = refusal is not None and refusal.pauses
            if refusal is None:
                continue
            _log.warning("database_refused", error=str(refusal.error.orig))
            self._give_back(refusal)
            if self._closing:
                self._in_hand = []
                return refusal.error
        return None

    def _next_steps(self) -> list[Step]:
        """Wait for work, then for company, and take it all. Empty: closing, and nothing is left."""
        while True:
            closing = self._closing
            # Not under the lock, which the loop waits for: to allocate a file can take a while.
            self._tend()
            steps = self._steps_soon()
            if steps or closing:
                return steps

    def _tend(self) -> None:
        if not self._full:
            self._reserve.tend()
        held = self._reserve.short() or (self._full and not self._closing)
        self._served = () if held else self._streams

    def _steps_soon(self) -> list[Step]:
        """What waits; nothing when nothing came for a while."""
        with self._changed:
            self._in_hand = []
            if self._pausing:
                self._changed.wait_for(lambda: self._closing, self._settings.retry_s)
            came = self._changed.wait_for(
                lambda: self._closing or self._anything_waits(), self._settings.tend_s
            )
            if not came:
                return []
            self._changed.wait_for(self._is_urgent, self._settings.linger_s)
            if self._somebody_waits():
                self._changed.wait_for(self._is_full, self._settings.window_s)
            steps: list[Step] = [Rows(s, s.take()) for s in self._served if s.rows]
            taken = min(len(self._waiting), self._settings.batch_operations)
            steps.extend(self._waiting.popleft() for _ in range(taken))
            self._in_hand = steps
            return steps

    def _anything_waits(self) -> bool:
        return bool(self._waiting) or any(stream.rows for stream in self._served)

    def _somebody_waits(self) -> bool:
        """Kept rows are merged with their neighbours: of two steps in the queue one is asked."""
        return any(isinstance(step, Asked) for step in list(self._waiting)[:2])

    def _is_urgent(self) -> bool:
        hurried = any(stream.is_half_full() for stream in self._served)
        return self._closing or hurried or self._somebody_waits()

    def _is_full(self) -> bool:
        return self._closing or len(self._waiting) >= self._settings.batch_operations

    def _write(self, connection: Connection, steps: list[Step]) -> _Refusal | None:
        """Write the steps in one transaction, or else find the guilty one and write the others."""
        try:
            with connection.begin():
                for step in steps:
                    step.run(connection)
        except OperationalError as error:
            if dialect.is_full(error):
                return self._write_less(connection, steps, error)
            return _Refusal(error, list(steps))
        except Exception as error:  # noqa: BLE001 - boundary: whoever asked for the work gets it
            return self._isolate(connection, steps, error)
        self._count(steps)
        self._settle(steps)
        return None

    def _write_less(
        self, connection: Connection, steps: list[Step], error: OperationalError
    ) -> _Refusal | None:
        """There was no room for all of it: make some, and leave out what can wait.

        With the reserve given up there may be room for the callers, but not for streams, which
        would only fill it up again.
        """
        gained = self._reserve.give_up()
        self._full = True
        self._on_loop(self._wait_for_room)
        urgent: list[Step] = []
        left_out: list[Step] = []
        for step in steps:
            waits = step.can_wait and (isinstance(step, Rows) or not gained)
            (left_out if waits else urgent).append(step)
        if not urgent or not (left_out or gained):
            return _Refusal(error, list(steps))
        refusal = self._write(connection, urgent)
        left_out.extend([] if refusal is None else refusal.steps)
        return _Refusal(error, left_out) if left_out else None

    def _isolate(
        self, connection: Connection, steps: list[Step], error: Exception
    ) -> _Refusal | None:
        parts = steps if len(steps) > 1 else steps[0].split()
        if not parts:
            self.counters.failed += 1
            self.counters.lost += steps[0].fail(error)
            self._settle(steps)
        for index, part in enumerate(parts):
            refusal = self._write(connection, [part])
            if refusal is not None:
                refusal.steps.extend(parts[index + 1 :])
                return refusal
        return None

    def _count(self, steps: list[Step]) -> None:
        self.counters.commits += 1
        for step in steps:
            if isinstance(step, Asked):
                self.counters.operations += 1
            elif isinstance(step, Rows):
                self.counters.rows += len(step.rows)

    def _settle(self, steps: list[Step]) -> None:
        """Tell the callers, in one hop to the loop."""
        asked = [step for step in steps if isinstance(step, Asked) and not step.told]
        for step in asked:
            step.told = True
        if asked:
            self._on_loop(_settle_all, asked)

    def _give_back(self, refusal: _Refusal) -> None:
        """Fail the callers; put everything else back in front of what came since."""
        kept: Kept | None = None
        rows: dict[Stream[Any], list[Any]] = {}
        for step in refusal.steps:
            if isinstance(step, Asked):
                step.fail(refusal.error)
            elif isinstance(step, Kept):
                kept = step if kept is None else kept.merged(step)
            else:
                rows.setdefault(step.stream, []).extend(step.rows)
        with self._changed:
            for stream, unwritten in rows.items():
                stream.give_back(unwritten)
            if kept is not None:
                first = self._waiting[0] if self._waiting else None
                if isinstance(first, Kept):
                    kept = kept.merged(first)
                    self._waiting.popleft()
                self._waiting.appendleft(kept)
        self._settle(refusal.steps)

    def _abandon(self, failure: Exception | None) -> None:
        """Nothing more will be written: tell everybody who still waits."""
        with self._changed:
            self._accepting = False
            left: list[Step] = [*self._in_hand, *self._waiting]
            left.extend(Rows(s, s.take()) for s in self._streams if s.rows)
            self._waiting.clear()
            self._in_hand = []
        for step in left:
            if not (isinstance(step, Asked) and step.told):
                self.counters.lost += step.fail(failure or StorageError("the store was closed"))
        self._settle(left)

    def _on_loop(self, tell: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(tell, *args)
        except RuntimeError:
            _log.warning("loop_closed_before_the_store")


def _settle_all(steps: list[Asked]) -> None:
    for step in steps:
        step.settle()


def _resolve(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
