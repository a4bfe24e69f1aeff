from __future__ import annotations

import asyncio
import json

from csms.protocol.connection import ConnectionSettings
from csms.protocol.pace import PacePolicy
from csms.protocol.switchboard import Switchboard, SwitchboardSettings, random_id
from csms.station.facts import ChargerConnected, ChargerDisconnected
from tests.unit.csms.protocol.fakes import (
    FakeSocket,
    KeptFacts,
    KeptFrames,
    LoopClock,
    OpenGate,
    pass_time,
    serve_action,
    virtual,
)

BOOT = '[2,"b","BootNotification",{}]'
START = '[2,"s","StartTransaction",{}]'


class Bench:
    """A switchboard and what it records."""

    def __init__(self, settings: SwitchboardSettings | None = None) -> None:
        clock = LoopClock()
        self.recorder = KeptFacts(clock)
        self.board = Switchboard(
            settings or SwitchboardSettings(),
            clock=clock,
            gate=OpenGate(registered=frozenset({"CP1"})),
            recorder=self.recorder,
            frames=KeptFrames(),
            serve_action=serve_action,
            new_id=lambda: "call-1",
        )

    def facts(self) -> list[type[object]]:
        return [type(fact) for fact in self.recorder.facts]


def test_ids_differ() -> None:
    assert len({random_id() for _ in range(100)}) == 100


@virtual
async def test_a_charger_is_connected_from_its_first_request_to_its_end() -> None:
    bench, socket = Bench(), FakeSocket()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.board.serve(socket, "CP1"))
        await pass_time()
        assert bench.board.connection("CP1") is None
        socket.say(BOOT)
        await pass_time()
        live = bench.board.connection("CP1")
        assert live is not None
        assert live.charger_id == "CP1"
        socket.hang_up()
    assert bench.board.connection("CP1") is None
    assert bench.facts() == [ChargerConnected, ChargerDisconnected]


@virtual
async def test_a_silent_socket_is_the_charger_after_a_while_when_there_is_no_other() -> None:
    bench, socket = Bench(), FakeSocket()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.board.serve(socket, "CP1"))
        await pass_time(4.9)
        assert bench.board.connection("CP1") is None
        await pass_time(0.2)
        assert bench.board.connection("CP1") is not None
        socket.hang_up()


@virtual
async def test_a_second_socket_takes_over_only_from_a_silent_one() -> None:
    bench, old, new = Bench(), FakeSocket(), FakeSocket()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.board.serve(old, "CP1"))
        old.say(BOOT)
        await pass_time()
        first = bench.board.connection("CP1")
        tasks.create_task(bench.board.serve(new, "CP1"))
        await pass_time(4.9)
        assert old.pings_at
        assert bench.board.connection("CP1") is first
        await pass_time(0.2)
        assert bench.board.connection("CP1") is not first
        assert [code for code, _ in old.closes] == [1008]
        old.hang_up()
        new.hang_up()


@virtual
async def test_a_second_socket_does_not_take_over_from_one_that_lives() -> None:
    bench, old, new = Bench(), FakeSocket(), FakeSocket()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.board.serve(old, "CP1"))
        old.say(BOOT)
        await pass_time()
        first = bench.board.connection("CP1")
        tasks.create_task(bench.board.serve(new, "CP1"))
        await pass_time()
        old.say('[2,"h","Heartbeat",{}]')
        await pass_time(10)
        assert bench.board.connection("CP1") is first
        old.hang_up()
        new.hang_up()


@virtual
async def test_a_silent_socket_does_not_take_over_from_one_that_is_not_read() -> None:
    pace = PacePolicy(frames_per_s=0.05, frames_burst=1.0)
    bench = Bench(SwitchboardSettings(ConnectionSettings(pace=pace)))
    old, new = FakeSocket(), FakeSocket()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.board.serve(old, "CP1"))
        old.say(BOOT, '[2,"h","Heartbeat",{}]')
        await pass_time(1.0)
        first = bench.board.connection("CP1")
        assert first is not None
        tasks.create_task(bench.board.serve(new, "CP1"))
        await pass_time(10)
        assert bench.board.connection("CP1") is first
        old.hang_up()
        new.hang_up()


@virtual
async def test_a_call_has_the_id_it_is_given() -> None:
    bench, socket = Bench(), FakeSocket()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.board.serve(socket, "CP1"))
        socket.say(BOOT)
        await pass_time(2)
        live = bench.board.connection("CP1")
        assert live is not None
        asked = tasks.create_task(live.call("Reset", {"type": "Soft"}))
        await pass_time()
        assert json.loads(socket.written[-1]) == [2, "call-1", "Reset", {"type": "Soft"}]
        socket.hang_up()
        await asked


@virtual
async def test_the_answers_of_the_chargers_seen_last_are_kept() -> None:
    bench = Bench(SwitchboardSettings(caches_kept=6))
    answers: list[str] = []
    for charger_id in ("CP1", "CP1", "CP2", "CP3", "CP4", "CP5", "CP6", "CP7", "CP1"):
        socket = FakeSocket()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bench.board.serve(socket, charger_id))
            socket.say(START)
            await pass_time()
            answers += socket.written
            socket.hang_up()
    assert answers == [f'[3,"s",{{"count":{count}}}]' for count in (0, 0, 1, 2, 3, 4, 5, 6, 7)]
