from __future__ import annotations

import asyncio

from csms.protocol.drain import DrainPolicy, drain, slices
from tests.unit.csms.protocol.fakes import LoopClock, pass_time, virtual


class Held:
    def __init__(self) -> None:
        self.busy = False
        self.closed: tuple[int, float] | None = None

    def close(self, code: int, reason: str) -> None:
        assert reason == "restarting"
        self.closed = (code, round(asyncio.get_running_loop().time(), 1))


@virtual
async def test_a_few_idle_connections_are_closed_at_once() -> None:
    held = [Held() for _ in range(10)]
    await drain(lambda: held, DrainPolicy(), LoopClock())
    assert {h.closed for h in held} == {(1012, 0.0)}


@virtual
async def test_nobody_is_closed_while_something_is_in_work() -> None:
    held = [Held(), Held()]
    held[0].busy = True
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drain(lambda: held, DrainPolicy(), LoopClock()))
        await pass_time(3.0)
        assert [h.closed for h in held] == [None, None]
        held[0].busy = False
    assert [h.closed for h in held] == [(1012, 3.0)] * 2


@virtual
async def test_what_does_not_end_is_not_waited_for_without_end() -> None:
    held = [Held()]
    held[0].busy = True
    await drain(lambda: held, DrainPolicy(work_s=10.0), LoopClock())
    assert held[0].closed == (1012, 10.0)


@virtual
async def test_many_connections_are_closed_in_slices() -> None:
    held = [Held() for _ in range(1_000)]
    await drain(lambda: held, DrainPolicy(), LoopClock())
    times = [h.closed[1] for h in held if h.closed is not None]
    assert len(times) == 1_000
    assert max(times) == 9.9
    assert all(times.count(at) == 10 for at in set(times))


def test_closing_never_takes_longer_than_it_may() -> None:
    held = [Held() for _ in range(90_000)]
    parts = slices(held, DrainPolicy(close_s=30.0))
    assert len(parts) == 300
    assert slices([], DrainPolicy()) == []
    assert len(slices(held, DrainPolicy(close_s=0.0))) == 1
