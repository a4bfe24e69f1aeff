"""One charger with a habit, from boot to the end of a session, against the whole of csms.

What must come about is what would with a charger of no habit: it boots, its fallback is confirmed,
a driver starts a session, it gets a limit and obeys it, its readings are known, the session ends
with the right energy. Every wait is so short that an answer which never comes fails the story.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import csms.app
from csms.app import App, running
from csms.control.status import ConnectorView, SessionStatus
from csms.dispatch.standing import Condition
from csms.ports import ChargerRecord, StoredSession
from csms.station.document import parse_station
from csms.station.state import ConnectorStatus
from csms.storage.memory import MemoryStore
from simulators.charge_point.client import ChargePointClient
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.charge_point.quirks import Quirks
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.battery import TractionBattery
from simulators.vehicle.vehicle import AcVehicle
from tests.e2e import quick
from tests.simulation.patches import Patch, patched

STATION = "HABITS"
CHARGER = "Habit-1"
MAX_W = 22_000.0
FALLBACK_W = 4_200.0
GRID_W = 10_000.0
"""What the one charger may have: less than it can give, more than its fallback."""

USEFUL_W = 8_000.0
SPEED = 3_600.0
"""A second of the test is an hour of the meter."""

TAG = "DRIVER0123456789"
LOOK_EVERY_S = 0.005
PATIENCE = 600
"""Looks, not seconds: while a busy machine lets nobody do anything, nothing is expected."""
CONFIG = quick.CONFIG.model_copy(update={"call_timeout_s": 30.0})
CLIENT = replace(quick.CLIENT, meter_interval_s=60, tick_s=0.01)


@dataclass(slots=True)
class World:
    """csms and the one charger."""

    csms: App
    store: MemoryStore
    site: Site
    energy_wh: int = 0

    @property
    def point(self) -> ChargePointClient:
        """The charger."""
        return self.site.points[CHARGER]

    @property
    def view(self) -> ConnectorView:
        """What csms says of its connector."""
        return self.csms.supervisor.status(STATION).chargers[0].connectors[0]

    @property
    def session(self) -> SessionStatus:
        """The session that csms has there."""
        assert self.view.session is not None
        return self.view.session

    @property
    def draw_w(self) -> float:
        """What flows."""
        return self.point.behaviour.connector(1).power_w

    def heard(self, kind: str, words: str = "") -> int:
        """How many events of this kind have these words."""
        events = self.csms.supervisor.events()
        return sum(event.kind == kind and words in event.text for event in events)

    async def asked(self, action: str) -> list[dict[str, Any]]:
        """What csms has asked of the charger by this action."""
        frames = [f for f in await self.store.frames(CHARGER, limit=10_000) if not f.inbound]
        calls = [json.loads(frame.text) for frame in frames]
        return [call[3] for call in calls if call[0] == 2 and call[2] == action]

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait for something, but not for long."""
        for _ in range(PATIENCE):
            if holds():
                return
            await asyncio.sleep(LOOK_EVERY_S)
        raise AssertionError(f"{what}\n{self.tale()}")

    def tale(self) -> str:
        """What was told, for whoever has to find out why."""
        events = [f"{e.kind} {e.text}" for e in self.csms.supervisor.events()[-30:]]
        return "\n".join([*events, repr(self.view), f"draws {self.draw_w:.0f} W"])


class SlowStore(MemoryStore):
    """Keeping a charger takes a while, and so does the answer to its boot."""

    async def save_charger(self, record: ChargerRecord) -> None:
        """See `ports.ChargerStore`."""
        await asyncio.sleep(0.05)
        await super().save_charger(record)


Check = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Story:
    """What is different from the plain story.

    `config` are settings. `tag` and `reason` are what csms must have of the session,
    `governed_idle` and `measured` whether there are limits while no session runs, and readings;
    `slow_store` makes boots take a while; `lost` is how often the link is. `starts` begins the
    session, `during` and `after` are checks while it runs and when it is over.
    """

    quirks: Quirks = field(default_factory=Quirks)
    config: Mapping[str, Any] = field(default_factory=dict)
    tag: str = TAG
    reason: str = "EVDisconnected"
    governed_idle: bool = True
    measured: bool = True
    slow_store: bool = False
    lost: int = 0
    starts: Check | None = None
    during: Check | None = None
    after: Check | None = None


@asynccontextmanager
async def without_api() -> AsyncIterator[None]:
    """The HTTP API has no part in this, and takes longer to begin than a story to be told."""

    @asynccontextmanager
    async def nothing(*_: Any) -> AsyncIterator[None]:
        yield

    with patched([Patch(csms.app, "_serving_api", nothing)]):
        yield


@asynccontextmanager
async def world(story: Story) -> AsyncIterator[World]:
    """Everything runs."""
    charger = {
        "id": CHARGER,
        "maxPower": MAX_W / 1000,
        "connectors": 1,
        "type": "AC",
        "fallback": FALLBACK_W / 1000,
    }
    document = {"stationId": STATION, "gridCapacity": GRID_W / 1000, "chargers": [charger]}
    quirks = {CHARGER: story.quirks}
    store = SlowStore() if story.slow_store else MemoryStore()
    config = CONFIG.model_copy(update=dict(story.config))
    async with (
        without_api(),
        asyncio.timeout(20),
        running(config, [parse_station(document, "habits")], store=store) as csms,
    ):
        site = Site(
            [Hardware.uniform(CHARGER, MAX_W, 1, CurrentType.AC)],
            networked(csms.ocpp_url, CLIENT, quirks),
            Clock(SPEED),
            settings=CLIENT,
            quirks=quirks,
        )
        async with site.running():
            yield World(csms, store, site)


async def play(story: Story) -> None:
    """The story from beginning to end."""
    async with world(story) as it:
        await it.until("a boot", it.point.booted.is_set)
        await charge(it, story)
        if story.during is not None:
            await story.during(it)
        await settle(it)
        assert it.view.status is ConnectorStatus.CHARGING
        assert not story.measured or it.session.energy_wh > 0
        ended = await leave(it)
        assert (ended.id_token, ended.reason) == (story.tag, story.reason)
        assert ended.energy_wh == it.energy_wh
        if story.after is not None:
            await story.after(it)
        assert list(it.point.complaints) == []
        assert it.heard("charger_disconnected") == story.lost, it.tale()


async def charge(it: World, story: Story) -> None:
    """A session begins and gets a limit; its readings are known."""
    if story.governed_idle:
        await it.until("its fallback confirmed", lambda: it.view.condition is Condition.CONTROLLED)
    battery = TractionBattery(capacity_wh=1e9, soc_pct=10.0)
    it.point.plug_in(1, AcVehicle(battery, max_a=32.0, wake_s=0.0, ramp_s=0.0))
    if story.starts is None:
        it.point.present_token(1, TAG)
    else:
        await story.starts(it)
    await it.until("a session", lambda: it.view.session is not None)
    await it.until("its number", lambda: numbered(it))
    await it.until("a limit", lambda: limited(it))
    assert it.point.trigger("Heartbeat") == "Accepted"
    if story.measured:
        await it.until("readings", lambda: measured(it))
    await it.until("its status", lambda: it.view.status is ConnectorStatus.CHARGING)


async def settle(it: World) -> None:
    """Everything it has said, and all its habits say with it, has been acted on."""
    it.point.trigger("MeterValues", 1)
    it.point.trigger("Heartbeat")
    await it.until("everything told", lambda: not it.point.unsent)
    loop = it.csms.supervisor.loop_of(CHARGER)
    assert loop is not None
    await loop.caught_up()


def numbered(it: World) -> bool:
    """Whether both know the transaction by the same number."""
    running = it.point.behaviour.connector(1).transaction
    return running is not None and running.transaction_id == it.session.transaction_id


def limited(it: World) -> bool:
    """Whether it has been told more than its fallback, and obeys, and csms is sure of it."""
    limit_w = it.point.behaviour.connector(1).limit_w
    known = it.view.condition is Condition.CONTROLLED and it.view.worst_case_w <= GRID_W
    return known and USEFUL_W <= limit_w <= GRID_W


def measured(it: World) -> bool:
    """Whether csms knows what flows and what has flown."""
    it.point.trigger("MeterValues", 1)
    session = it.session
    running = it.point.behaviour.connector(1)
    assert running.transaction is not None
    most_wh = running.meter.register_wh - running.transaction.meter_start_wh
    if session.measured_w is None or not 0 < session.energy_wh <= most_wh:
        return False
    return abs(session.measured_w - it.draw_w) <= 0.02 * it.draw_w


async def leave(it: World) -> StoredSession:
    """The vehicle leaves; the session as it was kept."""
    it.point.unplug(1)
    (over,) = it.point.behaviour.ended
    it.energy_wh = (over.meter_stop_wh or 0) - over.meter_start_wh
    await it.until("the end", lambda: it.view.session is None)
    await it.until("everything told", lambda: not it.point.unsent)
    (ended,) = await it.store.ended(STATION)
    return ended
