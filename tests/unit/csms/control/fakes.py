"""Fakes for tests of the loop, and rigs that run one loop or a whole supervisor on them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from csms.balancing.allocators import max_min
from csms.balancing.demand import DemandPolicy
from csms.control.balancer import Balancer
from csms.control.capabilities import CapabilityBook
from csms.control.events import EventLog
from csms.control.registration import RegistrationSettings
from csms.control.security import Security
from csms.control.signing import Sign
from csms.control.station_loop import LoopSettings, Reconfigured, StationLoop
from csms.control.supervisor import Supervisor, SupervisorSettings
from csms.control.view import station_status
from csms.dispatch.commands import Scope
from csms.dispatch.conviction import Conviction
from csms.dispatch.ledger import Entry, Ledger
from csms.dispatch.standing import Condition
from csms.errors import IdTakenError, StorageError
from csms.ports import (
    ChargerLink,
    ChargerRecord,
    Clock,
    IdToken,
    StartReport,
    StopReport,
    Store,
    StoredSession,
    TokenStatus,
)
from csms.station.facts import (
    ChargerConnected,
    ChargerDisconnected,
    ConnectorStatusReported,
    SessionEnded,
    SessionStarted,
)
from csms.station.model import Charger, Connector, ConnectorKey, CurrentType, RateUnit, Station
from csms.station.register import Register
from csms.station.state import ConnectorStatus, StationState
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fake_link import (
    GONE,
    NO,
    SILENCE,
    START,
    YES,
    FakeClock,
    FakeLink,
    answering,
    exchange,
    keeping_back,
    refusing,
)

__all__ = [
    "GONE",
    "NO",
    "QUIET",
    "ROUNDS",
    "SILENCE",
    "START",
    "TAG",
    "YES",
    "FakeClock",
    "FakeLink",
    "FaultyStore",
    "Rig",
    "Site",
    "ac_charger",
    "answering",
    "exchange",
    "keeping_back",
    "loop_settings",
    "refusing",
    "rig",
    "seen_before",
    "site",
    "start_report",
    "stored",
]

ROUNDS = 40
TAG = "TAG"


class FaultyStore(MemoryStore):
    """A store whose writes can fail, and take time on the clock of the test.

    `writes` are the entries of each durable ledger write, in order; `kept_later` those that were
    not waited for.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__()
        self.clock = clock
        self.broken = False
        self.write_takes_s = 0.0
        self.starts_to_fail = 0
        self.starts_refused = False
        self.ends_to_fail = 0
        self.chargers_to_fail = 0
        self.loses_what_ends = False
        self.silent = False
        self.grids_fail = False
        self.tokens_fail = False
        self.lists_to_give: int | None = None
        self.writes: list[list[Entry]] = []
        self.grids_written = 0
        self.kept_later: list[Entry] = []
        self.start_attempts: list[StoredSession] = []

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        if self.clock is not None:
            self.clock.advance(self.write_takes_s)
        if self.broken:
            raise StorageError("disk full")
        self.writes.append(list(entries))
        super().write_later(station_id, entries)

    def write_later(self, station_id: str, entries: Sequence[Entry]) -> None:
        self.kept_later += entries
        super().write_later(station_id, entries)

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        if self.grids_fail:
            raise StorageError("disk full")
        self.grids_written += 1
        await super().save_grid(station_id, document)

    async def running(self) -> list[StoredSession]:
        if self.lists_to_give is not None:
            self.lists_to_give -= 1
            if self.lists_to_give < 0:
                raise StorageError("disk full")
        return await super().running()

    async def start(self, session: StoredSession) -> StoredSession:
        self.start_attempts.append(session)
        if self.starts_refused:
            raise StorageError("disk full")
        if self.silent:
            # What it was given it takes all the same, but nobody hears of it.
            await super().start(session)
            await asyncio.get_running_loop().create_future()
        if self.starts_to_fail > 0:
            self.starts_to_fail -= 1
            raise IdTakenError("transaction id taken")
        return await super().start(session)

    async def end(
        self,
        session_id: str,
        *,
        ended_at: float,
        meter_stop_wh: int | None,
        reason: str,
        timestamp: str | None = "",
    ) -> StoredSession | None:
        if self.ends_to_fail > 0:
            self.ends_to_fail -= 1
            raise StorageError("disk full")
        if self.silent:
            await asyncio.get_running_loop().create_future()
        ended = await super().end(
            session_id,
            ended_at=ended_at,
            meter_stop_wh=meter_stop_wh,
            reason=reason,
            timestamp=timestamp,
        )
        if self.loses_what_ends:
            self._transactions.clear()
        return ended

    async def load_token(self, id_token: str) -> IdToken | None:
        if self.tokens_fail:
            raise StorageError("the database is down")
        return await super().load_token(id_token)

    async def save_charger(self, record: ChargerRecord) -> None:
        if self.chargers_to_fail > 0:
            self.chargers_to_fail -= 1
            raise StorageError("disk full")
        if self.silent:
            await asyncio.get_running_loop().create_future()
        await super().save_charger(record)


# ------------------------------------------------------------------------------ one loop


# Nobody is asked for a status unless a test wants it: the default wait is longer than any test.
QUIET = RegistrationSettings(meter_interval_s=10, status_wait_s=3_600.0)


def loop_settings(**changes: Any) -> LoopSettings:
    """Settings of a loop in which chargers are not asked for their statuses."""
    return LoopSettings(**{"registration": QUIET, **changes})


@dataclass(slots=True)
class Rig:
    """One station's loop, and everything around it."""

    loop: StationLoop
    link: FakeLink
    store: FaultyStore
    clock: FakeClock
    events: EventLog
    sessions: int = 0
    ids: dict[ConnectorKey, str] = field(default_factory=dict)

    async def connect(self, *charger_ids: str) -> None:
        """These chargers connect, and all that follows from it."""
        for charger_id in charger_ids:
            self.link.connected.add(charger_id)
            self.loop.post(ChargerConnected(charger_id, self.clock.now()))
        await self.quiet()

    async def disconnect(self, charger_id: str) -> None:
        """The socket of this charger is gone."""
        self.link.connected.discard(charger_id)
        self.loop.post(ChargerDisconnected(charger_id, self.clock.now()))
        await self.quiet()

    def plug_in(self, key: ConnectorKey, vehicle_max_w: int | None = None) -> str:
        """A session starts; returns its id."""
        self.sessions += 1
        session_id = f"s{self.sessions}"
        self.ids[key] = session_id
        self.loop.post(
            SessionStarted(
                at=self.clock.now(),
                session_id=session_id,
                transaction_id=100 + self.sessions,
                connector=key,
                id_token=TAG,
                started_at=self.clock.now(),
                register=Register(0),
                vehicle_max_w=vehicle_max_w,
                told_at=self.clock.now(),
            )
        )
        return session_id

    async def start(self, key: ConnectorKey, vehicle_max_w: int | None = None) -> str:
        """A session starts, and all that follows from it."""
        session_id = self.plug_in(key, vehicle_max_w)
        await self.quiet()
        return session_id

    async def end(self, key: ConnectorKey) -> None:
        """The session on this connector ends, and all that follows from it."""
        self.link.unplugged(key)
        self.loop.post(SessionEnded(self.clock.now(), self.ids.pop(key), key))
        await self.quiet()

    async def quiet(self) -> None:
        """Until nothing moves any more: every answer given has been acted on."""
        for _ in range(ROUNDS):
            await self.loop.caught_up()

    async def later(self, seconds: float) -> None:
        """Time passes, and all that follows from it."""
        self.clock.advance(seconds)
        await self.quiet()

    async def renew(self, station: Station) -> None:
        """The station is changed, and all that follows from it."""
        refused: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.loop.post(Reconfigured(station, (), refused))
        await self.quiet()

    def limits(self) -> dict[str, int]:
        """The newest limit of every session that was sent, in watts."""
        return {str(key): self.link.last(key).limit.value_w for key in self.ids}

    def counted(self) -> dict[str, int]:
        """What may be in force at each connector, where it is not 0 W."""
        keys = [c.key for c in self.loop.state.station.connectors()]
        return {str(key): w for key in keys if (w := self.loop.ledger.worst_case_w(key))}

    def conditions(self) -> list[Condition]:
        """The condition of every charger."""
        shown = station_status(self.loop, self.clock.now())
        return [view.condition for view in shown.chargers]

    def newest(self, key: ConnectorKey) -> Entry:
        """The limit given out last to the session on this connector."""
        entry = self.loop.ledger.newest(key, Scope.SESSION, self.ids[key])
        assert entry is not None
        return entry

    def kinds(self) -> list[str]:
        """The kinds of all events, oldest first."""
        return [event.kind for event in self.events.after(0)]


@asynccontextmanager
async def rig(
    station: Station,
    *connected: str,
    store: FaultyStore | None = None,
    entries: Sequence[Entry] = (),
    seen: Sequence[str] = (),
    settings: LoopSettings | None = None,
    convictions: Sequence[Conviction] = (),
    demand: DemandPolicy | None = None,
) -> AsyncIterator[Rig]:
    """Run the loop of this station, with these chargers connected, until the block is left."""
    clock = FakeClock()
    kept = FaultyStore() if store is None else store
    kept.clock = clock
    used = loop_settings() if settings is None else settings
    link = FakeLink()
    events = EventLog(clock)
    loop = StationLoop(
        StationState.of(station),
        Ledger(station, entries, seen),
        Balancer(max_min.allocate, DemandPolicy() if demand is None else demand, used.dispatch),
        link=link,
        store=kept,
        clock=clock,
        events=events,
        tokens=itertools.count(1 + max((e.token for e in entries), default=0)),
        capabilities=CapabilityBook(kept),
        settings=used,
        convictions=convictions,
    )
    async with asyncio.TaskGroup() as tasks:
        runner = loop.start(tasks)
        try:
            built = Rig(loop, link, kept, clock, events)
            await built.connect(*connected)
            yield built
        finally:
            runner.cancel()


# ------------------------------------------------------------------------------ a supervisor


@dataclass(slots=True)
class Site:
    """A running supervisor, and everything around it."""

    supervisor: Supervisor
    link: FakeLink
    store: FaultyStore
    clock: FakeClock
    security: Security

    async def quiet(self) -> None:
        """Until nothing moves any more in any station."""
        for _ in range(ROUNDS):
            for station_id in self.supervisor.station_ids():
                await self.loop(station_id).caught_up()

    def loop(self, station_id: str = "SITE") -> StationLoop:
        """The loop of a station, found by one of its chargers."""
        loop = self.supervisor.loop_of(self.supervisor.station(station_id).chargers[0].charger_id)
        assert loop is not None
        return loop

    async def connect(self, charger_id: str) -> None:
        """The charger is admitted, connects and says what its connectors do."""
        assert await self.supervisor.admit(charger_id, "192.0.2.1")
        self.link.connected.add(charger_id)
        now = self.clock.now()
        self.supervisor.recorder.record(ChargerConnected(charger_id, now))
        await self.quiet()

    def obeying(self) -> None:
        """From now on chargers report the starts and the ends of sessions they are asked for."""

        async def starts(key: ConnectorKey, id_token: str) -> None:
            self.clock.advance(1.0)
            await self.start(key, id_token)

        async def stops(charger_id: str, transaction_id: int) -> None:
            now = self.clock.now()
            report = StopReport(charger_id, transaction_id, 3_000, now, "Remote")
            await self.supervisor.recorder.stop_session(report)

        self.link.on_remote_start = starts
        self.link.on_remote_stop = stops

    def allocated(self, station_id: str = "SITE") -> dict[str, int]:
        """What the balancer wants every session to have, in watts."""
        sessions = self.supervisor.status(station_id).sessions()
        return {str(s.connector): s.allocated_w for s in sessions}

    def conditions(self, station_id: str = "SITE") -> list[Condition]:
        """The condition of every charger."""
        return [c.condition for c in self.supervisor.status(station_id).chargers]

    async def report(self, key: ConnectorKey, status: ConnectorStatus) -> None:
        """The charger reports a status."""
        self.supervisor.recorder.record(ConnectorStatusReported(key, self.clock.now(), status))
        await self.quiet()

    async def start(self, key: ConnectorKey, id_token: str = TAG, meter_wh: int = 0) -> int:
        """The charger reports a start; returns the transaction id it is given."""
        verdict = await self.supervisor.recorder.start_session(
            start_report(key, id_token, meter_wh, self.clock.now())
        )
        await self.quiet()
        return verdict.transaction_id


def start_report(
    key: ConnectorKey, id_token: str = TAG, meter_wh: int = 0, at: float = START
) -> StartReport:
    """A StartTransaction whose timestamp is as unique as `at`."""
    return StartReport(key, id_token, meter_wh, f"T{at:.10g}", at)


def stored(
    session_id: str,
    transaction_id: int,
    key: ConnectorKey,
    *,
    station_id: str = "SITE",
    **changes: Any,
) -> StoredSession:
    """A session as the store keeps it."""
    facts: dict[str, Any] = {
        "id_token": TAG,
        "id_status": TokenStatus.ACCEPTED,
        "started_at": START - 60,
        "meter_start_wh": 100,
        "start_timestamp": f"T{transaction_id}",
        **changes,
    }
    return StoredSession(session_id, transaction_id, station_id, key, **facts)


def seen_before(charger_id: str, *, accepted: bool = True) -> ChargerRecord:
    """What is remembered of a charger that has been here."""
    return ChargerRecord(charger_id, "ACME", "Fast", "S1", "1.2", accepted, START - 100)


class FakeSecret:
    """A secret that outlives the process, or so it says."""

    value: bytes = b"s" * 32
    kept: bool = True

    def keep(self) -> None:
        pass


def security_of(
    store: Store, link: ChargerLink, clock: Clock, sign: Sign | None = None
) -> Security:
    """The security of chargers, kept in this store."""
    return Security(store=store, secret=FakeSecret(), link=link, clock=clock, sign=sign)


@asynccontextmanager
async def site(
    *stations: Station,
    store: FaultyStore | None = None,
    clock: FakeClock | None = None,
    **settings: Any,
) -> AsyncIterator[Site]:
    """Run a supervisor of these stations until the block is left."""
    used_clock = FakeClock() if clock is None else clock
    kept = FaultyStore() if store is None else store
    link = FakeLink()
    security = security_of(kept, link, used_clock)
    supervisor = Supervisor(
        stations,
        store=kept,
        link=link,
        clock=used_clock,
        settings=SupervisorSettings(**{"loop": loop_settings(), **settings}),
        security=security,
    )
    async with supervisor.running():
        yield Site(supervisor, link, kept, used_clock, security)


def ac_charger(rate_unit: RateUnit | None = None, first: CurrentType = CurrentType.AC) -> Charger:
    connectors = (
        Connector(ConnectorKey("AC", 1), 22_000, first),
        Connector(ConnectorKey("AC", 2), 22_000, CurrentType.AC),
    )
    return Charger("AC", 44_000, connectors, rate_unit=rate_unit)
