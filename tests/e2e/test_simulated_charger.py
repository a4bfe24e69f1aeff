"""Simulated charge points over real websockets, against a central system made for the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from simulators.charge_point.client import ChargePointClient, ClientSettings
from simulators.charge_point.hardware import Hardware
from simulators.clock import Clock
from simulators.operator_api import OperatorApi
from simulators.runner import Options, Player
from simulators.scenario import load_scenario
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle
from tests.unit.simulators.central import Central, EqualShares, profile

SETTINGS = ClientSettings(
    tick_s=0.01, redial_first_s=0.01, redial_most_s=0.05, meter_interval_s=1, close_timeout_s=0.2
)
HARDWARE = [Hardware.uniform("CP001", 200_000.0, 2), Hardware.uniform("CP002", 200_000.0, 2)]


class Handshakes:
    """What charge points asked for when they connected."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.subprotocols: list[str | None] = []
        self.extensions: list[str | None] = []


@asynccontextmanager
async def serving(
    central: Central, *, port: int = 0, seen: Handshakes | None = None
) -> AsyncIterator[int]:
    """The central system on a port; killed, without goodbyes, when the block is left."""
    connections: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        charger_id = connection.request.path.rpartition("/")[2]
        if seen is not None:
            seen.paths.append(connection.request.path)
            seen.subprotocols.append(connection.subprotocol)
            seen.extensions.append(connection.request.headers.get("Sec-WebSocket-Extensions"))
        frames: asyncio.Queue[str] = asyncio.Queue()
        send = frames.put_nowait
        central.connect(charger_id, send)
        connections.add(connection)

        async def write() -> None:
            while True:
                await connection.send(await frames.get())

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(write())
            async for text in connection:
                central.take(charger_id, str(text))
            writing.cancel()
        central.gone(charger_id, send)

    server = await serve(
        handle, "127.0.0.1", port, subprotocols=[Subprotocol("ocpp1.6")], compression=None
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for connection in connections:
            connection.transport.abort()
        server.close()
        await server.wait_closed()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - anything may hold, not only events
            await asyncio.sleep(0.01)


def site_at(port: int) -> Site:
    dial_for = networked(f"ws://127.0.0.1:{port}/ocpp/", SETTINGS)
    return Site(HARDWARE, dial_for, Clock(), settings=SETTINGS)


async def charge(central: Central, point: ChargePointClient) -> int:
    """Start a transaction on connector 1; its number."""
    point.plug_in(1, ConstantVehicle(150_000.0))
    point.present_token(1, "TAG")
    connector = point.behaviour.connector(1)
    await until(lambda: connector.transaction and connector.transaction.transaction_id)
    assert connector.transaction is not None
    assert connector.transaction.transaction_id is not None
    limit = profile(60_000, transaction_id=connector.transaction.transaction_id)
    request = {"connectorId": 1, "csChargingProfiles": limit}
    answer = await central.call(point.charger_id, "SetChargingProfile", request)
    assert answer == {"status": "Accepted"}
    return connector.transaction.transaction_id


async def test_charge_points_connect_as_the_standard_says() -> None:
    central, seen = Central(), Handshakes()
    async with serving(central, seen=seen) as port:
        site = site_at(port)
        async with site.running():
            await site.all_booted()
    assert sorted(seen.paths) == ["/ocpp/CP001", "/ocpp/CP002"]
    assert seen.subprotocols == ["ocpp1.6", "ocpp1.6"]
    assert seen.extensions == [None, None]


async def test_a_whole_session_over_the_wire() -> None:
    central = Central()
    async with serving(central) as port:
        site = site_at(port)
        async with site.running():
            await site.all_booted()
            point = site.points["CP001"]
            transaction_id = await charge(central, point)
            assert site.limit_w("CP001/1") == 60_000.0
            await until(lambda: "MeterValues" in central.actions("CP001"))
            stop = {"transactionId": transaction_id}
            answer = await central.call("CP001", "RemoteStopTransaction", stop)
            assert answer == {"status": "Accepted"}
            await until(lambda: "StopTransaction" in central.actions("CP001"))
            assert site.limit_w("CP001/1") == 0.0
            assert site.complaints() == []
    (ended,) = site.points["CP001"].behaviour.ended
    (told,) = central.payloads("CP001", "StopTransaction")
    assert told["meterStop"] == ended.meter_stop_wh
    assert ended.meter_stop_wh is not None
    assert ended.meter_stop_wh > 0


async def test_a_central_system_that_is_killed_and_comes_back() -> None:
    central = Central()
    async with AsyncExitStack() as first:
        port = await first.enter_async_context(serving(central))
        site = site_at(port)
        async with site.running():
            await site.all_booted()
            numbers = {name: await charge(central, p) for name, p in site.points.items()}
            await first.aclose()
            await until(lambda: not any(p.booted.is_set() for p in site.points.values()))
            heard = {name: len(central.actions(name)) for name in site.points}
            site.points["CP001"].unplug(1)
            assert site.limit_w("CP001/1") == 0.0
            assert site.limit_w("CP002/1") == 60_000.0
            async with serving(central, port=port):
                await site.all_booted()
                await until(lambda: "StopTransaction" in central.actions("CP001"))
                await until(lambda: "MeterValues" in central.actions("CP002")[heard["CP002"] :])
    (stop,) = central.payloads("CP001", "StopTransaction")
    assert (stop["transactionId"], stop["reason"]) == (numbers["CP001"], "EVDisconnected")
    for name in site.points:
        assert central.actions(name).count("BootNotification") == 1
        assert central.actions(name).count("StartTransaction") == 1
        later = [
            payload["transactionId"]
            for action, payload in central.heard[name][heard[name] :]
            if action == "MeterValues"
        ]
        assert set(later) <= {numbers[name]}


async def test_a_scenario_over_the_wire() -> None:
    scenario = load_scenario("s1")
    central = EqualShares(200.0)
    async with serving(central) as port:
        client = httpx.AsyncClient(transport=central.transport(), base_url="http://csms")
        async with client:
            player = Player(
                scenario,
                networked(f"ws://127.0.0.1:{port}/ocpp", SETTINGS),
                OperatorApi(client, "S1"),
                Clock(),
                options=Options(patience=20.0),
                settings=SETTINGS,
            )
            report = await player.play()
    assert report.failures == []
    assert report.problems == []
    assert [step.ok for step in report.steps] == [True] * 4
    assert report.peak_limit_sum_w == 200_000.0
