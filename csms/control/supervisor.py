"""All stations of one process.

Starts their loops, finds the one a charger belongs to, and does what people and programs ask.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from csms.balancing.allocators import max_min
from csms.balancing.demand import DemandPolicy
from csms.control.access import Access
from csms.control.admission import Knock, KnockList, known_as
from csms.control.balancer import Balancer
from csms.control.boots import has_session
from csms.control.capabilities import CapabilityBook
from csms.control.commands import ChargerCommands
from csms.control.commission import Commissioning
from csms.control.enforcement import Pardoned
from csms.control.events import Event, EventLog
from csms.control.grid_limits import GridLimits
from csms.control.kept_stations import Origin, document, in_force, require_default
from csms.control.presumption import Presumption
from csms.control.recorder import RecorderSettings, StationRecorder, as_started
from csms.control.remote import RemoteRequests
from csms.control.restored import remember_limits
from csms.control.security import Security
from csms.control.sender import LimitAnswered
from csms.control.sessions import SessionRequests, require_connector
from csms.control.station_loop import LoopSettings, StationLoop
from csms.control.status import ConnectorView, StationStatus
from csms.control.trials import Patience
from csms.control.view import station_status
from csms.dispatch.commands import SetLimit
from csms.dispatch.ledger import Entry, Ledger, superseded
from csms.errors import (
    ConfigurationRefusedError,
    StationError,
    StorageError,
    UnknownChargerError,
    UnknownStationError,
)
from csms.ports import (
    Answer,
    ChargerLink,
    Clock,
    Losses,
    Store,
    StoredSession,
    TokenStatus,
)
from csms.station.feasibility import feasibility
from csms.station.model import Charger, Connector, ConnectorKey, CurrentType, Station
from csms.station.state import StationState
from csms.station.update import apply

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UnknownChargers:
    """What a charger gets that no configuration has, when such chargers are accepted."""

    max_power_w: int
    connectors: int

    def charger(self, charger_id: str) -> Charger:
        """Such a charger: AC, so that it is asked which unit it takes."""
        return Charger(
            charger_id,
            self.max_power_w,
            tuple(
                Connector(ConnectorKey(charger_id, i + 1), self.max_power_w, CurrentType.AC)
                for i in range(self.connectors)
            ),
        )


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """What holds for every station of the process.

    `unknown_chargers` None refuses chargers of no configuration. `operator_id` is the idTag
    used for sessions started by an operator who names none (at most 16 of A-Z0-9: chargers corrupt
    longer ones).
    """

    default_station: str | None = None
    unknown_chargers: UnknownChargers | None = None
    remote_timeout_s: float = 60.0
    operator_id: str = "CSMS"
    demand: DemandPolicy = field(default_factory=DemandPolicy)
    loop: LoopSettings = field(default_factory=LoopSettings)
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
    commissioning: Patience = field(default_factory=Patience)


def _never() -> bool:
    """Everything is kept."""
    return False


class Supervisor:
    """The stations of this process. `ports.Gate` and `ports.LateAnswers`; what the API calls.

    `sheds` tells whether what is worth least is not kept for now.
    """

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        store: Store,
        link: ChargerLink,
        clock: Clock,
        settings: SupervisorSettings,
        security: Security,
        sheds: Callable[[], bool] = _never,
    ) -> None:
        self._configured = list(stations)
        self._security = security
        self._store = store
        self._link = link
        self._clock = clock
        self._settings = settings
        self._loops: dict[str, StationLoop] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._runners: dict[str, asyncio.Task[None]] = {}
        self._files: dict[str, dict[str, Any] | None] = {}
        self._tokens = itertools.count(1)
        self._knocks = KnockList()
        self._changing = asyncio.Lock()
        self._events = EventLog(clock)
        self._capabilities = CapabilityBook(store)
        self._grid = GridLimits(store, clock, self._events, self._loop)
        self._remote = RemoteRequests(link, settings.remote_timeout_s)
        self._commissioning = Commissioning(
            link=link,
            clock=clock,
            events=self._events,
            capabilities=self._capabilities,
            remote=self._remote,
            loop_of=self.loop_of,
            settings=settings.loop,
            patience=settings.commissioning,
        )
        self._access = Access(
            store=store,
            link=link,
            clock=clock,
            events=self._events,
            asked_for=self._remote.asked_for,
            policy=settings.recorder,
            loop_of=self.loop_of,
        )
        self.recorder = self._recorder(sheds)
        self.presumption = Presumption(self._loops.values, self.recorder, clock)
        self._sessions = self._session_requests()
        self._commands = self._charger_commands()

    def _recorder(self, sheds: Callable[[], bool]) -> StationRecorder:
        return StationRecorder(
            self._store,
            self._clock,
            self._events,
            self._remote,
            self.loop_of,
            self._settings.recorder,
            self._access,
            self._security,
            sheds,
        )

    def _session_requests(self) -> SessionRequests:
        return SessionRequests(
            store=self._store,
            link=self._link,
            clock=self._clock,
            remote=self._remote,
            recorder=self.recorder,
            tokens=self._access.tokens,
            loop=self._loop,
            operator_id=self._settings.operator_id,
        )

    def _charger_commands(self) -> ChargerCommands:
        return ChargerCommands(
            link=self._link,
            clock=self._clock,
            events=self._events,
            store=self._store,
            token=lambda: next(self._tokens),
            reports=self.recorder.reports,
            loop_of=self.loop_of,
            keys=self._security.desk,
        )

    # ------------------------------------------------------------------ life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load what was kept and run every station's loop until the block is left.

        Raises ConfigError when the stations, as kept, cannot be run together.
        """
        self.recorder.records = await self._store.load_chargers()
        await self._security.load()
        await self._capabilities.load()
        await self.recorder.reports.load()
        self._tokens = itertools.count(await self._store.last_token() + 1)
        running = await self._store.running()
        stations = await self._stations()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for station in stations:
                await self._run_station(station, running)
            self._commissioning.open(tasks.create_task)
            presuming = tasks.create_task(self.presumption.run())
            self._security.open(tasks.create_task)
            await self._access.open(tasks.create_task)
            try:
                yield
            finally:
                self._tasks = None
                self._commissioning.stop()
                presuming.cancel()
                self._access.stop()
                self._security.stop()
                for runner in self._runners.values():
                    runner.cancel()

    async def _stations(self) -> list[Station]:
        stations = in_force(self._configured, await self._store.load_stations())
        require_default(self._settings.default_station, stations)
        for each in stations:
            station_id = each.station.station_id
            self._files[station_id] = each.file
            if each.origin is not Origin.FILE:
                log.info("station_in_force", station=station_id, why=each.origin.value)
            await self._store.save_station(station_id, each.document())
        return [each.station for each in stations]

    async def _keep_station(self, station: Station) -> None:
        kept = document(station, self._files.get(station.station_id))
        await self._store.save_station(station.station_id, kept)

    async def _run_station(self, station: Station, running: Sequence[StoredSession]) -> None:
        assert self._tasks is not None
        state = StationState.of(station)
        self._restore(state, await self._newest(station, running))
        await self._grid.restore(state)
        entries = await self._entries(station)
        ledger = Ledger(station, entries, self.recorder.records)
        kept = set(entries)
        unanswered = [e for e in ledger.entries() if e not in kept]
        self._store.write_later(station.station_id, unanswered)
        sessions = {s.session_id for s in state.sessions()}
        for entry in list(ledger.entries()):
            if entry.session_id is not None and entry.session_id not in sessions:
                over = ledger.end_session(entry.connector, entry.session_id)
                self._store.write_later(station.station_id, over)
        remember_limits(state, ledger)
        loop = StationLoop(
            state,
            ledger,
            Balancer(max_min.allocate, self._settings.demand, self._settings.loop.dispatch),
            link=self._link,
            store=self._store,
            clock=self._clock,
            events=self._events,
            tokens=self._tokens,
            capabilities=self._capabilities,
            settings=self._settings.loop,
            convictions=await self._store.convictions(station.station_id),
        )
        self._loops[station.station_id] = loop
        self._runners[station.station_id] = loop.start(self._tasks)

    async def _entries(self, station: Station) -> list[Entry]:
        """What was kept of the station's limits; those of connectors that it lacks are over.

        If such a connector comes back, others may have told it something else meanwhile.
        """
        keys = {connector.key for connector in station.connectors()}
        entries = await self._store.load(station.station_id)
        await self._store.write(
            station.station_id, superseded(e for e in entries if e.connector not in keys)
        )
        return [entry for entry in entries if entry.connector in keys]

    async def _newest(
        self, station: Station, running: Sequence[StoredSession]
    ) -> list[StoredSession]:
        """The session of each connector; an older one was to be ended when csms went down."""
        keys = {connector.key for connector in station.connectors()}
        newest: dict[ConnectorKey, StoredSession] = {}
        for stored in running:
            if stored.connector not in keys or stored.id_status is not TokenStatus.ACCEPTED:
                continue
            older = newest.get(stored.connector)
            if older is not None:
                await self._supersede(older, stored)
            newest[stored.connector] = stored
        return list(newest.values())

    async def _supersede(self, older: StoredSession, newer: StoredSession) -> None:
        """Keep the end of the older one; where there is no room for it now, a while later."""
        ended_at = max(older.started_at, newer.started_at)
        try:
            await self.recorder.supersede(older, ended_at)
        except StorageError as error:
            log.warning("not_superseded", session_id=older.session_id, error=str(error))
            self.presumption.supersede_later(older, ended_at)

    def _restore(self, state: StationState, sessions: Sequence[StoredSession]) -> None:
        now = self._clock.now()
        for stored in sessions:
            # By the charger's clock it may begin later than now: its readings count all the same.
            apply(state, as_started(stored, min(stored.started_at, now)))
        for charger_id, known in self.recorder.records.items():
            charger = state.chargers.get(charger_id)
            if charger is not None:
                charger.introduce(known.vendor, known.model, known.serial, known.firmware)
                charger.last_seen_at = known.last_seen_at

    # ------------------------------------------------------------------ ports

    async def admit(self, charger_id: str, address: str) -> bool:
        """`ports.Gate`: chargers of a configuration, and others when they are to be accepted.

        None whose link a commissioning test has cut.
        """
        if self._commissioning.keeps_out(charger_id):
            return False
        if self.loop_of(charger_id) is None and not await self._adopt(charger_id):
            self.turned_away(charger_id, address)
            return False
        self._knocks.forget(charger_id)
        await self.recorder.remember(charger_id)
        return True

    def turned_away(self, charger_id: str, address: str) -> None:
        """`ports.Gate`: kept as a knock when no station has the charger."""
        if self.loop_of(charger_id) is None:
            self._knocks.add(charger_id, address, self._clock.now())

    def known_as(self, names: Sequence[str]) -> str | None:
        """`ports.Gate`: which charger of a configuration is meant."""
        return known_as(names, (c for loop in self._loops.values() for c in loop.state.chargers))

    def has_session(self, charger_id: str) -> bool:
        """`ports.Gate`: whether a session runs at this charger."""
        loop = self.loop_of(charger_id)
        return loop is not None and has_session(loop.state, charger_id)

    def registered(self, charger_id: str) -> bool:
        """`ports.Gate`: whether a boot of this charger was accepted before."""
        known = self.recorder.records.get(charger_id)
        return known is not None and known.accepted

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        """`ports.LateAnswers`."""
        loop = self.loop_of(command.connector.charger_id)
        if loop is not None:
            loop.post(LimitAnswered(command, answer, late=True))

    async def _adopt(self, charger_id: str) -> bool:
        unknown = self._settings.unknown_chargers
        if unknown is None:
            return False
        try:
            async with self._changing:
                # Others may have been adopted, or the station changed, while this one waited.
                if self.loop_of(charger_id) is None:
                    station = self.station(self.default_station_id())
                    adopted = unknown.charger(charger_id)
                    await self._change(replace(station, chargers=(*station.chargers, adopted)))
        except StationError as error:
            self._events.add("", "charger_not_adopted", f"{charger_id}: {error}")
            return False
        return True

    # ------------------------------------------------------------------ stations

    def loop_of(self, charger_id: str) -> StationLoop | None:
        """The loop of the station that has this charger."""
        for loop in self._loops.values():
            if charger_id in loop.state.chargers:
                return loop
        return None

    def station_ids(self) -> list[str]:
        """Every station, in the order they were configured."""
        return list(self._loops)

    def default_station_id(self) -> str:
        """The configured default, or the only station. Raises UnknownStationError."""
        if self._settings.default_station is not None:
            return self._settings.default_station
        if len(self._loops) != 1:
            raise UnknownStationError(
                f"there are {len(self._loops)} stations and none is the default: name one, as in "
                "/stations/{station_id}/…, or set default_station in the settings"
            )
        return next(iter(self._loops))

    def station(self, station_id: str) -> Station:
        """How the station is built. Raises UnknownStationError."""
        return self._loop(station_id).state.station

    def status(self, station_id: str) -> StationStatus:
        """The station at this moment. Raises UnknownStationError."""
        return station_status(self._loop(station_id), self._clock.now())

    def dropped_facts(self) -> int:
        """How many facts no loop took, because too many waited."""
        return sum(loop.dropped for loop in self._loops.values())

    def losses(self) -> Losses:
        """What the store could not keep."""
        return self._store.losses()

    def healthy(self) -> bool:
        """Whether the loops run."""
        return self._tasks is not None

    def sessions(self) -> SessionRequests:
        """Sessions at the request of people and programs."""
        return self._sessions

    def grid_limits(self) -> GridLimits:
        """What may be said and asked of the stations' grid limits at run time."""
        return self._grid

    def commissioning(self) -> Commissioning:
        """The commissioning tests of chargers."""
        return self._commissioning

    def access(self) -> Access:
        """Who may charge: id tokens, the lists of chargers, reservations."""
        return self._access

    def commands(self) -> ChargerCommands:
        """What may be asked of chargers in OCPP's own words."""
        return self._commands

    def knocked(self) -> list[Knock]:
        """Chargers that were refused because no station has them."""
        return self._knocks.all()

    def events(self, after: int = 0) -> list[Event]:
        """What happened, since the event of this number."""
        return self._events.after(after)

    def last_event(self) -> int:
        """The number of the newest event."""
        return self._events.last

    async def configure(self, station: Station) -> None:
        """Change a station, or add one.

        It is kept before it is in force. Sockets stay open, but for those of chargers that are
        gone.

        Raises ConfigurationRefusedError with every reason why the station cannot hold.
        """
        async with self._changing:
            await self._change(station)

    async def _change(self, station: Station) -> None:
        reasons = [*feasibility(station), *self._conflicts(station), *self._grid.conflicts(station)]
        loop = self._loops.get(station.station_id)
        if loop is not None:
            await loop.caught_up()
            reasons += loop.refuses(station)
        if reasons:
            raise ConfigurationRefusedError(reasons)
        if loop is None:
            await self._forget_limits(station.station_id)
        await self._keep_station(station)
        if loop is None:
            await self._run_station(station, await self._store.running())
            return
        gone = {c.charger_id for c in loop.state.station.chargers} - {
            c.charger_id for c in station.chargers
        }
        reasons = await loop.change(station, self.recorder.records)
        if reasons:
            # A session has begun while the change was being kept.
            await self._keep_station(loop.state.station)
            raise ConfigurationRefusedError(reasons)
        for charger_id in gone:
            self._link.disconnect(charger_id, "no longer in the configuration")

    async def remove(self, station_id: str) -> None:
        """Remove a station that was added at run time. Its past sessions are kept.

        Raises UnknownStationError, and ConfigurationRefusedError with every reason against it.
        """
        async with self._changing:
            loop = self._loop(station_id)
            await loop.caught_up()
            reasons = self._reasons_to_stay(loop)
            if not reasons:
                await self._store.remove_station(station_id)
                reasons = self._reasons_to_stay(loop)
                if reasons:
                    # A charger has come while the removal was being kept.
                    await self._keep_station(loop.state.station)
            if reasons:
                raise ConfigurationRefusedError(reasons)
            del self._loops[station_id]
            self._runners.pop(station_id).cancel()
            self._store.write_later(station_id, superseded(loop.ledger.entries()))
            loop.enforcement.forget()
        self._events.add(station_id, "station_removed", station_id)

    async def _forget_limits(self, station_id: str) -> None:
        """What is left of a station of this name that was removed says nothing of its chargers."""
        await self._store.write(station_id, superseded(await self._store.load(station_id)))

    def _reasons_to_stay(self, loop: StationLoop) -> list[str]:
        reasons = []
        if self._files.get(loop.station_id) is not None:
            reasons.append(f"station {loop.station_id} is in a file: remove it there, and restart")
        if loop.station_id == self._settings.default_station:
            reasons.append(f"station {loop.station_id} is the default_station of the settings")
        reasons += [f"connector {s.connector} has a session" for s in loop.state.sessions()]
        reasons += [
            f"charger {charger.charger_id} is connected"
            for charger in loop.state.station.chargers
            if self._link.is_connected(charger.charger_id)
        ]
        return reasons

    def _conflicts(self, station: Station) -> list[str]:
        return [
            f"charger {charger.charger_id} already belongs to station {other.station_id}"
            for charger in station.chargers
            if (other := self.loop_of(charger.charger_id)) is not None
            and other.station_id != station.station_id
        ]

    async def pardon(self, connector: ConnectorKey) -> ConnectorView:
        """Forget what was done about a connector that did not obey, and put it into service.

        Raises UnknownChargerError, UnknownConnectorError.
        """
        loop = self.loop_of(connector.charger_id)
        if loop is None:
            raise UnknownChargerError(f"no station has a charger {connector.charger_id!r}")
        require_connector(loop, connector)
        loop.post(Pardoned(connector))
        await loop.caught_up()
        return self.status(loop.station_id).connector(connector)

    # ------------------------------------------------------------------ inside

    def _loop(self, station_id: str) -> StationLoop:
        loop = self._loops.get(station_id)
        if loop is None:
            raise UnknownStationError(f"no station {station_id!r}")
        return loop
