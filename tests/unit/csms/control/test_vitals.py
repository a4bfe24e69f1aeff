from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from csms.control.vitals import Vitals, VitalsPolicy
from csms.errors import StorageError
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fakes import FakeClock
from tests.unit.csms.protocol.fakes import LoopClock, pass_time, virtual


class ProbedStore(MemoryStore):
    """A store whose probe can fail or hang, on a disk that can be full."""

    def __init__(self) -> None:
        super().__init__()
        self.free: float | None = 0.5
        self.broken = False
        self.hangs = False
        self.probes: list[float] = []

    async def probe(self, at: float) -> None:
        self.probes.append(at)
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.broken:
            raise StorageError("disk full")

    def free_share(self) -> float | None:
        return self.free


class Bench:
    def __init__(self, policy: VitalsPolicy | None = None) -> None:
        self.store = ProbedStore()
        self.clock = FakeClock()
        self.replayed = True
        self.resident: int | None = 1_000
        self.beats: list[float] = []
        self.vitals = Vitals(
            self.store,
            self.clock,
            replayed=lambda: self.replayed,
            resident=lambda: self.resident,
            policy=policy,
            on_beat=self.beats.append,
        )

    def tick(self, lag_s: float = 0.0) -> None:
        due = self.clock.monotonic() + 0.1
        self.clock.advance(0.1 + lag_s)
        self.vitals.beat(due)


def test_the_defaults_are_those_of_the_reference() -> None:
    policy = VitalsPolicy()
    assert (policy.tick_s, policy.warn_lag_s, policy.ready_lag_s) == (0.1, 0.25, 1.0)
    assert (policy.warn_disk, policy.least_disk) == (0.10, 0.05)
    assert (policy.soft_memory, policy.hard_memory, policy.last_memory) == (0.70, 0.85, 0.95)


async def test_when_all_is_well_it_is_ready() -> None:
    bench = Bench()
    bench.tick()
    assert await bench.vitals.unready() == []
    assert bench.vitals.lag_s() == pytest.approx(0.0)
    assert not bench.vitals.sheds()
    assert bench.vitals.takes_more()
    assert len(bench.beats) == 1


def test_a_late_loop_is_told_once_in_a_while() -> None:
    bench = Bench()
    with capture_logs() as logs:
        for _ in range(20):
            bench.tick(0.3)
        bench.tick(0.2)
    assert [entry["event"] for entry in logs] == ["loop_lag"]
    for _ in range(40):
        bench.tick(0.3)
    assert bench.vitals.lag_s() == pytest.approx(0.3)


async def test_a_very_late_loop_is_not_ready_for_a_while() -> None:
    bench = Bench()
    bench.tick(1.2)
    assert await bench.vitals.unready() == ["the loop was 1.2 s late"]
    for _ in range(110):
        bench.tick()
    assert await bench.vitals.unready() == []


async def test_it_is_not_ready_before_the_ledger_is_replayed_nor_when_it_ends() -> None:
    bench = Bench()
    bench.replayed = False
    bench.vitals.draining = True
    assert await bench.vitals.unready() == ["it is about to end", "the stations are not run"]


async def test_a_disk_that_is_nearly_full_is_told_then_sheds_and_is_not_ready() -> None:
    bench = Bench()
    bench.store.free = 0.09
    with capture_logs() as logs:
        bench.tick()
    assert [entry["event"] for entry in logs] == ["disk_nearly_full"]
    assert not bench.vitals.sheds()
    assert await bench.vitals.unready() == []
    bench.store.free = 0.049
    for _ in range(11):
        bench.tick()
    assert bench.vitals.sheds()
    assert await bench.vitals.unready() == ["4.9 % of the disk is free"]


async def test_memory_is_shed_first_and_refused_then() -> None:
    bench = Bench(VitalsPolicy(memory_bytes=100))
    found = []
    for resident in (1_069, 1_070, 1_084, 1_085, 1_000, None):
        bench.resident = resident
        for _ in range(11):
            bench.tick()
        found.append((bench.vitals.sheds(), bench.vitals.takes_more()))
    fine, short, full = (False, True), (True, True), (True, False)
    assert found == [fine, short, short, full, fine, fine]
    bench.resident = 1_090
    for _ in range(11):
        bench.tick()
    assert await bench.vitals.unready() == ["it has no more memory"]


def test_the_last_memory_is_for_chargers_with_a_session() -> None:
    bench = Bench(VitalsPolicy(memory_bytes=100))
    found = []
    for resident in (1_084, 1_085, 1_094, 1_095):
        bench.resident = resident
        for _ in range(11):
            bench.tick()
        found.append((bench.vitals.takes_more(), bench.vitals.takes_more(charging=True)))
    assert found == [(True, True), (False, True), (False, True), (False, False)]


async def test_a_probe_is_written_at_most_once_a_second() -> None:
    bench = Bench()
    for _ in range(5):
        await bench.vitals.unready()
    assert bench.store.probes == [bench.clock.now()]
    bench.store.broken = True
    assert await bench.vitals.unready() == []
    bench.clock.advance(1.0)
    assert await bench.vitals.unready() == ["the database takes nothing: disk full"]


@virtual
async def test_a_database_that_hangs_is_not_waited_for() -> None:
    store = ProbedStore()
    store.hangs = True
    vitals = Vitals(store, LoopClock(), replayed=lambda: True, resident=lambda: None)
    assert await vitals.unready() == ["the database does not answer"]


@virtual
async def test_it_looks_ten_times_a_second() -> None:
    beats: list[float] = []
    vitals = Vitals(
        ProbedStore(),
        LoopClock(),
        replayed=lambda: True,
        resident=lambda: None,
        on_beat=beats.append,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(vitals.run())
        await pass_time(1.05)
        running.cancel()
    assert len(beats) == 10
