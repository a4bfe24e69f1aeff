"""Chargers that are broken, half dead or not chargers at all, over real sockets.

The flood lasts a few seconds; HOSTILE_FLOOD_S=30 makes it the acceptance run.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import struct
import threading
import time
from dataclasses import replace
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.typing import Origin, Subprotocol

from csms.protocol.arrivals import ArrivalPolicy
from csms.protocol.liveness import LivenessSettings
from csms.protocol.rpc import Disconnected, Reply, Result
from csms.protocol.wire import WireLimits
from csms.station.facts import ChargerConnected, ChargerDisconnected
from tests.e2e.hostile import (
    BAD_FRAMES,
    BAD_HANDSHAKES,
    BOOT,
    CALL,
    CLOSE,
    ODD_FRAMES,
    PING,
    SETTINGS,
    TEXT,
    Bench,
    RawClient,
    boot,
    healthy,
    masked,
    raw_client,
    request,
    until,
)

FLOOD_S = float(os.environ.get("HOSTILE_FLOOD_S", "3"))
FLOOD_GROWTH_BYTES = 5_000_000


def test_there_are_enough_malformed_frames() -> None:
    assert len(BAD_FRAMES) + len(ODD_FRAMES) >= 40


async def close_code_of(client: RawClient) -> int:
    """The code of the close frame the server sends; other frames are passed over."""
    while True:
        opcode, data = await client.frame()
        if opcode == CLOSE:
            code: int = struct.unpack("!H", data[:2])[0]
            return code


async def test_malformed_frames_close_their_own_socket_only() -> None:
    bench = Bench()
    async with bench.server, bench.dial("GOOD") as good:
        await boot(good)
        for bad in BAD_FRAMES:
            async with raw_client(bench) as client:
                await client.upgrade()
                await client.say(bad.data)
                assert (bad.name, await close_code_of(client)) == (bad.name, bad.code)
            await healthy(good)
        served = {charger_id for charger_id, _, _ in bench.recorder.served}
        assert served == {"GOOD"}
        assert bench.changes("GOOD") == [ChargerConnected]


async def test_a_malformed_frame_ends_its_socket_even_if_the_client_stays() -> None:
    bench = Bench()
    async with bench.server, raw_client(bench) as client:
        await client.upgrade()
        await client.say(masked(TEXT, CALL))
        await until(lambda: bench.server.connection("RAW"))
        await client.say(masked(TEXT, b"\xff"))
        await until(lambda: bench.changes("RAW") == [ChargerConnected, ChargerDisconnected])
        await client.rest()


async def test_odd_frames_leave_their_own_socket_open_too() -> None:
    bench = Bench()
    async with bench.server, bench.dial("GOOD") as good, bench.dial("ODD") as odd:
        await boot(good)
        for frame in ODD_FRAMES:
            await odd.send(frame.data, text=frame.opcode is TEXT)
            if frame.answer is not None:
                answer = str(await odd.recv())
                assert (frame.name, answer[: len(frame.answer)]) == (frame.name, frame.answer)
            await healthy(odd)
            await healthy(good)
        assert {action for _, action, _ in bench.recorder.served} == {
            "BootNotification",
            "Heartbeat",
            "StatusNotification",
        }


async def test_malformed_handshakes_get_no_socket() -> None:
    bench = Bench()
    async with bench.server, bench.dial("GOOD") as good:
        await boot(good)
        for name, data in BAD_HANDSHAKES.items():
            async with raw_client(bench) as client:
                await client.say(data)
                answer = await client.rest()
                assert (name, b" 101 " in answer[:20]) == (name, False)
            await healthy(good)


async def test_half_open_handshakes_keep_nobody_out() -> None:
    bench = Bench(replace(SETTINGS, max_connections=5, arrivals=ArrivalPolicy(opening=100)))
    async with bench.server, contextlib.AsyncExitStack() as stack:
        for _ in range(90):
            client = await stack.enter_async_context(raw_client(bench))
            await client.say(b"GET /ocpp/CP1 HTTP/1.1\r\nHost:")
        async with bench.dial("GOOD") as good:
            await boot(good)
        stalled = await stack.enter_async_context(raw_client(bench))
        await stalled.say(b"GET ")
        assert b" 101 " not in await stalled.rest()


async def test_a_flood_of_unsolicited_answers_closes_the_socket() -> None:
    bench = Bench()
    async with bench.server, bench.dial() as charger:
        with contextlib.suppress(ConnectionClosed):
            for number in range(10_000):
                await charger.send(f'[3,"{number}",{{}}]')
                await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await charger.wait_closed()
        assert charger.close_code == 1008


# ---------------------------------------------------------------------------- floods


def flood(port: int, data: bytes, end: threading.Event, dials: list[int]) -> None:
    """Send without ever reading, and dial again whenever that ends."""
    while not end.is_set():
        with socket.socket() as raw, contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(0.5)
            raw.connect(("127.0.0.1", port))
            raw.sendall(request("FLOOD"))
            raw.recv(4096)
            dials.append(1)
            while not end.is_set():
                raw.sendall(data)


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (WireLimits(), masked(PING, b"x" * 125) * 500),
        (WireLimits(control_frames_per_s=1e9), masked(PING, b"x" * 125) * 500),
        (WireLimits(), masked(TEXT, b'[2,"a","Unknown",{}]') * 1000),
    ],
    ids=["pings", "pings at any rate", "requests"],
)
async def test_a_client_that_sends_and_never_reads_grows_nothing(
    limits: WireLimits, data: bytes
) -> None:
    bench = Bench(replace(SETTINGS, wire=limits))
    process = psutil.Process()
    end = threading.Event()
    dials: list[int] = []
    async with bench.server, bench.dial("GOOD") as good:
        await boot(good)
        flooder = threading.Thread(target=flood, args=(bench.server.port, data, end, dials))
        flooder.start()
        try:
            await asyncio.sleep(0.5)
            gc.collect()
            before = most = process.memory_info().rss
            stop_at = time.monotonic() + FLOOD_S
            while time.monotonic() < stop_at:
                await healthy(good)
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.05)
        finally:
            end.set()
            flooder.join()
        assert dials
        assert most - before < FLOOD_GROWTH_BYTES


# ---------------------------------------------------------------------------- who is the charger


def ask(bench: Bench, charger_id: str = "CP1") -> Any:
    connection = bench.server.connection(charger_id)
    assert connection is not None
    return connection.call("TriggerMessage", {"requestedMessage": "Heartbeat"})


async def answer_next(charger: ClientConnection, name: str) -> None:
    message = json.loads(await charger.recv())
    assert message[0] == 2
    await charger.send(json.dumps([3, message[1], {"from": name}]))


async def test_a_second_socket_that_proves_nothing_changes_nothing() -> None:
    bench = Bench()
    async with bench.server, bench.dial() as first, bench.dial() as second:
        await boot(first)
        async with asyncio.TaskGroup() as tasks:
            # Answering the server's ping is done by the client library while it waits here.
            await asyncio.sleep(1.0)
            asked = tasks.create_task(ask(bench))
            await answer_next(first, "first")
        assert asked.result() == Result({"from": "first"})
        assert bench.changes() == [ChargerConnected]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.recv(), 0.1)


async def test_a_second_socket_with_a_request_takes_over_at_once() -> None:
    bench = Bench()
    async with bench.server, bench.dial() as first, bench.dial() as second:
        await boot(first)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ask(bench))
            await first.recv()
            await boot(second)
            assert await asked == Disconnected()
            again = tasks.create_task(ask(bench))
            await answer_next(second, "second")
        assert again.result() == Result({"from": "second"})
        with pytest.raises(ConnectionClosed):
            await first.recv()
        assert first.close_code == 1008
        await asyncio.sleep(0.2)
        assert bench.changes() == [ChargerConnected, ChargerConnected]


async def test_a_half_open_socket_gives_way_to_one_that_says_nothing_yet() -> None:
    bench = Bench()
    async with bench.server, raw_client(bench) as frozen:
        await frozen.upgrade("CP1")
        await frozen.say(masked(TEXT, BOOT.encode()))
        await until(lambda: bench.server.connection("CP1"))
        async with bench.dial() as charger:
            await until(lambda: len(bench.changes()) == 2)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(ask(bench))
                await answer_next(charger, "new")
            assert asked.result() == Result({"from": "new"})
        assert bench.changes()[:2] == [ChargerConnected, ChargerConnected]


async def test_a_waiting_socket_takes_over_when_the_old_one_ends() -> None:
    bench = Bench()
    async with bench.server, bench.dial() as second:
        async with bench.dial() as first:
            await boot(first)
            third = bench.dial()
            async with third:
                await asyncio.sleep(0.1)
            await first.close()
        await until(lambda: bench.server.connection("CP1"))
        assert bench.changes()[0] is ChargerConnected
        await healthy(second)


async def test_a_socket_alone_is_the_charger_after_a_while_without_a_request() -> None:
    bench = Bench()
    async with bench.server, bench.dial() as charger:
        assert bench.server.connection("CP1") is None
        async with asyncio.TaskGroup() as tasks:
            await until(lambda: bench.server.connection("CP1"))
            asked = tasks.create_task(ask(bench))
            await answer_next(charger, "silent")
        assert asked.result() == Result({"from": "silent"})


async def test_commands_go_to_exactly_one_socket_however_often_a_charger_redials() -> None:
    bench = Bench()
    rounds = 50
    async with bench.server, contextlib.AsyncExitStack() as stack:
        for number in range(rounds):
            charger = await stack.enter_async_context(bench.dial())
            await boot(charger)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(ask(bench))
                await answer_next(charger, str(number))
            assert asked.result() == Result({"from": str(number)})
        assert bench.changes() == [ChargerConnected] * rounds


async def test_a_socket_that_never_says_anything_is_closed() -> None:
    liveness = LivenessSettings(first_message_s=0.3)
    connection = replace(SETTINGS.connection, liveness=liveness)
    bench = Bench(replace(SETTINGS, connection=connection))
    async with bench.server, bench.dial() as charger:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(charger.recv(), 5)
        assert charger.close_code == 1011


async def test_a_socket_that_stops_answering_pings_is_dropped() -> None:
    liveness = LivenessSettings(ping_interval_s=0.1, missed_pongs=3)
    connection = replace(SETTINGS.connection, liveness=liveness)
    bench = Bench(replace(SETTINGS, connection=connection))
    async with bench.server, raw_client(bench) as client:
        await client.upgrade("CP1")
        await client.say(masked(TEXT, BOOT.encode()))
        await client.say(masked(Opcode.PONG, b""))
        await until(lambda: bench.changes() == [ChargerConnected, ChargerDisconnected])


# ---------------------------------------------------------------------------- handshakes


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        (["ocpp1.6"], "ocpp1.6"),
        (["ocpp0.1", "ocpp1.6"], "ocpp1.6"),
        (["ocpp2.0.1", "OCPP1.6"], "OCPP1.6"),
        ([], None),
    ],
)
async def test_subprotocols_that_work(offers: list[str], agreed: str | None) -> None:
    bench = Bench()
    protocols = [Subprotocol(o) for o in offers] or None
    async with bench.server, bench.dial(subprotocols=protocols) as charger:
        assert charger.subprotocol == agreed
        await boot(charger)


@pytest.mark.parametrize(
    ("offers", "lenient"), [(["ocpp0.1"], True), (["ocpp2.0.1", "x"], False), ([], False)]
)
async def test_without_a_common_subprotocol_the_handshake_ends_in_a_close(
    offers: list[str], *, lenient: bool
) -> None:
    bench = Bench(replace(SETTINGS, accept_missing_subprotocol=lenient))
    protocols = [Subprotocol(o) for o in offers] or None
    async with bench.server, bench.dial(subprotocols=protocols) as charger:
        assert charger.subprotocol is None
        with pytest.raises(ConnectionClosed):
            await charger.recv()
        assert charger.close_code == 1002
    assert bench.changes() == []


@pytest.mark.parametrize("header", ["Sec-WebSocket-Protocol: ,", 'Sec-WebSocket-Protocol: "?"'])
async def test_a_subprotocol_header_that_is_no_list_is_read_all_the_same(header: str) -> None:
    bench = Bench()
    async with bench.server, raw_client(bench) as client:
        await client.say(request("CP1", header))
        answer = await client.reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Protocol" not in answer


async def test_a_browser_is_refused() -> None:
    bench = Bench()
    async with bench.server:
        with pytest.raises(InvalidStatus) as refused:
            await bench.dial(origin=Origin("https://evil.example"))
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("identity", ["STRANGER", "%2e%2e", "CP%00", "x" * 49])
async def test_a_stranger_is_refused(identity: str) -> None:
    bench = Bench()
    async with bench.server:
        with pytest.raises(InvalidStatus) as refused:
            await bench.dial(identity)
        assert refused.value.response.status_code == 401
        assert refused.value.response.body == b"Not authenticated.\n"
    assert bench.recorder.facts == []


async def test_compression_is_not_agreed_to() -> None:
    bench = Bench()
    async with bench.server, raw_client(bench) as client:
        await client.say(request("CP1", "Sec-WebSocket-Extensions: permessage-deflate"))
        answer = await client.reader.readuntil(b"\r\n\r\n")
        assert b"Sec-WebSocket-Extensions" not in answer


# ---------------------------------------------------------------------------- messages that cross


async def test_repeated_requests_are_served_once() -> None:
    bench = Bench()
    start = '[2,"s","StartTransaction",{"connectorId":1}]'
    async with bench.server:
        async with bench.dial() as charger:
            for _ in range(3):
                await charger.send(start)
            answers = [await charger.recv() for _ in range(3)]
        async with bench.dial() as charger:
            await charger.send(start)
            answers.append(await charger.recv())
    assert answers == ['[3,"s",{"count":0}]'] * 4
    assert len(bench.recorder.served) == 1


async def test_calls_that_cross_are_both_answered() -> None:
    bench = Bench()
    async with bench.server, bench.dial() as charger:
        await boot(charger)
        results: list[Reply] = []
        for number in range(20):
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(ask(bench))
                message = json.loads(await charger.recv())
                await charger.send(f'[2,"{number}","StatusNotification",{{}}]')
                assert json.loads(await charger.recv())[:2] == [3, str(number)]
                await charger.send(json.dumps([3, message[1], {"n": number}]))
            results.append(asked.result())
        assert results == [Result({"n": number}) for number in range(20)]
