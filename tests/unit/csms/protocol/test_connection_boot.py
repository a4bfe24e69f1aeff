"""Calls that meet a boot, and when they are on the wire."""

from __future__ import annotations

import functools

import pytest

from csms.protocol.rpc import TimedOut
from tests.unit.csms.protocol.fakes import pass_time, virtual
from tests.unit.csms.protocol.test_connection import BOOT, Bench, running


@virtual
async def test_a_call_that_was_lost_to_a_boot_keeps_no_other_waiting() -> None:
    """A charger that dials, and boots after eight seconds, is asked after five."""
    bench = Bench()
    async with running(bench) as tasks:
        lost = tasks.create_task(bench.connection.call("Lost", {}))
        tasks.create_task(bench.connection.call("Next", {}))
        await pass_time(8.0)
        assert bench.times_of("Lost") == [5.0]
        bench.socket.say(BOOT)
        await pass_time(2.0)
        assert lost.result() == TimedOut()
        assert bench.times_of("Next") == [9.0]


@virtual
async def test_a_call_tells_when_it_is_on_the_wire() -> None:
    bench = Bench()
    sent: list[str] = []
    async with running(bench) as tasks:
        for name in ("A", "B"):
            call = bench.connection.call(name, {}, on_sent=functools.partial(sent.append, name))
            tasks.create_task(call)
        await pass_time(4.9)
        assert sent == []
        await pass_time(0.2)
        assert sent == ["A"]


@virtual
@pytest.mark.parametrize(("verdict", "asked_at"), [("Pending", [61.0]), ("Rejected", [])])
async def test_one_that_never_boots_again_is_asked_after_twice_its_interval(
    verdict: str, asked_at: list[float]
) -> None:
    bench = Bench()
    async with running(bench) as tasks:
        bench.socket.say(f'[2,"1","BootNotification",{{"verdict":"{verdict}"}}]')
        await pass_time(55.0)
        call = tasks.create_task(bench.connection.call("Late", {}))
        await pass_time(20.0)
        assert bench.times_of("Late") == asked_at
        call.cancel()


@virtual
async def test_one_that_boots_again_as_it_was_told_to_is_asked_after_that() -> None:
    bench = Bench()
    async with running(bench) as tasks:
        bench.socket.say('[2,"1","BootNotification",{"verdict":"Pending"}]')
        await pass_time(59.0)
        bench.socket.say('[2,"2","BootNotification",{"verdict":"Pending"}]')
        call = tasks.create_task(bench.connection.call("Late", {}))
        await pass_time(10.0)
        assert bench.times_of("Late") == []
        bench.socket.say(BOOT)
        await pass_time(2.0)
        assert bench.times_of("Late") == [70.0]
        call.cancel()
