"""A15: answers nobody asked for, answers to somebody else's call, answers after the time-out.

The row asks for 10^6 unsolicited answers; a test sends 5,000, of which the first 101 must be the
last that are looked at. They are read as fast as they come, which they never are otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from dataclasses import replace

import psutil
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from csms.protocol.pace import PacePolicy
from csms.protocol.rpc import Reply, Result, TimedOut
from tests.e2e.hostile import SETTINGS, TEXT, Bench, boot, healthy, masked, raw_client, until

ANSWERS = 5_000
FAST = replace(SETTINGS.connection, pace=PacePolicy(1e9, 1e9, 1e9, 1e9))
GROWTH_BYTES = 1_000_000


async def flood(bench: Bench) -> bytes:
    async with raw_client(bench) as client:
        await client.upgrade()
        answers = (f'[{3 + n % 2},"{n}",{{"k":"{"x" * 20}"}}]' for n in range(ANSWERS))
        await client.say(b"".join(masked(TEXT, answer.encode()) for answer in answers))
        return await client.rest()


async def test_a_flood_of_answers_to_nothing_is_closed_and_grows_nothing() -> None:
    bench = Bench(replace(SETTINGS, connection=FAST))
    async with bench.server, bench.dial("GOOD") as good:
        await boot(good)
        await flood(bench)
        gc.collect()
        before = psutil.Process().memory_info().rss
        closed = await flood(bench)
        gc.collect()
        assert closed[2:4] == (1008).to_bytes(2, "big")
        assert psutil.Process().memory_info().rss - before < GROWTH_BYTES
        await healthy(good)


async def asked(bench: Bench, charger_id: str, timeout_s: float = 5.0) -> Reply:
    connection = bench.server.connection(charger_id)
    assert connection is not None
    return await connection.call("Reset", {"type": "Soft"}, timeout_s=timeout_s)


async def call_of(charger: ClientConnection) -> str:
    message = json.loads(await charger.recv())
    assert message[0] == 2
    message_id: str = message[1]
    return message_id


async def test_an_answer_to_a_call_of_another_socket_is_ignored() -> None:
    bench = Bench()
    async with bench.server, bench.dial("CP1") as one, bench.dial("CP2") as other:
        await boot(one)
        await boot(other)
        async with asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(asked(bench, "CP1"))
            message_id = await call_of(one)
            await other.send(json.dumps([3, message_id, {"status": "Forged"}]))
            await healthy(other)
            assert not answer.done()
            await one.send(json.dumps([3, message_id, {"status": "Accepted"}]))
        assert answer.result() == Result({"status": "Accepted"})


async def test_an_answer_after_its_time_out_answers_nothing_else() -> None:
    bench = Bench()
    async with bench.server, bench.dial("CP1") as charger:
        await boot(charger)
        async with asyncio.TaskGroup() as tasks:
            early = tasks.create_task(asked(bench, "CP1", 0.2))
            first = await call_of(charger)
            assert await early == TimedOut()
            later = tasks.create_task(asked(bench, "CP1"))
            second = await call_of(charger)
            await charger.send(json.dumps([3, first, {"status": "Rejected"}]))
            await healthy(charger)
            assert not later.done()
            await charger.send(json.dumps([3, second, {"status": "Accepted"}]))
        assert later.result() == Result({"status": "Accepted"})


async def test_a_charger_that_talks_and_never_answers_is_closed() -> None:
    bench = Bench(replace(SETTINGS, connection=replace(SETTINGS.connection, call_timeout_s=0.1)))
    async with bench.server, bench.dial("CP1") as charger:
        await boot(charger)
        await until(lambda: bench.server.connection("CP1"))
        connection = bench.server.connection("CP1")
        assert connection is not None
        with contextlib.suppress(ConnectionClosed):
            for _ in range(3):
                assert await connection.call("Reset", {}) == TimedOut()
                await charger.send('[2,"h","Heartbeat",{}]')
            async with asyncio.timeout(5):
                while True:
                    await charger.recv()
        assert charger.close_code == 1011
