from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from csms.control import refusals
from csms.control.events import EventLog
from csms.control.refusals import PAUSES_S, Refusals
from csms.errors import StorageError
from csms.ports import StoredSession, TokenStatus
from csms.station.model import ConnectorKey
from tests.unit.csms.control.fakes import NO, FakeClock, FakeLink, FaultyStore, stored

A1 = ConnectorKey("A", 1)
REFUSED = stored("s1", 7, A1, id_status=TokenStatus.BLOCKED)
ASKED = ("A", 7)


class Bench:
    """Refusals at work, with pauses of no time."""

    def __init__(self, store: FaultyStore, pauses: int) -> None:
        self.store = store
        self.link = FakeLink()
        self.quiet: set[str] = set()
        self.events = EventLog(FakeClock())
        self.refusals = Refusals(store, self.link, self.events, self.is_quiet, [0.0] * pauses)

    def is_quiet(self, charger_id: str) -> bool:
        return charger_id in self.quiet

    def ends_it(self) -> None:
        """The charger ends the session as soon as it is asked."""

        async def ends(_charger: str, _transaction: int) -> None:
            await self.end()

        self.link.on_remote_stop = ends

    async def end(self) -> None:
        await self.store.end("s1", ended_at=1.0, meter_stop_wh=None, reason="Remote")

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.after(0)]


@asynccontextmanager
async def bench(
    *sessions: StoredSession, pauses: int = 5, store: FaultyStore | None = None
) -> AsyncIterator[Bench]:
    kept = FaultyStore() if store is None else store
    for session in sessions:
        await kept.start(session)
    built = Bench(kept, pauses)
    async with asyncio.TaskGroup() as tasks:
        await built.refusals.open(tasks.create_task)
        yield built


async def test_a_refused_session_that_goes_on_is_stopped() -> None:
    async with bench() as it:
        await it.store.start(REFUSED)
        it.ends_it()
        it.refusals.watch(REFUSED)
        it.refusals.watch(REFUSED)
    assert it.link.named("remote_stop") == [ASKED]
    assert it.kinds() == ["refused_session_stopped"]


async def test_one_that_its_charger_ends_is_left_alone() -> None:
    async with bench() as it:
        await it.store.start(REFUSED)
        it.refusals.watch(REFUSED)
        await it.end()
    assert it.link.requests == []


async def test_a_session_that_was_not_refused_is_left_alone() -> None:
    async with bench(stored("s2", 8, A1)) as it:
        it.refusals.watch(stored("s2", 8, A1))
        it.refusals.watch(stored("s3", 9, A1, id_status=TokenStatus.INVALID, ended_at=1.0))
    assert it.link.requests == []


async def test_a_charger_that_does_not_stop_it_is_asked_again_and_then_given_up() -> None:
    async with bench(REFUSED, pauses=3) as it:
        it.link.answers["remote_stop"] = NO
    assert it.link.named("remote_stop") == [ASKED] * 3
    assert it.kinds() == ["refused_session_goes_on"]


async def test_what_was_left_when_csms_went_down_is_taken_up() -> None:
    async with bench(REFUSED) as it:
        it.ends_it()
    assert it.link.named("remote_stop") == [ASKED]


class Unreadable(FaultyStore):
    async def find(self, charger_id: str, transaction_id: int) -> StoredSession | None:
        raise StorageError("gone")


async def test_a_session_that_cannot_be_read_is_taken_to_go_on() -> None:
    async with bench(REFUSED, pauses=2, store=Unreadable()) as it:
        pass
    assert it.link.named("remote_stop") == [ASKED] * 2


async def test_a_quiet_charger_is_asked_nothing() -> None:
    async with bench(REFUSED, pauses=2) as it:
        it.quiet.add(REFUSED.connector.charger_id)
    assert it.link.requests == []


async def test_after_the_end_nobody_is_asked() -> None:
    async with bench(REFUSED) as it:
        it.refusals.stop()
        it.refusals.watch(stored("s2", 8, A1, id_status=TokenStatus.INVALID))
    assert it.link.requests == []


async def test_only_so_many_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MOST", 1)
    async with bench(REFUSED, pauses=1) as it:
        it.refusals.watch(stored("s2", 8, A1, id_status=TokenStatus.INVALID))
    assert it.link.named("remote_stop") == [ASKED]


def test_the_pauses_grow_and_end() -> None:
    waits: Sequence[float] = PAUSES_S
    assert list(waits) == sorted(waits)
    assert 3_600 < sum(waits) < 7_200
