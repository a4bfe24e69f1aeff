"""What needs no hostile client: those are in tests/e2e/test_hostile_clients.py."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from csms.protocol.arrivals import ArrivalPolicy
from csms.protocol.server import OcppServer, ServerSettings
from csms.protocol.tls import TlsSettings, old_context, server_context
from csms.station.facts import ChargerConnected, ChargerDisconnected
from tests.unit.csms.protocol.authorities import development, old_client
from tests.unit.csms.protocol.fakes import (
    KeptFacts,
    KeptFrames,
    LoopClock,
    OpenDoor,
    OpenGate,
    serve_action,
)

SETTINGS = ServerSettings(host="127.0.0.1", port=0)
OCPP = [Subprotocol("ocpp1.6")]
BOOT = '[2,"b","BootNotification",{}]'
EVERYBODY = frozenset({True, False})
"""Both those with a session and those without."""


class Bench:
    """A server on a free port and what it records."""

    def __init__(
        self, settings: ServerSettings = SETTINGS, room_for: frozenset[bool] = EVERYBODY
    ) -> None:
        clock = LoopClock()
        self.gate = OpenGate()
        self.door = OpenDoor(self.gate)
        self.recorder = KeptFacts(clock)
        self.server = OcppServer(
            settings,
            clock=clock,
            gate=self.gate,
            door=self.door,
            recorder=self.recorder,
            frames=KeptFrames(),
            serve_action=serve_action,
            has_room=lambda *, charging: charging in room_for,
        )

    def url(self, identity: str = "CP1") -> str:
        return f"ws://127.0.0.1:{self.server.port}/ocpp/{identity}"


async def test_there_is_no_port_before_it_listens() -> None:
    with pytest.raises(RuntimeError, match="not listening"):
        Bench().server.port  # noqa: B018


async def test_stopping_what_does_not_run_is_nothing() -> None:
    await Bench().server.stop()


async def test_a_charger_is_connected_from_its_first_request_to_its_end() -> None:
    bench = Bench()
    async with bench.server:
        async with connect(bench.url("CP%201"), subprotocols=OCPP) as charger:
            assert charger.subprotocol == "ocpp1.6"
            assert bench.server.connection("CP 1") is None
            await charger.send(BOOT)
            assert '"Accepted"' in str(await charger.recv())
            connection = bench.server.connection("CP 1")
            assert connection is not None
            assert connection.charger_id == "CP 1"
        assert bench.gate.knocked == [("CP 1", "127.0.0.1")]
    assert [type(fact) for fact in bench.recorder.facts] == [ChargerConnected, ChargerDisconnected]
    assert bench.server.connection("CP 1") is None


async def test_stopping_closes_every_connection_for_a_restart() -> None:
    bench = Bench()
    await bench.server.start()
    async with connect(bench.url(), subprotocols=OCPP) as charger:
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(charger.wait_closed())
            await bench.server.stop()
            await ended
        with pytest.raises(ConnectionClosed):
            await charger.recv()
        assert charger.close_code == 1012


async def test_connections_beyond_the_bound_are_refused() -> None:
    bench = Bench(replace(SETTINGS, max_connections=1))
    async with bench.server, connect(bench.url("CP1"), subprotocols=OCPP) as first:
        await first.send(BOOT)
        await first.recv()
        with pytest.raises(InvalidStatus) as refused:
            await connect(bench.url("CP2"), subprotocols=OCPP)
        assert refused.value.response.status_code == 503


async def test_a_charger_that_cannot_be_remembered_is_told_to_come_again() -> None:
    bench = Bench()
    bench.gate.broken = True
    async with bench.server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(bench.url("CP1"), subprotocols=OCPP)
        assert refused.value.response.status_code == 503
        assert 30 <= int(refused.value.response.headers["Retry-After"]) <= 60


async def test_without_memory_nobody_is_let_in() -> None:
    bench = Bench(room_for=frozenset())
    async with bench.server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(bench.url("CP1"), subprotocols=OCPP)
        assert refused.value.response.status_code == 503
        assert 30 <= int(refused.value.response.headers["Retry-After"]) <= 60


async def test_the_last_places_are_for_chargers_with_a_session() -> None:
    bench = Bench(replace(SETTINGS, max_connections=10))
    bench.gate.charging |= {"BUSY1", "BUSY2"}
    async with bench.server, contextlib.AsyncExitStack() as stack:
        for name in (*(f"CP{number}" for number in range(9)), "BUSY1"):
            if name == "BUSY1":
                assert await outcome(bench, "CP9") == 503
            dialled = connect(bench.url(name), subprotocols=OCPP)
            charger = await stack.enter_async_context(dialled)
            await charger.send(BOOT)
            await charger.recv()
        assert await outcome(bench, "BUSY2") == 503
    assert "CP9" not in {name for name, _ in bench.door.came_in}


async def test_the_last_memory_is_for_chargers_with_a_session() -> None:
    bench = Bench(room_for=frozenset({True}))
    bench.gate.charging.add("BUSY")
    async with bench.server:
        assert [await outcome(bench, name) for name in ("CP1", "BUSY")] == [503, 101]


async def test_draining_accepts_nobody_and_closes_everybody_for_a_restart() -> None:
    bench = Bench()
    await bench.server.start()
    async with connect(bench.url(), subprotocols=OCPP) as charger:
        await charger.send(BOOT)
        await charger.recv()
        port = bench.server.port
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(charger.wait_closed())
            await bench.server.drain()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await ended
        assert charger.close_code == 1012
    await bench.server.stop()


async def test_beyond_the_rate_only_chargers_that_are_charging_come_in() -> None:
    arrivals = ArrivalPolicy(per_s=0.001, burst=4.0, kept_back=2.0)
    bench = Bench(replace(SETTINGS, arrivals=arrivals))
    bench.gate.charging.add("BUSY")
    async with bench.server:
        outcomes = [await outcome(bench, name) for name in ("A", "B", "C", "BUSY", "%zz")]
    # Who is no charger is told so, and takes nobody's place.
    assert outcomes == [101, 101, 503, 101, 401]
    # Who had to wait for its place has not come in yet.
    assert [name for name, _ in bench.door.came_in] == ["A", "B", "BUSY"]


async def test_the_door_hears_who_is_sent_away_for_no_fault_of_its_own() -> None:
    bench = Bench()
    await bench.server.start()
    async with connect(bench.url("CP1"), subprotocols=OCPP) as charger:
        await charger.send(BOOT)
        await charger.recv()
        async with connect(bench.url("CP2"), subprotocols=OCPP) as other:
            await other.send(BOOT)
            await other.recv()
        assert bench.door.closed_for_us == []
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(charger.wait_closed())
            await bench.server.drain()
    assert bench.door.closed_for_us == [("CP1", "127.0.0.1")]
    await bench.server.stop()


async def test_tls_handshakes_that_are_not_finished_have_a_bound(tmp_path: Path) -> None:
    folder = development(tmp_path)
    tls = server_context(TlsSettings([(folder / "server_rsa.pem", folder / "server_rsa.key")]))
    settings = replace(
        SETTINGS,
        port=None,
        tls_port=0,
        tls=tls,
        max_connections=2,
        arrivals=ArrivalPolicy(opening=3),
        open_timeout_s=60.0,
    )
    bench = Bench(settings)
    async with bench.server:
        url = f"wss://localhost:{bench.server.tls_port}/ocpp/CP1"
        client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        async with asyncio.timeout(20):
            for _ in range(3):
                stalled = [await dialled(bench.server.tls_port) for _ in range(3)]
                # The fourth takes the place of the first, and what is dropped takes none.
                async with connect(url, subprotocols=OCPP, ssl=client) as charger:
                    await charger.send(BOOT)
                    assert '"Accepted"' in str(await charger.recv())
                    await ended(stalled[0][0])
                    assert not stalled[2][0].at_eof()
                for reader, writer in stalled:
                    writer.close()
                    await ended(reader)


async def test_old_tls_has_a_port_of_its_own_and_counts_as_none(tmp_path: Path) -> None:
    folder = development(tmp_path)
    files = TlsSettings([(folder / "server_rsa.pem", folder / "server_rsa.key")])
    settings = replace(
        SETTINGS,
        tls_port=0,
        tls=server_context(files),
        old_tls_port=0,
        old_tls=old_context(files),
    )
    bench = Bench(settings)
    client = old_client(folder, "TLSv1")
    async with bench.server:
        for port, tls in (
            (bench.server.tls_port, ssl.create_default_context(cafile=str(folder / "ca.pem"))),
            (bench.server.old_tls_port, client),
        ):
            url = f"wss://localhost:{port}/ocpp/CP1"
            async with connect(url, subprotocols=OCPP, ssl=tls) as charger:
                await charger.send(BOOT)
                assert '"Accepted"' in str(await charger.recv())
        assert [approach.secure for approach in bench.door.seen] == [True, False]
        url = f"wss://localhost:{bench.server.tls_port}/ocpp/CP1"
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await connect(url, subprotocols=OCPP, ssl=client)
        assert ("tls_failed", "", "unsupported protocol") in bench.door.away
    with pytest.raises(RuntimeError, match="not listening"):
        bench.server.old_tls_port  # noqa: B018


async def dialled(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection that is accepted, and has begun with TLS."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01")
    await writer.drain()
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the other side has ended it, whichever way."""
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def outcome(bench: Bench, identity: str) -> int:
    try:
        async with connect(bench.url(identity), subprotocols=OCPP):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
