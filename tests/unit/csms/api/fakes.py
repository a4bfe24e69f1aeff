"""A station that does what it is told: the API's `Operations` without chargers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from fastapi import FastAPI

from csms.api.app import create_api
from csms.control.admission import Knock
from csms.control.authorization import TokenPolicy
from csms.control.charger_security import ChargerSecurity, KeyChange
from csms.control.events import Event
from csms.control.grid_limits import GridStatus
from csms.control.local_lists import ListState, ListStatus
from csms.control.status import (
    ChargerView,
    ConnectorView,
    LimitStatus,
    SessionStatus,
    StationStatus,
)
from csms.control.tokens import Tokens
from csms.control.trials import Progress, Report
from csms.dispatch.capability import Capability, Proof
from csms.dispatch.commands import Form, Purpose
from csms.dispatch.commissioning import Finding, Result, Trial, Verdict
from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.errors import UnknownSessionError, UnknownStationError
from csms.ports import (
    ChargerReport,
    Exchange,
    Frame,
    Losses,
    Outcome,
    Quarantined,
    SecurityEvent,
    SecurityProfile,
    StoredSession,
    TokenStatus,
    Topic,
)
from csms.station.document import parse_station
from csms.station.grid import GivenLimit, GridLimit, GridLimitSource, GridStep
from csms.station.lifecycle import Occupancy
from csms.station.model import ConnectorKey, CurrentType, LimitSource, RateUnit, Station
from csms.station.state import ConnectorStatus
from csms.station.tokens import Reservation
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fakes import FakeClock

DOCUMENT: dict[str, Any] = {
    "stationId": "S1",
    "gridCapacity": 400.0,
    "chargers": [{"id": "CP001", "maxPower": 200.0, "connectors": 2}],
    "staticLoad": 3.0,
}
STARTED_AT = 1_700_000_000.25
LIMIT = LimitStatus(133_333, LimitSource.GRID, EntryState.CONFIRMED, STARTED_AT + 1)
RUNNING = SessionStatus(
    session_id="a1",
    transaction_id=77,
    connector=ConnectorKey("CP001", 1),
    id_token="CSMS",  # noqa: S106
    started_at=STARTED_AT,
    allocated_w=133_333,
    allocated_source=LimitSource.GRID,
    demanded_w=150_000,
    measured_w=131_000,
    energy_wh=1_234,
    soc_pct=45.5,
    vehicle_max_w=150_000,
    limit=LIMIT,
)
ENDED = StoredSession(
    session_id="b2",
    transaction_id=78,
    station_id="S1",
    connector=ConnectorKey("CP001", 2),
    id_token="CARD",  # noqa: S106
    id_status=TokenStatus.ACCEPTED,
    started_at=STARTED_AT,
    meter_start_wh=1_000,
    start_timestamp="2023-11-14T22:13:20Z",
    ended_at=STARTED_AT + 60,
    meter_stop_wh=3_500,
    reason="Remote",
    stop_timestamp="2023-11-14T22:14:20Z",
)
STATUS = StationStatus(
    station_id="S1",
    at=STARTED_AT + 2,
    grid_limit_w=400_000,
    static_load_w=3_000,
    reserve_w=0,
    available_w=397_000,
    allocated_w=133_333,
    measured_w=131_000,
    worst_case_w=150_000,
    condition=Condition.CONTROLLED,
    overcommitted=False,
    settled=True,
    chargers=(
        ChargerView(
            charger_id="CP001",
            condition=Condition.CONTROLLED,
            connected=True,
            vendor="Acme",
            model="X",
            firmware="1.0",
            last_seen_at=STARTED_AT,
            max_power_w=200_000,
            connectors=(
                ConnectorView(
                    ConnectorKey("CP001", 1),
                    CurrentType.DC,
                    200_000,
                    ConnectorStatus.CHARGING,
                    "NoError",
                    Occupancy.CHARGING,
                    Condition.CONTROLLED,
                    150_000,
                    RUNNING,
                ),
                ConnectorView(
                    ConnectorKey("CP001", 2),
                    CurrentType.DC,
                    200_000,
                    ConnectorStatus.AVAILABLE,
                    "NoError",
                    Occupancy.FREE,
                    Condition.CONTROLLED,
                    0,
                    None,
                ),
            ),
        ),
    ),
    ramp_w_per_min=30_000,
)


REPORT = Report(
    ConnectorKey("CP001", 1),
    60.0,
    STARTED_AT,
    Progress.DONE,
    STARTED_AT + 600,
    results=(
        Result(Trial.LOW, Finding(Verdict.PASSED, "held at the limit", 40_000, 39_500)),
        Result(Trial.OFFLINE, Finding(Verdict.NOT_SHOWN, "as it was", 40_000, energy_wh=1_250)),
    ),
    capability=Capability(
        lease=Proof.YES, session_form=Form(Purpose.SESSION, RateUnit.WATTS), unit=RateUnit.WATTS
    ),
)

GRID_STATUS = GridStatus(
    limit=GridLimit(100_000, GridLimitSource.GIVEN, STARTED_AT),
    configured_w=400_000,
    failsafe_w=50_000,
    given=GivenLimit(100_000, STARTED_AT, STARTED_AT + 60),
    next_change_at=STARTED_AT + 30,
    awaited=(),
    last_sign_at=STARTED_AT,
    silent_at=STARTED_AT + 120,
    schedule=(GridStep(STARTED_AT + 30, 80_500),),
    warnings=("too little",),
)


@dataclass
class FakeGridLimits:
    """Answers `snapshot`; raises `error`."""

    snapshot: GridStatus = GRID_STATUS
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def status(self, station_id: str) -> GridStatus:
        return self._ask("status", station_id)

    async def give(
        self,
        station_id: str,
        limit_w: int,
        *,
        valid_for_s: float | None = None,
        heartbeat_s: float | None = None,
    ) -> GridStatus:
        return self._ask("give", station_id, limit_w, valid_for_s, heartbeat_s)

    async def heartbeat(self, station_id: str) -> GridStatus:
        return self._ask("heartbeat", station_id)

    async def schedule(self, station_id: str, steps: Sequence[GridStep]) -> GridStatus:
        return self._ask("schedule", station_id, *steps)

    async def withdraw(self, station_id: str) -> GridStatus:
        return self._ask("withdraw", station_id)

    def _ask(self, *what: Any) -> GridStatus:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return self.snapshot


@dataclass
class FakeCommissioning:
    """Answers `reports` in turn, the last one for ever; raises `error`."""

    reports: list[Report] = field(default_factory=lambda: [REPORT])
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def start(self, connector: ConnectorKey, lease_s: float) -> Report:
        return self._next("start", connector, lease_s)

    def report(self, charger_id: str) -> Report:
        return self._next("report", charger_id)

    def _next(self, *what: Any) -> Report:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]


LIST_STATUS = ListStatus(
    "CP001", ListState.REFUSED, 7, 3, 1, enabled=True, detail="Failed", at=STARTED_AT
)


@dataclass
class FakeLocalLists:
    """Answers `snapshot`; raises `error`."""

    snapshot: ListStatus = LIST_STATUS
    error: Exception | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def status(self, charger_id: str) -> ListStatus:
        return self._ask("status", charger_id)

    async def sync(self, charger_id: str) -> ListStatus:
        return self._ask("sync", charger_id)

    def _ask(self, what: str, charger_id: str) -> ListStatus:
        self.asked.append((what, charger_id))
        if self.error is not None:
            raise self.error
        return self.snapshot


RESERVATION = Reservation(7, ConnectorKey("CP001", 0), "ANNA", STARTED_AT, "FAMILY")


@dataclass
class FakeReservations:
    """Answers `made`; raises `error`."""

    made: Reservation = RESERVATION
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def of(self, charger_id: str) -> list[Reservation]:
        return [self._ask("of", charger_id)]

    async def reserve(
        self,
        connector: ConnectorKey,
        id_token: str,
        expires_at: float,
        parent_id_token: str | None = None,
    ) -> Reservation:
        return self._ask("reserve", connector, id_token, expires_at, parent_id_token)

    async def cancel(self, charger_id: str, reservation_id: int) -> Reservation:
        return self._ask("cancel", charger_id, reservation_id)

    def _ask(self, *what: Any) -> Reservation:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return self.made


@dataclass
class FakeAccess:
    """Who may charge: tokens are the real thing on a store in memory."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    local_lists: FakeLocalLists = field(default_factory=FakeLocalLists)
    reservations: FakeReservations = field(default_factory=FakeReservations)

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.store, self.clock, TokenPolicy(), lambda _charger, _token: False)


EXCHANGE = Exchange("m7", STARTED_AT, STARTED_AT + 0.5, Outcome.ACCEPTED, {"status": "Accepted"})


@dataclass
class FakeCommands:
    """Answers `exchange`; raises `error`. Requests are counted from 501."""

    exchange: Exchange = EXCHANGE
    error: Exception | None = None
    said: list[ChargerReport] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def call(
        self, charger_id: str, action: str, payload: Mapping[str, Any], *, force: bool = False
    ) -> Exchange:
        self.asked.append((charger_id, action, payload, force))
        if self.error is not None:
            raise self.error
        return self.exchange

    def new_request_id(self) -> int:
        return 501

    def reports(self, charger_id: str, topic: Topic) -> Sequence[ChargerReport]:
        return [r for r in self.said if (r.charger_id, r.topic) == (charger_id, topic)]


@dataclass
class FakeOperations:
    """Answers from its fields; raises `error` in whatever is asked of a charger or a station."""

    stations: dict[str, Station] = field(
        default_factory=lambda: {"S1": parse_station(DOCUMENT, "fake")}
    )
    default: str | None = "S1"
    snapshot: StationStatus = STATUS
    well: bool = True
    error: Exception | None = None
    past: list[StoredSession] = field(default_factory=lambda: [ENDED])
    knocks: list[Knock] = field(default_factory=list)
    journal: list[Event] = field(default_factory=list)
    lost: Losses = field(default_factory=Losses)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    grid: FakeGridLimits = field(default_factory=FakeGridLimits)
    tests: FakeCommissioning = field(default_factory=FakeCommissioning)
    who: FakeAccess = field(default_factory=FakeAccess)
    orders: FakeCommands = field(default_factory=FakeCommands)

    def healthy(self) -> bool:
        return self.well

    def dropped_facts(self) -> int:
        return self.lost.rows

    def losses(self) -> Losses:
        return self.lost

    def station_ids(self) -> list[str]:
        return list(self.stations)

    def default_station_id(self) -> str:
        if self.default is None:
            raise UnknownStationError("there are 2 stations and none is the default")
        return self.default

    def station(self, station_id: str) -> Station:
        self.ask("station", station_id)
        if station_id not in self.stations:
            raise UnknownStationError(f"no station {station_id!r}")
        return self.stations[station_id]

    def status(self, station_id: str) -> StationStatus:
        self.station(station_id)
        return replace(self.snapshot, station_id=station_id)

    async def configure(self, station: Station) -> None:
        self.ask("configure", station)
        self.stations[station.station_id] = station

    async def remove(self, station_id: str) -> None:
        self.ask("remove", station_id)
        del self.stations[station_id]

    def sessions(self) -> FakeSessions:
        return FakeSessions(self)

    def grid_limits(self) -> FakeGridLimits:
        return self.grid

    def commissioning(self) -> FakeCommissioning:
        return self.tests

    def commands(self) -> FakeCommands:
        return self.orders

    def access(self) -> FakeAccess:
        return self.who

    async def pardon(self, connector: ConnectorKey) -> ConnectorView:
        self.ask("pardon", connector)
        return self.status(self.station_ids()[0]).connector(connector)

    def knocked(self) -> Sequence[Knock]:
        return self.knocks

    def events(self, after: int = 0) -> Sequence[Event]:
        return [e for e in self.journal if e.number > after]

    def last_event(self) -> int:
        return self.journal[-1].number if self.journal else 1_000

    def ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error


@dataclass
class FakeSessions:
    """Answers what there is; what is asked, and what is raised, is up to the whole."""

    of: FakeOperations

    async def start(
        self,
        station_id: str,
        connector: ConnectorKey,
        *,
        vehicle_max_w: int | None = None,
        id_token: str | None = None,
    ) -> SessionStatus:
        self.of.ask("start", station_id, connector, vehicle_max_w, id_token)
        return RUNNING

    async def stop(self, station_id: str, session_id: str) -> StoredSession:
        self.of.ask("stop", station_id, session_id)
        return ENDED

    async def update_power(
        self,
        station_id: str,
        session_id: str,
        *,
        consumed_w: int | None = None,
        vehicle_max_w: int | None = None,
        forget_vehicle_max: bool = False,
    ) -> SessionStatus:
        declared = "forgotten" if forget_vehicle_max else vehicle_max_w
        self.of.ask("update", station_id, session_id, consumed_w, declared)
        if session_id != RUNNING.session_id:
            raise UnknownSessionError(f"no session {session_id!r}")
        return RUNNING

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        self.of.ask("ended", station_id, limit, before)
        return self.of.past[:limit]


@dataclass
class FakeArchive:
    """Frames and messages that were kept."""

    kept: list[Frame] = field(default_factory=list)
    aside: list[Quarantined] = field(default_factory=list)

    def frame(self, frame: Frame) -> None:
        self.kept.append(frame)

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        return [f for f in self.kept if f.charger_id == charger_id][-limit:]

    async def quarantine(self, item: Quarantined) -> bool:
        self.aside.append(item)
        return True

    async def quarantined(self, charger_id: str, *, limit: int = 200) -> list[Quarantined]:
        return [q for q in self.aside if q.charger_id == charger_id][-limit:]


SECURITY = ChargerSecurity(
    "CP001",
    SecurityProfile.TLS_BASIC,
    has_key=True,
    pending_keys=1,
    common_name=None,
    changed_at=STARTED_AT,
)
SECURITY_EVENT = SecurityEvent(
    STARTED_AT, "authentication_failed", "CP9", "10.0.0.9", "a wrong key\x00", 7
)


@dataclass
class FakeSecurity:
    """Answers its fields; raises `error`."""

    known: ChargerSecurity = SECURITY
    happened: list[SecurityEvent] = field(default_factory=lambda: [SECURITY_EVENT])
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def of(self, charger_id: str) -> ChargerSecurity:
        self._ask("of", charger_id)
        return self.known

    async def configure(
        self,
        charger_id: str,
        profile: SecurityProfile,
        *,
        key: str | None = None,
        common_name: str | None = None,
    ) -> ChargerSecurity:
        self._ask("configure", charger_id, profile, key, common_name)
        return self.known

    async def change_key(self, charger_id: str, key: str | None = None) -> KeyChange:
        self._ask("change_key", charger_id, key)
        return KeyChange(self.known, key or "made up", Outcome.ACCEPTED)

    async def events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        self._ask("events", charger_id, limit, before)
        return self.happened

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error


@dataclass
class FakeVitals:
    """How a process is, as the test says."""

    lag: float = 0.0
    reasons: list[str] = field(default_factory=list)

    def lag_s(self) -> float:
        return self.lag

    async def unready(self) -> list[str]:
        return self.reasons


@dataclass
class Api:
    """The API on the fakes, and a client of it. The app is built once; `reset` makes all new."""

    operations: FakeOperations
    archive: FakeArchive
    security: FakeSecurity
    vitals: FakeVitals
    app: FastAPI

    @classmethod
    def build(cls) -> Api:
        operations, archive, security = FakeOperations(), FakeArchive(), FakeSecurity()
        vitals = FakeVitals()
        app = create_api(operations, archive, security, vitals)
        return cls(operations, archive, security, vitals, app)

    def reset(self) -> None:
        vars(self.operations).update(vars(FakeOperations()))
        vars(self.archive).update(vars(FakeArchive()))
        vars(self.security).update(vars(FakeSecurity()))
        vars(self.vitals).update(vars(FakeVitals()))

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
            return await client.request(method, path, **options)

    async def get(self, path: str) -> Any:
        answer = await self.request("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def problem(self, status: int, method: str, path: str, **options: Any) -> Any:
        answer = await self.request(method, path, **options)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert document["status"] == status
        return document
