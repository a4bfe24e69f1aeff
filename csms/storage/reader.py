"""One thread with one connection answers every question.

Questions never wait for a transaction of the writer: a read sees what was committed when it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from csms.errors import StorageError
from csms.storage import dialect

Result = TypeVar("Result")

WAITING_READS = 1_000


class Reader:
    """The reading thread. Made, opened and used on one event loop, once."""

    def __init__(
        self, connect: Callable[[], Connection], *, waiting_reads: int = WAITING_READS
    ) -> None:
        self._connect = connect
        self._limit = waiting_reads
        self._waiting = 0
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="csms-reader")

    async def open(self) -> None:
        """Connect; raises what `connect` raises."""
        loop = asyncio.get_running_loop()
        try:
            self._connection = await loop.run_in_executor(self._thread, self._connect)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Answer what was asked, then let go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, connection.close)
        self._thread.shutdown()

    async def read(self, question: Callable[[Connection], Result]) -> Result:
        """What `question` returns.

        Raises StorageError when it cannot be answered, or when too many wait.
        """
        connection = self._connection
        if connection is None:
            raise StorageError("the store is not open")
        if self._waiting >= self._limit:
            raise StorageError(f"the database is behind: {self._waiting} questions wait")
        loop = asyncio.get_running_loop()
        self._waiting += 1
        asked = self._thread.submit(_ask, connection, question)
        # Nobody may wait any more: it is in the thread's queue all the same until it was its turn.
        asked.add_done_callback(lambda _: loop.call_soon_threadsafe(self._answered))
        try:
            return await asyncio.shield(asyncio.wrap_future(asked))
        except SQLAlchemyError as error:
            raise dialect.storage_error(error, "cannot read from the database") from error

    def _answered(self) -> None:
        self._waiting -= 1


def _ask(connection: Connection, question: Callable[[Connection], Result]) -> Result:
    with connection.begin():
        return question(connection)
