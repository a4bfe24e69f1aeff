"""What could not be kept is not answered: no lie, and no error that would count as an attempt."""

from __future__ import annotations

from typing import Any

from csms.errors import StorageError
from tests.unit.csms.protocol.fakes import pass_time, virtual
from tests.unit.csms.protocol.test_connection import Bench, running

START = '[2,"s","StartTransaction",{}]'


class FailingBench(Bench):
    """A connection whose database is down as long as `down`."""

    down = True

    async def handle(self, action: str, payload: Any) -> dict[str, Any]:
        if self.down and action != "Heartbeat":
            raise StorageError("the database is down")
        return await super().handle(action, payload)


@virtual
async def test_a_transaction_that_is_not_kept_is_not_answered() -> None:
    bench = FailingBench()
    async with running(bench):
        bench.socket.say(START, '[2,"e","StopTransaction",{}]', '[2,"h","Heartbeat",{}]')
        await pass_time()
        assert bench.socket.written == ['[3,"h",{"n":1}]']


@virtual
async def test_the_same_request_again_is_served_when_it_can_be_kept() -> None:
    bench = FailingBench()
    async with running(bench):
        bench.socket.say(START)
        await pass_time(20.0)
        bench.down = False
        bench.socket.say(START)
        await pass_time(20.0)
        assert bench.socket.written == ['[3,"s",{"n":1}]']
        assert bench.socket.closes == []


@virtual
async def test_when_nothing_was_kept_for_a_while_the_charger_is_closed() -> None:
    bench = FailingBench()
    async with running(bench):
        bench.socket.say(START)
        await pass_time(10.0)
        bench.socket.say(START)
        await pass_time(19.9)
        assert bench.socket.closes == []
        await pass_time(0.2)
        assert [code for code, _ in bench.socket.closes] == [1013]


@virtual
async def test_calls_of_ours_go_on_after_a_start_that_was_not_kept() -> None:
    bench = FailingBench(registered=True)
    async with running(bench) as tasks:
        bench.socket.say(START, '[2,"h","Heartbeat",{}]')
        await pass_time()
        tasks.create_task(bench.connection.call("Reset", {}))
        await pass_time()
        assert bench.socket.written[-1] == '[2,"m1","Reset",{}]'


@virtual
async def test_a_connection_is_busy_while_a_request_is_in_work_or_a_lower_on_its_way() -> None:
    bench = Bench(registered=True)
    bench.close_door("StopTransaction")
    found = []
    async with running(bench) as tasks:
        found.append(bench.connection.busy)
        bench.socket.say('[2,"e","StopTransaction",{}]')
        await pass_time()
        found.append(bench.connection.busy)
        bench.doors["StopTransaction"].set()
        await pass_time()
        found.append(bench.connection.busy)
        tasks.create_task(bench.connection.call("SetChargingProfile", {}, priority=2))
        await pass_time()
        found.append(bench.connection.busy)
        bench.socket.say('[3,"m1",{"status":"Accepted"}]')
        await pass_time()
        found.append(bench.connection.busy)
    assert found == [False, True, False, True, False]


@virtual
async def test_any_other_request_gets_an_error() -> None:
    bench = FailingBench()
    async with running(bench):
        bench.socket.say('[2,"d","DataTransfer",{}]')
        await pass_time(60.0)
        assert bench.socket.written == ['[4,"d","InternalError","",{}]']
        assert bench.socket.closes == []
