"""All stations of one process.

Starts their loops, finds the one a charger belongs to, and does what people and programs ask.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from csms.balancing.allocators import max_min
from csms.balancing.demand import DemandPolicy
from csms.control.admission import Knock, KnockList
from csms.control.balancer import Balancer
from csms.control.events import Event, EventLog
from csms.control.recorder import RecorderSettings, StationRecorder
from csms.control.remote import RemoteRequests
from csms.control.station_loop import LimitAnswered, LoopSettings, StationLoop
from csms.control.status import SessionStatus, StationStatus
from csms.control.view import session_status, station_status
from csms.dispatch.commands import SetLimit
from csms.dispatch.ledger import Ledger
from csms.errors import (
    ChargerOfflineError,
    ConfigurationRefusedError,
    ConnectorOccupiedError,
    IdTokenRefusedError,
    StationError,
    UnknownChargerError,
    UnknownConnectorError,
    UnknownSessionError,
    UnknownStationError,
)
from csms.ports import Answer, ChargerLink, Clock, IdToken, Store, StoredSession, TokenStatus
from csms.station.document import dump_station, feasibility, parse_station
from csms.station.facts import MeterSample, SessionStarted, VehicleMaximumDeclared
from csms.station.lifecycle import may_start
from csms.station.model import Charger, Connector, ConnectorKey, CurrentType, Station
from csms.station.state import Session, StationState
from csms.station.update import apply


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


class Supervisor:
    """The stations of this process. `ports.Gate` and `ports.LateAnswers`; what the API calls."""

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        store: Store,
        link: ChargerLink,
        clock: Clock,
        settings: SupervisorSettings,
    ) -> None:
        self._configured = list(stations)
        self._store = store
        self._link = link
        self._clock = clock
        self._settings = settings
        self._loops: dict[str, StationLoop] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._runners: list[asyncio.Task[None]] = []
        self._files: dict[str, dict[str, Any] | None] = {}
        self._tokens = itertools.count(1)
        self._knocks = KnockList()
        self._changing = asyncio.Lock()
        self._events = EventLog(clock)
        self._remote = RemoteRequests(link, settings.remote_timeout_s)
        self.recorder = StationRecorder(
            store, clock, self._events, self._remote, self.loop_of, settings.recorder
        )

    # ------------------------------------------------------------------ life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load what was kept and run every station's loop until the block is left."""
        self.recorder.records = await self._store.load_chargers()
        self._tokens = itertools.count(await self._store.last_token() + 1)
        running = await self._store.running()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for station in await self._stations():
                await self._run_station(station, running)
            try:
                yield
            finally:
                self._tasks = None
                for runner in self._runners:
                    runner.cancel()

    async def _stations(self) -> list[Station]:
        """The stations to run: as changed at runtime, unless their file has been changed since.

        The database keeps, for each station, the document in force and the file's document that it
        came from (None for a station that was added at runtime).
        """
        kept = await self._store.load_stations()
        stations: list[Station] = []
        for station in self._configured:
            from_file = dump_station(station)
            old = kept.pop(station.station_id, {})
            in_force = old.get("in_force", from_file)
            if old.get("file") != from_file:
                in_force = from_file
            self._files[station.station_id] = from_file
            stations.append(parse_station(in_force, f"station {station.station_id} as kept"))
            await self._keep_station(stations[-1])
        for station_id, document in kept.items():
            # One whose file is gone stays out; configured again, it is a station of the database.
            if document["file"] is None:
                stations.append(
                    parse_station(document["in_force"], f"station {station_id} as kept")
                )
        return stations

    async def _keep_station(self, station: Station) -> None:
        document = {
            "in_force": dump_station(station),
            "file": self._files.get(station.station_id),
        }
        await self._store.save_station(station.station_id, document)

    async def _run_station(self, station: Station, running: Sequence[StoredSession]) -> None:
        assert self._tasks is not None
        state = StationState.of(station)
        self._restore(state, running)
        entries = await self._store.load(station.station_id)
        ledger = Ledger(station, entries, self.recorder.records)
        sessions = {s.session_id for s in state.sessions()}
        for entry in list(ledger.entries()):
            if entry.session_id is not None and entry.session_id not in sessions:
                over = ledger.end_session(entry.connector, entry.session_id)
                self._store.write_later(station.station_id, over)
        loop = StationLoop(
            state,
            ledger,
            Balancer(max_min.allocate, self._settings.demand, self._settings.loop.dispatch),
            link=self._link,
            store=self._store,
            clock=self._clock,
            events=self._events,
            tokens=self._tokens,
            settings=self._settings.loop,
        )
        self._loops[station.station_id] = loop
        self._runners.append(self._tasks.create_task(loop.run()))

    def _restore(self, state: StationState, running: Sequence[StoredSession]) -> None:
        for stored in running:
            if stored.connector in state.connectors and stored.id_status is TokenStatus.ACCEPTED:
                apply(state, _as_started(stored))
                if stored.meter_wh is not None:
                    apply(
                        state,
                        MeterSample(stored.connector, stored.started_at, energy_wh=stored.meter_wh),
                    )
        for charger_id, known in self.recorder.records.items():
            charger = state.chargers.get(charger_id)
            if charger is not None:
                charger.vendor, charger.model = known.vendor, known.model
                charger.serial, charger.firmware = known.serial, known.firmware
                charger.last_seen_at = known.last_seen_at

    # ------------------------------------------------------------------ ports

    async def admit(self, charger_id: str, address: str) -> bool:
        """`ports.Gate`: chargers of a configuration, and others when they are to be accepted."""
        if self.loop_of(charger_id) is None and not await self._adopt(charger_id):
            self._knocks.add(charger_id, address, self._clock.now())
            return False
        self._knocks.forget(charger_id)
        await self.recorder.remember(charger_id)
        return True

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
                f"there are {len(self._loops)} stations and none is the default: "
                "name one, as in /stations/{station_id}/…"
            )
        return next(iter(self._loops))

    def station(self, station_id: str) -> Station:
        """How the station is built. Raises UnknownStationError."""
        return self._loop(station_id).state.station

    def status(self, station_id: str) -> StationStatus:
        """The station at this moment. Raises UnknownStationError."""
        return station_status(self._loop(station_id), self._clock.now())

    def healthy(self) -> bool:
        """Whether the loops run."""
        return self._tasks is not None

    def knocked(self) -> list[Knock]:
        """Chargers that were refused because no station has them."""
        return self._knocks.all()

    def events(self, after: int = 0) -> list[Event]:
        """What happened, since the event of this number."""
        return self._events.after(after)

    async def configure(self, station: Station) -> None:
        """Change a station, or add one.

        It is kept before it is in force. Sockets stay open, but for those of chargers that are
        gone.

        Raises ConfigurationRefusedError with every reason why the station cannot hold.
        """
        async with self._changing:
            await self._change(station)

    async def _change(self, station: Station) -> None:
        reasons = [*feasibility(station), *self._conflicts(station)]
        loop = self._loops.get(station.station_id)
        if loop is not None:
            await loop.caught_up()
            reasons += loop.refuses(station)
        if reasons:
            raise ConfigurationRefusedError(reasons)
        await self._keep_station(station)
        if loop is None:
            await self._run_station(station, await self._store.running())
            return
        gone = {c.charger_id for c in loop.state.station.chargers} - {
            c.charger_id for c in station.chargers
        }
        reasons = await loop.change(station)
        if reasons:
            # A session has begun while the change was being kept.
            await self._keep_station(loop.state.station)
            raise ConfigurationRefusedError(reasons)
        for charger_id in gone:
            self._link.disconnect(charger_id, "no longer in the configuration")

    def _conflicts(self, station: Station) -> list[str]:
        return [
            f"charger {charger.charger_id} already belongs to station {other.station_id}"
            for charger in station.chargers
            if (other := self.loop_of(charger.charger_id)) is not None
            and other.station_id != station.station_id
        ]

    # ------------------------------------------------------------------ sessions

    async def start_session(
        self,
        station_id: str,
        connector: ConnectorKey,
        *,
        vehicle_max_w: int | None = None,
        id_token: str | None = None,
    ) -> SessionStatus:
        """Start a session from afar; returns when the charger has started it and it has a share.

        Raises UnknownStationError, UnknownChargerError, UnknownConnectorError,
        ConnectorOccupiedError, IdTokenRefusedError, ChargerOfflineError, ChargerRefusedError,
        ChargerSilentError.
        """
        loop = self._loop(station_id)
        _require_connector(loop, connector)
        if not self._link.is_connected(connector.charger_id):
            raise ChargerOfflineError(f"charger {connector.charger_id} is not connected")
        if not may_start(loop.state.connectors[connector]):
            raise ConnectorOccupiedError(f"connector {connector} has a session or cannot take one")
        if id_token is not None:
            token = await self.recorder.authorize(connector.charger_id, id_token)
            if token.status is not TokenStatus.ACCEPTED:
                raise IdTokenRefusedError(f"id token {id_token!r} is {token.status.value}")
        session_id = await self._remote.start(
            connector, id_token or self._settings.operator_id, vehicle_max_w
        )
        return await self._session_status(loop, session_id)

    async def stop_session(self, station_id: str, session_id: str) -> StoredSession:
        """Stop a session from afar; returns it as kept, ended.

        Raises UnknownStationError, UnknownSessionError, ChargerOfflineError, ChargerRefusedError,
        ChargerSilentError.
        """
        loop = self._loop(station_id)
        session = _session(loop, session_id)
        charger_id = session.connector.charger_id
        if not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")
        await self._remote.stop(charger_id, session.transaction_id, session_id)
        await loop.caught_up()
        stored = await self._store.find(charger_id, session.transaction_id)
        if stored is None:
            raise UnknownSessionError(f"session {session_id} is not in the journal")
        return stored

    async def update_power(
        self,
        station_id: str,
        session_id: str,
        *,
        consumed_w: int | None = None,
        vehicle_max_w: int | None = None,
    ) -> SessionStatus:
        """Take a report of consumption as if it had been metered, and a new vehicle maximum.

        Raises UnknownStationError, UnknownSessionError.
        """
        loop = self._loop(station_id)
        session = _session(loop, session_id)
        now = self._clock.now()
        if vehicle_max_w is not None:
            await self._store.declare_vehicle(session_id, vehicle_max_w)
            loop.post(VehicleMaximumDeclared(session.connector, now, vehicle_max_w))
        if consumed_w is not None:
            self.recorder.record(MeterSample(session.connector, now, power_w=consumed_w))
        return await self._session_status(loop, session_id)

    async def ended_sessions(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """Past sessions, newest end first. Raises UnknownStationError."""
        self._loop(station_id)
        return await self._store.ended(station_id, limit=limit, before=before)

    async def add_tokens(self, tokens: Sequence[IdToken]) -> None:
        """Keep id tokens, replacing those of the same name."""
        for token in tokens:
            await self._store.save_token(token)

    # ------------------------------------------------------------------ inside

    def _loop(self, station_id: str) -> StationLoop:
        loop = self._loops.get(station_id)
        if loop is None:
            raise UnknownStationError(f"no station {station_id!r}")
        return loop

    async def _session_status(self, loop: StationLoop, session_id: str) -> SessionStatus:
        await loop.caught_up()
        return session_status(loop, _session(loop, session_id))


def _require_connector(loop: StationLoop, key: ConnectorKey) -> None:
    charger = loop.state.station.charger(key.charger_id)
    if charger is None:
        raise UnknownChargerError(f"station {loop.station_id} has no charger {key.charger_id!r}")
    if key not in loop.state.connectors:
        raise UnknownConnectorError(
            f"charger {key.charger_id} has no connector {key.connector_id}; "
            f"it has {len(charger.connectors)}"
        )


def _session(loop: StationLoop, session_id: str) -> Session:
    session = loop.state.session(session_id)
    if session is None:
        raise UnknownSessionError(
            f"station {loop.station_id} has no running session {session_id!r}"
        )
    return session


def _as_started(stored: StoredSession) -> SessionStarted:
    return SessionStarted(
        at=stored.started_at,
        session_id=stored.session_id,
        transaction_id=stored.transaction_id,
        connector=stored.connector,
        id_token=stored.id_token,
        started_at=stored.started_at,
        meter_start_wh=stored.meter_start_wh,
        vehicle_max_w=stored.vehicle_max_w,
    )
