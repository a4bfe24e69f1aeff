from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from csms.errors import ProtocolError
from csms.ports import Frame
from csms.protocol.connection import Connection, ConnectionSettings, Surroundings
from csms.protocol.liveness import LivenessSettings
from csms.protocol.rpc import CallError, Disconnected, Reply, ReplyCache, Result, TimedOut
from tests.unit.csms.protocol.fakes import FakeSocket, KeptFrames, LoopClock, pass_time, virtual

SETTINGS = ConnectionSettings()
BOOT = '[2,"b","BootNotification",{}]'


class Bench:
    """A connection, its socket, and what its owner would see."""

    def __init__(
        self,
        *,
        registered: bool = False,
        settings: ConnectionSettings = SETTINGS,
        cache: ReplyCache | None = None,
    ) -> None:
        self.socket = FakeSocket()
        self.frames = KeptFrames()
        self.cache = ReplyCache() if cache is None else cache
        self.registered = registered
        self.served: list[tuple[str, Any]] = []
        self.first_calls = 0
        self.ends = 0
        self.doors: dict[str, asyncio.Event] = {}
        self.asks_back: list[Reply] = []
        numbers = itertools.count(1)
        around = Surroundings(
            handle=self.handle,
            registered=lambda: self.registered,
            on_first_call=lambda _: self.note_first_call(),
            on_end=lambda _: self.note_end(),
            clock=LoopClock(),
            frames=self.frames,
            new_id=lambda: f"m{next(numbers)}",
        )
        self.connection = Connection(
            "CP1", self.socket, around, cache=self.cache, settings=settings
        )

    def note_first_call(self) -> None:
        assert self.served == []
        self.first_calls += 1

    def note_end(self) -> None:
        self.ends += 1

    async def handle(self, action: str, payload: Any) -> dict[str, Any]:
        """Serve: `doors` holds an action back until its door is opened."""
        if action in self.doors:
            await self.doors[action].wait()
        self.served.append((action, payload))
        if action == "Nonsense":
            raise ProtocolError("NotImplemented", "no such action")
        if action == "Bug":
            raise KeyError(action)
        if action == "AskBack":
            self.asks_back.append(await self.connection.call("Reset", {}))
        if action == "BootNotification":
            return {"status": payload.get("verdict", "Accepted"), "interval": 30}
        return {"n": len(self.served)}

    def close_door(self, action: str) -> None:
        self.doors[action] = asyncio.Event()

    def times_of(self, action: str) -> list[float]:
        """When requests of ours of this action were written."""
        written = zip(self.socket.written, self.socket.written_at, strict=True)
        return [round(at, 2) for text, at in written if json.loads(text)[2] == action]


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[asyncio.TaskGroup]:
    """The connection's run in the background; at the end the charger hangs up."""
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(bench.connection.run())
        yield tasks
        bench.socket.hang_up()
        await run


# ------------------------------------------------------------------------------- requests


@virtual
async def test_requests_are_served_in_order() -> None:
    bench = Bench()
    async with running(bench):
        bench.socket.say(*(f'[2,"{i}","A{i}",{{"k":{i}}}]' for i in range(40)))
        await pass_time()
        assert bench.served == [(f"A{i}", {"k": i}) for i in range(40)]
        assert bench.socket.written == [f'[3,"{i}",{{"n":{i + 1}}}]' for i in range(40)]
        assert bench.first_calls == 1


@virtual
async def test_a_request_that_fails_is_answered_and_the_next_is_served() -> None:
    bench = Bench()
    async with running(bench):
        with capture_logs() as logs:
            bench.socket.say('[2,"1","Nonsense",{}]', '[2,"2","Bug",{}]', '[2,"3","Good",{}]')
            await pass_time()
        assert bench.socket.written == [
            '[4,"1","NotImplemented","no such action",{}]',
            '[4,"2","InternalError","",{}]',
            '[3,"3",{"n":3}]',
        ]
        assert [entry["event"] for entry in logs] == ["request_refused", "request_failed"]


@virtual
async def test_frames_wait_unread_while_too_many_requests_are_in_work() -> None:
    bench = Bench(settings=replace(SETTINGS, inward_calls=4))
    bench.close_door("A")
    async with running(bench):
        bench.socket.say(*(f'[2,"{i}","A",{{}}]' for i in range(10)))
        await pass_time()
        assert bench.socket.unread == 6
        bench.doors["A"].set()
        await pass_time()
        assert len(bench.socket.written) == 10
        assert not [text for text in bench.socket.written if text.startswith("[4")]


@virtual
async def test_frames_wait_unread_while_too_much_is_in_work() -> None:
    bench = Bench(settings=replace(SETTINGS, inward_chars=1000))
    bench.close_door("A")
    async with running(bench):
        bench.socket.say(*(f'[2,"{i}","A",{{"k":"{"x" * 600}"}}]' for i in range(4)))
        await pass_time()
        assert bench.socket.unread == 2
        bench.doors["A"].set()
        await pass_time()
        assert len(bench.served) == 4


@virtual
async def test_a_repeated_request_is_answered_from_what_was_kept() -> None:
    bench = Bench()
    start = '[2,"s","StartTransaction",{}]'
    async with running(bench):
        bench.socket.say(start)
        await pass_time()
    again = Bench(cache=bench.cache)
    async with running(again):
        again.socket.say(start)
        await pass_time()
        assert again.socket.written == ['[3,"s",{"n":1}]']
        assert again.served == []
        assert again.first_calls == 1


@virtual
async def test_garbage_does_not_keep_others_from_their_turn() -> None:
    bench = Bench(settings=replace(SETTINGS))
    async with running(bench) as tasks:
        bench.socket.say(*["garbage"] * 500)
        left: list[int] = []

        async def look() -> None:
            for _ in range(3):
                left.append(bench.socket.unread)
                await asyncio.sleep(0)

        await tasks.create_task(look())
        assert left[-1] > 400


@virtual
async def test_ignored_frames_are_logged_ever_more_rarely() -> None:
    bench = Bench()
    async with running(bench):
        with capture_logs() as logs:
            bench.socket.say(*['[2,"x\\n",'] * 100)
            await pass_time(5.0)
        assert [entry["count"] for entry in logs] == [1, 2, 4, 8, 16, 32, 64]
        assert logs[0]["message_id"] == "x\\n"


@virtual
async def test_every_frame_is_logged() -> None:
    bench = Bench()
    async with running(bench):
        bench.socket.say(b'[2,"1","A",{}]', b"\xff")
        await pass_time(2.0)
    assert [replace(f, at=round(f.at)) for f in bench.frames.kept] == [
        Frame("CP1", 1000.0, inbound=True, text='[2,"1","A",{}]'),
        Frame("CP1", 1000.0, inbound=True, text="�"),
        Frame("CP1", 1000.0, inbound=False, text='[3,"1",{"n":1}]'),
    ]


# ------------------------------------------------------------------------------- calls


@virtual
async def test_a_call_returns_how_it_ended() -> None:
    bench = Bench(registered=True)
    async with running(bench) as tasks:
        bench.socket.say('[2,"1","Heartbeat",{}]')
        await pass_time()
        result = tasks.create_task(bench.connection.call("Reset", {"type": "Soft"}))
        error = tasks.create_task(bench.connection.call("Reset", {"type": "Hard"}))
        await pass_time()
        assert bench.socket.written[1:] == ['[2,"m1","Reset",{"type":"Soft"}]']
        bench.socket.say('[3,"m1",{"status":"Accepted"}]', '[4,"m2","NotSupported","no",{}]')
        await pass_time()
        assert result.result() == Result({"status": "Accepted"})
        assert error.result() == CallError("NotSupported", "no")


@virtual
async def test_answers_are_taken_while_a_request_is_slow() -> None:
    bench = Bench(registered=True)
    bench.close_door("Slow")
    async with running(bench) as tasks:
        bench.socket.say('[2,"1","Heartbeat",{}]', '[2,"2","Slow",{}]')
        await pass_time()
        asked = tasks.create_task(bench.connection.call("Reset", {}))
        await pass_time()
        bench.socket.say('[3,"m1",{}]')
        await pass_time()
        assert asked.result() == Result({})
        bench.doors["Slow"].set()


@virtual
async def test_a_handler_may_call_the_charger_it_serves() -> None:
    bench = Bench(registered=True)
    async with running(bench):
        bench.socket.say('[2,"1","Heartbeat",{}]')
        await pass_time()
        bench.socket.say('[2,"2","AskBack",{}]')
        await pass_time()
        bench.socket.say('[3,"m1",{}]')
        await pass_time()
        assert bench.asks_back == [Result({})]
        assert bench.socket.written[-1] == '[3,"2",{"n":2}]'


@virtual
async def test_a_late_answer_goes_to_whoever_wants_it() -> None:
    bench = Bench(registered=True)
    late: list[Reply] = []
    async with running(bench):
        bench.socket.say('[2,"1","Heartbeat",{}]')
        await pass_time()
        assert await bench.connection.call("A", {}, timeout_s=5, on_late=late.append) == TimedOut()
        assert await bench.connection.call("B", {}, timeout_s=5) == TimedOut()
        bench.socket.say('[3,"m1",{"status":"Rejected"}]', '[3,"m2",{}]')
        await pass_time()
        assert late == [Result({"status": "Rejected"})]


@virtual
async def test_a_cancelled_call_is_withdrawn_or_its_answer_is_late() -> None:
    bench = Bench(registered=True)
    late: list[Reply] = []
    async with running(bench) as tasks:
        bench.socket.say('[2,"1","Heartbeat",{}]')
        await pass_time()
        sent = tasks.create_task(bench.connection.call("Sent", {}, on_late=late.append))
        queued = tasks.create_task(bench.connection.call("Queued", {}, on_late=late.append))
        await pass_time()
        sent.cancel()
        queued.cancel()
        await pass_time()
        bench.socket.say('[3,"m1",{"n":1}]')
        await pass_time()
        assert late == [Result({"n": 1})]
        assert bench.times_of("Queued") == []


@virtual
async def test_a_call_that_cannot_be_written_is_the_callers_mistake() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="JSON"):
        await bench.connection.call("A", {"limit": float("inf")})


# ------------------------------------------------------------------------------- when calls may go


@virtual
async def test_calls_wait_until_a_second_after_an_accepted_boot() -> None:
    bench = Bench(registered=True)
    async with running(bench) as tasks:
        tasks.create_task(bench.connection.call("A", {}))
        await pass_time(3.0)
        bench.socket.say(BOOT)
        await pass_time(0.5)
        bench.socket.say('[2,"1","StatusNotification",{}]')
        await pass_time(2.0)
        assert bench.times_of("A") == [4.0]


@virtual
async def test_calls_go_at_once_to_a_charger_that_booted_before() -> None:
    bench = Bench(registered=True)
    async with running(bench) as tasks:
        tasks.create_task(bench.connection.call("A", {}))
        await pass_time(2.0)
        bench.socket.say('[2,"1","StatusNotification",{}]')
        await pass_time()
        assert [json.loads(text)[:2] for text in bench.socket.written] == [[3, "1"], [2, "m1"]]


@virtual
async def test_calls_go_after_a_while_to_a_charger_that_says_nothing() -> None:
    bench = Bench()
    async with running(bench) as tasks:
        tasks.create_task(bench.connection.call("A", {}))
        bench.socket.say('[2,"1","StatusNotification",{}]')
        await pass_time(6.0)
        assert bench.times_of("A") == [5.0]


@virtual
async def test_calls_wait_as_long_as_a_boot_is_not_accepted() -> None:
    bench = Bench(registered=True)
    async with running(bench) as tasks:
        asked = tasks.create_task(bench.connection.call("A", {}, timeout_s=60))
        bench.socket.say('[2,"1","BootNotification",{"verdict":"Rejected"}]')
        await pass_time(20.0)
        bench.socket.say('[2,"2","Heartbeat",{}]')
        await pass_time(41.0)
        assert asked.result() == TimedOut(sent=False)
        assert bench.times_of("A") == []


@virtual
async def test_a_boot_on_an_old_connection_holds_calls_again() -> None:
    bench = Bench(registered=True)
    async with running(bench) as tasks:
        await pass_time(50.0)
        bench.socket.say(BOOT)
        await pass_time()
        tasks.create_task(bench.connection.call("A", {}))
        await pass_time(5.0)
        assert bench.times_of("A") == [51.0]


@virtual
async def test_calls_keep_the_gap_asked_for() -> None:
    bench = Bench(settings=replace(SETTINGS, call_gap_s=0.3))
    async with running(bench) as tasks:
        bench.socket.say(BOOT)
        await pass_time(5.0)
        tasks.create_task(bench.connection.call("A", {}))
        await pass_time()
        bench.socket.say('[3,"m1",{}]')
        tasks.create_task(bench.connection.call("A", {}))
        await pass_time(1.0)
        assert bench.times_of("A") == [5.0, 5.3]


# ------------------------------------------------------------------------------- the end


@virtual
async def test_calls_end_at_once_when_the_socket_is_lost() -> None:
    bench = Bench()
    asked: list[Reply] = []

    async def ask() -> None:
        asked.append(await bench.connection.call("A", {}))

    async with running(bench) as tasks:
        bench.socket.say(BOOT)
        await pass_time(2.0)
        tasks.create_task(ask())
        tasks.create_task(ask())
        await pass_time()
    assert asked == [Disconnected(), Disconnected(sent=False)]
    assert bench.ends == 1
    assert not bench.connection.usable
    assert await bench.connection.call("A", {}) == Disconnected(sent=False)


@virtual
async def test_requests_in_work_are_finished_and_their_answers_kept() -> None:
    bench = Bench()
    bench.close_door("A")
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(bench.connection.run())
        bench.socket.say('[2,"1","A",{}]', '[2,"2","B",{}]')
        await pass_time()
        bench.socket.hang_up()
        await pass_time()
        assert bench.ends == 1
        assert not run.done()
        bench.doors["A"].set()
        await pass_time()
        assert run.done()
    assert [action for action, _ in bench.served] == ["A", "B"]
    assert len(bench.cache) == 2


@virtual
async def test_requests_that_hang_are_abandoned() -> None:
    bench = Bench()
    bench.close_door("A")
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(bench.connection.run())
        bench.socket.say('[2,"1","A",{}]')
        await pass_time()
        bench.socket.hang_up()
        await pass_time(9.9)
        assert not run.done()
        await pass_time(0.2)
        assert run.done()


@virtual
async def test_a_closed_connection_looks_at_nothing_more() -> None:
    bench = Bench()
    async with running(bench):
        bench.connection.close(1008, "replaced")
        bench.connection.close(1011, "again")
        bench.socket.say('[2,"1","A",{}]')
        await pass_time()
        assert bench.socket.closes == [(1008, "replaced")]
        assert bench.served == []
        assert bench.ends == 1


@virtual
async def test_a_close_that_is_not_answered_becomes_an_abort() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(bench.connection.run())
        await pass_time(1.0)
        bench.connection.close(1008, "replaced")
        await pass_time(10.0)
        assert bench.socket.aborted_at == pytest.approx(6.0)
        assert run.done()


@virtual
async def test_a_socket_that_begins_to_close_is_of_no_use() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.connection.run())
        asked = tasks.create_task(bench.connection.call("A", {}))
        await pass_time(1.0)
        bench.socket.begin_to_close()
        await pass_time()
        assert asked.result() == Disconnected(sent=False)
        assert bench.ends == 1
        await pass_time(10.0)
        assert bench.socket.aborted_at == pytest.approx(6.0)


@virtual
async def test_a_reader_held_up_by_requests_notices_the_end() -> None:
    bench = Bench(settings=replace(SETTINGS, inward_calls=1))
    bench.close_door("A")
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(bench.connection.run())
        bench.socket.say('[2,"1","A",{}]', '[2,"2","A",{}]')
        await pass_time()
        bench.socket.begin_to_close()
        await pass_time(30.0)
        assert bench.ends == 1
        assert run.done()


@virtual
async def test_a_charger_that_talks_but_does_not_answer_is_closed() -> None:
    bench = Bench()
    async with running(bench):
        bench.socket.say(BOOT)
        await pass_time(2.0)
        for _ in range(3):
            bench.socket.say('[2,"h","Heartbeat",{}]')
            assert await bench.connection.call("A", {}, timeout_s=5.0) == TimedOut()
        assert bench.socket.closes == [(1011, "calls are not answered")]


@virtual
async def test_pings_and_gives_up_a_socket_that_stops_answering_them() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.connection.run())
        bench.socket.say(BOOT)
        bench.socket.pong_seen = True
        await pass_time(200.0)
        assert [round(at) for at in bench.socket.pings_at] == [30, 60, 90]
        assert bench.socket.closes == [(1011, "pings are not answered")]
        assert bench.socket.aborted_at == pytest.approx(125.0)


@virtual
async def test_a_socket_that_says_nothing_is_closed() -> None:
    bench = Bench(settings=replace(SETTINGS, liveness=LivenessSettings(first_message_s=60.0)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bench.connection.run())
        bench.socket.say("garbage")
        await pass_time(59.9)
        assert bench.socket.closes == []
        await pass_time(1.0)
        assert bench.socket.closes == [(1011, "no OCPP message")]
        bench.socket.hang_up()


@virtual
async def test_an_answer_to_our_call_is_a_message_too() -> None:
    bench = Bench()
    async with running(bench) as tasks:
        tasks.create_task(bench.connection.call("A", {}))
        await pass_time(6.0)
        bench.socket.say('[3,"m1",{}]')
        await pass_time(100.0)
        assert bench.socket.closes == []


@virtual
async def test_a_ping_can_be_asked_for() -> None:
    bench = Bench()
    async with running(bench):
        bench.connection.ping()
        assert bench.socket.pings_at == [0.0]
        bench.socket.say("x")
        assert bench.connection.heard_at == 0.0


@virtual
async def test_no_call_overtakes_the_answer_to_a_start_of_transaction() -> None:
    """A limit sent because of a StartTransaction names the id that its answer carries."""
    bench = Bench(registered=True)
    bench.close_door("StartTransaction")
    async with running(bench) as tasks:
        bench.socket.say('[2,"1","Heartbeat",{}]')
        await pass_time()
        bench.socket.say('[2,"2","StartTransaction",{}]')
        await pass_time()
        tasks.create_task(bench.connection.call("SetChargingProfile", {}))
        await pass_time(5.0)
        assert bench.times_of("SetChargingProfile") == []
        bench.doors["StartTransaction"].set()
        await pass_time()
        assert [json.loads(text)[:2] for text in bench.socket.written[-2:]] == [
            [3, "2"],
            [2, "m1"],
        ]
        bench.socket.say('[3,"m1",{}]')
        await pass_time()


@virtual
async def test_a_call_may_bring_the_id_it_was_given() -> None:
    bench = Bench(registered=True)
    async with running(bench) as tasks:
        message_id = bench.connection.new_message_id()
        asked = tasks.create_task(bench.connection.call("Reset", {}, message_id=message_id))
        await pass_time(6.0)
        assert bench.socket.written == [f'[2,"{message_id}","Reset",{{}}]']
        bench.socket.say(f'[3,"{message_id}",{{}}]')
        await pass_time()
        assert await asked == Result({})
