"""A charger that sends too fast is read slowly, and loses nothing."""

from __future__ import annotations

from dataclasses import replace

from csms.protocol.liveness import LivenessSettings
from csms.protocol.pace import PacePolicy
from csms.protocol.rpc import TimedOut
from tests.unit.csms.protocol.fakes import pass_time, virtual
from tests.unit.csms.protocol.test_connection import SETTINGS, Bench, running

PACE = PacePolicy(frames_per_s=10.0, frames_burst=5.0)
SLOW = replace(SETTINGS, pace=PACE)


@virtual
async def test_a_backlog_is_read_slowly_and_answered_whole() -> None:
    bench = Bench(settings=SLOW)
    async with running(bench):
        bench.socket.say(*(f'[2,"{i}","StopTransaction",{{"i":{i}}}]' for i in range(25)))
        await pass_time(0.05)
        assert len(bench.served) == 6
        await pass_time(1.0)
        assert len(bench.served) == 16
        await pass_time(1.0)
        assert [payload["i"] for _, payload in bench.served] == list(range(25))
        assert len(bench.socket.written) == 25
        assert bench.socket.closes == []


@virtual
async def test_large_frames_are_read_slowly() -> None:
    settings = replace(SETTINGS, pace=PacePolicy(chars_per_s=1000.0, chars_burst=1000.0))
    bench = Bench(settings=settings)
    async with running(bench):
        frame = f'[2,"1","A",{{"k":"{"x" * 2980}"}}]'
        bench.socket.say(frame, '[2,"2","B",{}]')
        await pass_time(1.9)
        assert len(bench.served) == 1
        await pass_time(0.2)
        assert len(bench.served) == 2


@virtual
async def test_whoever_is_not_read_is_not_given_up_for_its_silence() -> None:
    liveness = LivenessSettings(ping_interval_s=1.0, missed_pongs=3, idle_timeout_s=10.0)
    pace = PacePolicy(frames_per_s=0.02, frames_burst=1.0)
    bench = Bench(settings=replace(SETTINGS, liveness=liveness, pace=pace))
    async with running(bench):
        bench.socket.pong_seen = True
        bench.socket.say('[2,"1","A",{}]', '[2,"2","A",{}]')
        await pass_time(45.0)
        assert bench.socket.closes == []
        await pass_time(20.0)
        assert [code for code, _ in bench.socket.closes] == [1011]


@virtual
async def test_a_charger_that_is_waited_for_can_go() -> None:
    bench = Bench(settings=replace(SETTINGS, pace=PacePolicy(frames_per_s=0.001, frames_burst=1)))
    async with running(bench):
        bench.socket.say('[2,"1","A",{}]', '[2,"2","A",{}]')
        await pass_time(1.0)
        bench.socket.begin_to_close()
        await pass_time(1.0)
        assert bench.ends == 1


@virtual
async def test_a_backlog_with_our_answers_behind_it_is_never_cut_short() -> None:
    bench = Bench(settings=replace(SETTINGS, pace=PacePolicy(frames_per_s=1.0, frames_burst=1.0)))
    async with running(bench):
        bench.socket.say(*(f'[2,"{i}","StopTransaction",{{}}]' for i in range(120)))
        for _ in range(3):
            assert await bench.connection.call("A", {}, timeout_s=30.0) == TimedOut()
        assert bench.socket.closes == []


@virtual
async def test_whoever_is_not_read_has_been_heard_just_now() -> None:
    bench = Bench(settings=replace(SETTINGS, pace=PacePolicy(frames_per_s=0.1, frames_burst=1.0)))
    async with running(bench):
        bench.socket.say('[2,"1","A",{}]', '[2,"2","A",{}]')
        await pass_time(7.0)
        assert bench.connection.heard_at > 6.9
        await pass_time(5.0)
        assert 9.0 < bench.connection.heard_at < 11.0
