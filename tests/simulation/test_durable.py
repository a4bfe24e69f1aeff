from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.errors import StorageError
from csms.station.model import ConnectorKey, Limit, LimitSource
from tests.simulation.durable import Disk, DurableStore
from tests.simulation.settings import SiteFaults
from tests.simulation.virtual_time import VirtualLoop


def entry(token: int) -> Entry:
    limit = Limit(1000, LimitSource.GRID)
    key = ConnectorKey("CP1", 1)
    return Entry(token, key, Scope.DEFAULT, limit, EntryState.SENT, 0.0)


def play(
    act: Callable[[DurableStore], Awaitable[None]], faults: SiteFaults | None = None, seed: int = 1
) -> list[int]:
    """Do something with a store; the tokens that are on its disk in the end."""
    memory = Disk()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        store = DurableStore(
            memory,
            runner.get_loop(),
            Random(seed),
            faults or SiteFaults(),
            on_ledger=lambda _: None,
            injected=lambda _: None,
        )

        async def run() -> list[int]:
            await act(store)
            return [e.token for e in await memory.load("SITE")]

        return runner.run(run())


def test_a_write_is_on_the_disk_when_it_returns_with_all_before_it() -> None:
    async def act(store: DurableStore) -> None:
        store.write_later("SITE", [entry(1)])
        assert not store.written(1)
        await store.write("SITE", [entry(2)])
        assert store.written(1)

    assert play(act) == [1, 2]


def test_a_crash_keeps_what_was_written_first_and_loses_the_rest() -> None:
    async def act(store: DurableStore) -> None:
        for token in range(1, 6):
            store.write_later("SITE", [entry(token)])
        store.crash()
        store.write_later("SITE", [entry(6)])

    kept = [play(act, seed=seed) for seed in range(40)]
    assert all(tokens == list(range(1, len(tokens) + 1)) for tokens in kept)
    assert {len(tokens) for tokens in kept} == {0, 1, 2, 3, 4, 5}


def test_a_failed_commit_is_told_to_whoever_waits_for_it() -> None:
    async def act(store: DurableStore) -> None:
        with pytest.raises(StorageError):
            await store.write("SITE", [entry(1)])

    assert play(act, SiteFaults(failed_commit=1.0)) == []


def test_only_one_store_at_a_time_has_the_disk() -> None:
    disk = Disk()

    def store(loop: asyncio.AbstractEventLoop) -> DurableStore:
        return DurableStore(
            disk,
            loop,
            Random(1),
            SiteFaults(),
            on_ledger=lambda _: None,
            injected=lambda _: None,
        )

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        first, second = store(runner.get_loop()), store(runner.get_loop())

        async def run() -> None:
            await first.open()
            with pytest.raises(StorageError):
                await second.open()
            first.crash()
            await second.open()

        runner.run(run())
