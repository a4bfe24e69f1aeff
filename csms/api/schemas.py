"""The JSON of the API: powers in kW, energies in kWh, times in ISO 8601 (UTC).

Names are those of the seeds' calls. What a charger said of itself is cleaned before it gets here
(`csms.api.render`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic.alias_generators import to_camel

from csms.control.trials import Progress
from csms.dispatch.capability import AtZero, Proof
from csms.dispatch.commands import Kind, Purpose
from csms.dispatch.commissioning import Trial, Verdict
from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.ports import TokenStatus
from csms.station.document import JSON_FORM, Power, PowerOrZero
from csms.station.grid import MAX_STEPS, GridStep
from csms.station.lifecycle import Occupancy
from csms.station.model import ConnectorKey, CurrentType, LimitSource, RateUnit
from csms.station.state import ConnectorStatus
from csms.station.units import kw_to_w

# OCPP 1.6 §7.28: an idTag has at most 20 characters.
TokenText = Annotated[str, Field(strict=True, min_length=1, max_length=20)]
ChargerId = Annotated[str, Field(strict=True, min_length=1, max_length=48)]
ConnectorNumber = Annotated[int, Field(strict=True, ge=1, le=64)]


def _instant(text: str) -> str:
    """The same text. Raises ValueError when it is no moment, or does not say of which time zone."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a time, as in 2026-01-31T17:00:00Z") from None
    if instant.tzinfo is None:
        raise ValueError("must name its time zone: add Z for UTC")
    if not 2000 <= instant.year < 2200:
        raise ValueError("must be in the years 2000 to 2199")
    return text


Instant = Annotated[
    str,
    Field(strict=True, max_length=40, json_schema_extra={"format": "date-time"}),
    AfterValidator(_instant),
]
ValidFor = Annotated[float, Field(strict=True, ge=1, le=31_622_400, allow_inf_nan=False)]
LeaseLength = Annotated[float, Field(strict=True, ge=2, le=3_600, allow_inf_nan=False)]
HeartbeatInterval = Annotated[float, Field(strict=True, ge=1, le=86_400, allow_inf_nan=False)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Asked(BaseModel):
    """What a call takes."""

    model_config = JSON_FORM


class Answered(BaseModel):
    """What a call answers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


# ------------------------------------------------------------------------------ asked


class ConnectorReference(Asked):
    """One connector of one charger; `idx` counts from 1."""

    charger_id: ChargerId
    idx: ConnectorNumber

    def key(self) -> ConnectorKey:
        """The connector in the model's terms."""
        return ConnectorKey(self.charger_id, self.idx)


class StartRequest(Asked):
    """Start a session. Without `vehicleMaxPower` it is learned from the meter what it takes."""

    connector_id: ConnectorReference
    vehicle_max_power: Power | None = None
    id_token: TokenText | None = None

    def connector(self) -> ConnectorKey:
        """The connector to start on."""
        return self.connector_id.key()


class FlatStartRequest(BaseModel):
    """The same in snake_case, without nesting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    charger_id: ChargerId
    connector_id: ConnectorNumber
    vehicle_max_power: Power | None = None
    id_token: TokenText | None = None

    def connector(self) -> ConnectorKey:
        """The connector to start on."""
        return ConnectorKey(self.charger_id, self.connector_id)


def _form(body: object) -> str:
    return "flat" if isinstance(body, dict) and "charger_id" in body else "nested"


START_FORMS = ("nested", "flat")
StartBody = Annotated[
    Annotated[StartRequest, Tag("nested")] | Annotated[FlatStartRequest, Tag("flat")],
    Discriminator(_form),
]


class PowerUpdate(Asked):
    """What a session consumes, as if metered, and optionally a new maximum of its vehicle.

    `vehicleMaxPower` null takes back what was declared: it is learned from the meter again.
    """

    consumed_power: PowerOrZero | None = None
    vehicle_max_power: Power | None = None

    @property
    def forgets_vehicle_max(self) -> bool:
        """Whether what was declared of the vehicle is taken back."""
        return "vehicle_max_power" in self.model_fields_set and self.vehicle_max_power is None

    @model_validator(mode="after")
    def _says_something(self) -> PowerUpdate:
        if self.consumed_power is None and "vehicle_max_power" not in self.model_fields_set:
            raise ValueError("needs consumedPower, vehicleMaxPower or both")
        return self


class GridLimitRequest(Asked):
    """A grid limit in kW, for so many seconds or until another one comes.

    `heartbeatS` promises that its source will be heard from at least every so many seconds.
    """

    limit: PowerOrZero
    valid_for_s: ValidFor | None = None
    heartbeat_s: HeartbeatInterval | None = None


class GridStepJson(Asked):
    """From this moment on: this limit in kW."""

    start: Annotated[Instant, Field(alias="from")]
    limit: PowerOrZero

    def step(self) -> GridStep:
        """The step in the model's terms."""
        start = datetime.fromisoformat(self.start).astimezone(UTC)
        return GridStep(start.timestamp(), kw_to_w(self.limit))


class GridScheduleRequest(Asked):
    """Grid limits in order of their start; the last one holds. An empty list ends the schedule."""

    steps: Annotated[list[GridStepJson], Field(max_length=MAX_STEPS)]


# ------------------------------------------------------------------------------ answered


class Health(Answered):
    """Whether the process does its work, and what was lost of its input since it started.

    `droppedFacts`, `droppedSamples` and `droppedFrames` went because too many waited; `lostRows`
    because the database never took them.
    """

    status: Literal["ok", "failing"]
    dropped_facts: int
    dropped_samples: int
    dropped_frames: int
    lost_rows: int


class Alive(Answered):
    """The process lives."""

    status: Literal["ok"]


class Readiness(Answered):
    """Whether chargers may be sent here, and everything that speaks against it."""

    ready: bool
    reasons: list[str]


class LimitJson(Answered):
    """The newest limit given to the charger: sent, confirmed, refused or unanswered."""

    value: float = Field(description="kW")
    source: LimitSource = Field(description="the constraint that binds")
    state: EntryState = Field(description="how far it is known to be in force")
    sent_at: Time = Field(description="when it was given out")


class SessionJson(Answered):
    """A running session.

    `allocatedPower` is its share, `limit` what the charger was told, `demandedPower` what the
    vehicle is thought to want, `measuredPower` the newest reading.
    """

    session_id: str = Field(description="names the session in this API")
    connector_id: ConnectorReference = Field(description="where it charges")
    allocated_power: float = Field(description="kW: its share of the grid limit now")
    allocated_source: LimitSource = Field(description="the constraint that binds the share")
    vehicle_max_power: float | None = Field(
        description="kW the vehicle takes at most, as declared; null: not declared"
    )
    measured_power: float | None = Field(description="kW: the newest reading; null: none yet")
    demanded_power: float = Field(description="kW the vehicle is thought to want")
    energy: float = Field(description="kWh since the start")
    soc: float | None = Field(description="state of charge in %, if the vehicle tells")
    transaction_id: int = Field(description="its number in OCPP")
    id_token: str = Field(description="the token that started it")
    started_at: Time = Field(description="when the charger says it began")
    limit: LimitJson | None = Field(
        description="the newest limit the charger was given; null: none yet"
    )


class EndedSessionJson(Answered):
    """A past session."""

    session_id: str = Field(description="names the session in this API")
    connector_id: ConnectorReference = Field(description="where it charged")
    transaction_id: int = Field(description="its number in OCPP")
    id_token: str = Field(description="the token that started it")
    id_status: TokenStatus = Field(description="how that token was answered")
    vehicle_max_power: float | None = Field(
        description="kW the vehicle took at most, as declared; null: not declared"
    )
    energy: float = Field(description="kWh")
    meter_start: float = Field(description="kWh on the meter at the start")
    meter_stop: float | None = Field(description="kWh on the meter at the end")
    started_at: Time = Field(description="when the charger says it began")
    estimated: bool = Field(
        description="whether the energy is more than one difference of two readings: the meter "
        "began anew, or its reading at the start or at the end is missing"
    )
    ended_at: Time | None = Field(description="when it ended")
    provisional: bool = Field(
        description="whether csms only presumes that it ended: the charger has not said so yet"
    )
    reason: str | None = Field(
        description="why it ended, in the charger's word (OCPP 1.6 §7.36) or csms's own"
    )


class SessionAnswer(Answered):
    """One running session."""

    session: SessionJson


class EndedSessionAnswer(Answered):
    """One past session."""

    session: EndedSessionJson


class RunningSessions(Answered):
    """Sessions that run."""

    state: Literal["running"] = "running"
    sessions: list[SessionJson]


class EndedSessions(Answered):
    """Past sessions, newest end first. `endedAt` of the last one is `before` of the next page."""

    state: Literal["ended"] = "ended"
    sessions: list[EndedSessionJson]


class ConnectorJson(Answered):
    """One connector.

    `occupancy` is what `status` and the session mean together; `condition` how far the connector is
    under control, and `reason` why not; `worstCase` the most that may be in force there.
    """

    idx: int = Field(description="number of the connector, from 1")
    type: CurrentType = Field(description="kind of current")
    max_power: float = Field(description="kW it gives at most")
    status: ConnectorStatus = Field(description="as the charger reported it last")
    error_code: str = Field(description="as the charger reported it last; NoError: none")
    occupancy: Occupancy = Field(description="what the status and the session mean together")
    condition: Condition = Field(description="how far it is under control")
    reason: str | None = Field(description="why it is not under control; null: it is")
    worst_case: float = Field(description="kW: the most that may be in force there")
    session_id: str | None = Field(description="its running session; null: none")


class ChargerJson(Answered):
    """One charger. `condition` says how far it can be relied on."""

    id: str = Field(description="its OCPP identity")
    connected: bool = Field(description="whether it has a websocket to csms")
    condition: Condition = Field(description="how far it can be relied on")
    vendor: str = Field(description="as it introduced itself")
    model: str = Field(description="as it introduced itself")
    firmware: str = Field(description="as it introduced itself")
    last_seen_at: Time | None = Field(description="when it was heard last; null: never")
    max_power: float = Field(description="kW it gives at most, over all connectors")
    awaiting_reboot: list[str] = Field(
        description="configuration keys it has taken that count after its next boot"
    )
    unconfigured_connectors: list[int] = Field(
        description="connectors it has reported since csms was started and the configuration has "
        "not: csms does not count what they draw"
    )
    connectors: list[ConnectorJson] = Field(description="in order of their numbers")


class StatusJson(Answered):
    """A station at one moment.

    `available` is the grid limit less static load and reserve; `sumWorstCase` the sum of every
    limit that may be in force; `condition` the worst of its chargers; `settled` whether every
    charger has answered.
    """

    station_id: str = Field(description="name of the station")
    at: Time = Field(description="the moment this holds for")
    grid_capacity: float = Field(description="kW: the grid limit in force")
    static_load: float = Field(description="kW of other loads behind the connection")
    reserve: float = Field(description="kW that are never given out")
    max_ramp_kw_per_min: float | None = Field(
        description="kW by which what is given out rises at most in a minute; null: at once"
    )
    available: float = Field(description="kW: grid limit less static load and reserve")
    sum_allocated: float = Field(description="kW: the shares of all sessions")
    sum_measured: float = Field(description="kW: the newest readings of all sessions")
    sum_worst_case: float = Field(description="kW: every limit that may be in force, summed")
    condition: Condition = Field(description="how far the station is under control")
    overcommitted: bool = Field(description="whether sumWorstCase is above available")
    settled: bool = Field(description="whether every charger has answered and nothing is waiting")
    sessions: dict[str, SessionJson] = Field(description="running sessions by id")
    chargers: list[ChargerJson] = Field(description="in the order of the configuration")


class GivenLimitJson(Answered):
    """The limit given last, while it is valid."""

    limit: float
    given_at: str
    valid_until: str | None


class GridLimitJson(Answered):
    """The grid limit in force.

    `source` says which limit that is: configured, given, schedule or failsafe. `awaited` is what
    must come before the fail-safe is left, empty when it does not hold; `silentAt` when the source
    counts as lost if nothing comes; `warnings` why the station could not keep this limit.
    """

    station_id: str
    limit: float
    source: str
    since: str
    next_change_at: str | None
    configured: float
    failsafe: float
    given: GivenLimitJson | None
    awaited: list[str]
    last_sign_at: str | None
    silent_at: str | None
    steps: list[GridStepJson]
    warnings: list[str]


class StationSummary(Answered):
    """One line of the list of stations."""

    station_id: str = Field(description="name of the station")
    is_default: bool = Field(description="whether the short form serves it")
    grid_capacity: float = Field(description="kW: the grid limit")
    sum_allocated: float = Field(description="kW: the shares of all sessions")
    sum_worst_case: float = Field(description="kW: every limit that may be in force, summed")
    sessions: int = Field(description="how many run")
    chargers: int = Field(description="how many there are")
    chargers_connected: int = Field(description="how many have a websocket to csms")


class Stations(Answered):
    """Every station."""

    stations: list[StationSummary]


class KnockJson(Answered):
    """A charger that is in no station, and where it came from last."""

    charger_id: str = Field(description="the identity it came with")
    address: str = Field(description="where it came from last")
    first_at: Time = Field(description="when it came first")
    last_at: Time = Field(description="when it came last")
    count: int = Field(description="how often it came")


class Knocks(Answered):
    """Chargers that were refused."""

    chargers: list[KnockJson]


class FrameJson(Answered):
    """One OCPP-J frame; `direction` as seen from csms."""

    at: Time = Field(description="when it crossed the wire")
    direction: Literal["in", "out"] = Field(description="as seen from csms")
    text: str = Field(description="the frame as it was, control characters replaced")


class Frames(Answered):
    """The newest frames of a charger, oldest first."""

    charger_id: str
    frames: list[FrameJson]


class QuarantinedJson(Answered):
    """One message that was answered but could not be used."""

    at: Time = Field(description="when it came first")
    action: str = Field(description="the OCPP action")
    reason: str = Field(description="why it could not be used")
    payload: str = Field(description="what was sent, as JSON text")


class Quarantine(Answered):
    """The newest messages of a charger that could not be used, oldest first. Each is kept once."""

    charger_id: str
    messages: list[QuarantinedJson]


class EventJson(Answered):
    """One thing that happened."""

    number: int = Field(description="counts up, across restarts too")
    at: Time = Field(description="when it happened")
    station_id: str = Field(description="where; empty: at no station")
    kind: str = Field(description="a word in snake_case")
    text: str = Field(description="what happened")


class Events(Answered):
    """What happened; `last` is `after` of the next request."""

    last: int = Field(description="number of the newest event: `after` of the next request")
    events: list[EventJson] = Field(description="oldest first")


class CommissionRequest(Asked):
    """A vehicle is charging on this connector: try how its charger takes limits."""

    connector: ConnectorNumber = Field(description="number of the connector")
    lease_s: LeaseLength = Field(60.0, description="how long the limit that ends by itself lasts")


class PardonRequest(Asked):
    """Somebody has seen to this connector."""

    connector: ConnectorNumber = Field(description="number of the connector")


class TrialJson(Answered):
    """One trial of a commissioning test."""

    trial: Trial = Field(description="what was tried")
    verdict: Verdict = Field(description="not shown: the readings do not tell")
    why: str = Field(description="what was seen, or why nothing was")
    limit: float | None = Field(description="what was allowed, in kW")
    measured: float | None = Field(description="the most that was measured then, in kW")
    energy: float | None = Field(description="energy taken without a link, in kWh")


class CapabilityJson(Answered):
    """What is known of how the charger takes limits; null: not known yet."""

    lease: Proof = Field(description="its limits end by themselves, with the link cut too")
    survives_reconnect: Proof = Field(description="it keeps its limits without a link")
    survives_reboot: Proof = Field(description="it keeps its limits when it reboots")
    answers: Proof = Field(description="it answers requests")
    at_zero: AtZero = Field(description="what it does with a limit of 0")
    step_a: float = Field(description="steps of its limits, in amperes per phase")
    unit: RateUnit | None = Field(description="the unit of limits, on AC")
    purpose: Purpose | None = Field(description="how the limit of a session is written")
    stack_level: int | None = Field(description="the stack level it is written with")
    periods: int | None = Field(description="the most periods of its schedule")
    kind: Kind | None = Field(description="what the times of its schedule count from")


class CommissionReportJson(Answered):
    """The report of a commissioning test, of one that is running as far as it has come."""

    charger_id: str
    connector: int = Field(description="number of the connector")
    lease_s: float = Field(description="how long the limit that ends by itself lasts")
    state: Progress = Field(description="stopped: by the end of csms or an error; see the log")
    started_at: Time = Field(description="when it began")
    ended_at: Time | None = Field(description="when it ended; null while it runs")
    running: Trial | None = Field(description="the trial that is running")
    passed: bool = Field(description="it is done, and no trial failed")
    trials: list[TrialJson] = Field(description="those that are over, in order")
    capability: CapabilityJson | None = Field(description="what is known at the end")


class FieldProblem(Answered):
    """One bad field."""

    field: str = Field(description="dotted path; (body) for the whole")
    detail: str = Field(description="what is wrong")
    value: str | float | int | bool | None = Field(None, description="what was given, shortened")


class Problem(BaseModel):
    """RFC 9457 problem details. `reasons` is there when a configuration was refused."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="urn:csms: and a word for the kind of error")
    title: str = Field(description="the HTTP status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what was wrong, for people")
    errors: list[FieldProblem] | None = Field(None, description="every bad field, of a 422")
    reasons: list[str] | None = Field(
        None, description="everything that speaks against a configuration, of a 409"
    )
