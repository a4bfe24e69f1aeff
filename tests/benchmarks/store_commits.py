"""What group commit is worth: the same session starts, many at a time and one by one.

    python -m tests.benchmarks.store_commits [--rows 4000] [--folder DIR]

One run does both in turn on the same machine and disk, several times: trust the ratio, not the
times. The folder decides which disk is measured; a folder in memory shows no difference.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from csms.ports import StoredSession, TokenStatus
from csms.station.model import ConnectorKey
from csms.storage import SqlSettings, SqlStore
from csms.storage.writer import WriterSettings

GROUPED = WriterSettings()
ALONE = WriterSettings(window_s=0.0, batch_operations=1)
ROUNDS = 5
IN_FLIGHT = 1000
ALONE_SHARE = 10


def session(number: int) -> StoredSession:
    """One of many sessions."""
    return StoredSession(
        session_id=f"{number:032x}",
        transaction_id=number + 1,
        station_id="site",
        connector=ConnectorKey(f"CP{number % 500}", 1),
        id_token="TAG",  # noqa: S106 - an id token is no password
        id_status=TokenStatus.ACCEPTED,
        started_at=float(number),
        meter_start_wh=number,
        start_timestamp=str(number),
    )


async def starts_per_s(path: Path, settings: WriterSettings, rows: int) -> tuple[float, float]:
    """Durable starts per second with many callers at once, and starts per commit."""
    store = SqlStore(f"sqlite:///{path}", settings=SqlSettings(writer=settings))
    await store.open()
    numbers = iter(range(rows))

    async def caller() -> None:
        for number in numbers:
            await store.start(session(number))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(IN_FLIGHT, rows)):
            group.create_task(caller())
    took_s = time.perf_counter() - began
    commits = store.statistics().commits
    await store.close()
    return rows / took_s, rows / commits


async def measure(folder: Path, rows: int) -> None:
    """Measure both ways in turn, and print."""
    grouped: list[float] = []
    alone: list[float] = []
    print(f"{'round':>5} {'grouped/s':>10} {'per commit':>10} {'alone/s':>10} {'ratio':>7}")
    for number in range(ROUNDS):
        fast, per_commit = await starts_per_s(folder / f"g{number}.db", GROUPED, rows)
        slow, _ = await starts_per_s(folder / f"a{number}.db", ALONE, rows // ALONE_SHARE)
        grouped.append(fast)
        alone.append(slow)
        print(f"{number:>5} {fast:>10.0f} {per_commit:>10.1f} {slow:>10.0f} {fast / slow:>7.1f}")
    ratio = statistics.median(grouped) / statistics.median(alone)
    print(f"group commit is {ratio:.1f} times as fast as a commit for each start (median)")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--folder", default=None, help="where the databases go for the time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(measure(Path(folder), options.rows))


if __name__ == "__main__":
    main()
