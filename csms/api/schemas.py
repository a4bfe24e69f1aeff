"""The JSON of the API: powers in kW, energies in kWh, times in ISO 8601 (UTC).

Names are those of the seeds' calls. What a charger said of itself is cleaned before it gets here
(`csms.api.render`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic.alias_generators import to_camel

from csms.station.document import JSON_FORM, Power, PowerOrZero
from csms.station.model import ConnectorKey

# OCPP 1.6 §7.28: an idTag has at most 20 characters.
TokenText = Annotated[str, Field(strict=True, min_length=1, max_length=20)]
ChargerId = Annotated[str, Field(strict=True, min_length=1, max_length=48)]
ConnectorNumber = Annotated[int, Field(strict=True, ge=1, le=64)]


class _Asked(BaseModel):
    model_config = JSON_FORM


class _Json(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


# ------------------------------------------------------------------------------ asked


class ConnectorReference(_Asked):
    """One connector of one charger; `idx` counts from 1."""

    charger_id: ChargerId
    idx: ConnectorNumber

    def key(self) -> ConnectorKey:
        """The connector in the model's terms."""
        return ConnectorKey(self.charger_id, self.idx)


class StartRequest(_Asked):
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


class PowerUpdate(_Asked):
    """What a session consumes, as if metered, and optionally a new maximum of its vehicle."""

    consumed_power: PowerOrZero | None = None
    vehicle_max_power: Power | None = None

    @model_validator(mode="after")
    def _says_something(self) -> PowerUpdate:
        if self.consumed_power is None and self.vehicle_max_power is None:
            raise ValueError("needs consumedPower, vehicleMaxPower or both")
        return self


# ------------------------------------------------------------------------------ answered


class Health(_Json):
    """Whether the process does its work."""

    status: Literal["ok", "failing"]


class LimitJson(_Json):
    """The newest limit given to the charger: sent, confirmed, refused or unanswered."""

    value: float
    source: str
    state: str
    sent_at: str


class SessionJson(_Json):
    """A running session.

    `allocatedPower` is its share, `limit` what the charger was told, `demandedPower` what the
    vehicle is thought to want, `measuredPower` the newest reading.
    """

    session_id: str
    connector_id: ConnectorReference
    allocated_power: float
    allocated_source: str
    vehicle_max_power: float | None
    measured_power: float | None
    demanded_power: float
    energy: float
    soc: float | None
    transaction_id: int
    id_token: str
    started_at: str
    limit: LimitJson | None


class EndedSessionJson(_Json):
    """A past session."""

    session_id: str
    connector_id: ConnectorReference
    transaction_id: int
    id_token: str
    id_status: str
    vehicle_max_power: float | None
    energy: float
    meter_start: float
    meter_stop: float | None
    started_at: str
    ended_at: str | None
    reason: str | None


class SessionAnswer(_Json):
    """One running session."""

    session: SessionJson


class EndedSessionAnswer(_Json):
    """One past session."""

    session: EndedSessionJson


class RunningSessions(_Json):
    """Sessions that run."""

    state: Literal["running"] = "running"
    sessions: list[SessionJson]


class EndedSessions(_Json):
    """Past sessions, newest end first. `endedAt` of the last one is `before` of the next page."""

    state: Literal["ended"] = "ended"
    sessions: list[EndedSessionJson]


class ConnectorJson(_Json):
    """One connector. `worstCase` is the most that may be in force there."""

    idx: int
    type: str
    max_power: float
    status: str
    error_code: str
    worst_case: float
    session_id: str | None


class ChargerJson(_Json):
    """One charger. `condition` says how far it can be relied on."""

    id: str
    connected: bool
    condition: str
    vendor: str
    model: str
    firmware: str
    last_seen_at: str | None
    max_power: float
    connectors: list[ConnectorJson]


class StatusJson(_Json):
    """A station at one moment.

    `available` is the grid limit less static load and reserve; `sumWorstCase` the sum of every
    limit that may be in force; `settled` whether every charger has answered.
    """

    station_id: str
    at: str
    grid_capacity: float
    static_load: float
    reserve: float
    available: float
    sum_allocated: float
    sum_measured: float
    sum_worst_case: float
    overcommitted: bool
    settled: bool
    sessions: dict[str, SessionJson]
    chargers: list[ChargerJson]


class StationSummary(_Json):
    """One line of the list of stations."""

    station_id: str
    is_default: bool
    grid_capacity: float
    sum_allocated: float
    sum_worst_case: float
    sessions: int
    chargers: int
    chargers_connected: int


class Stations(_Json):
    """Every station."""

    stations: list[StationSummary]


class KnockJson(_Json):
    """A charger that is in no station, and where it came from last."""

    charger_id: str
    address: str
    first_at: str
    last_at: str
    count: int


class Knocks(_Json):
    """Chargers that were refused."""

    chargers: list[KnockJson]


class FrameJson(_Json):
    """One OCPP-J frame; `direction` as seen from csms."""

    at: str
    direction: Literal["in", "out"]
    text: str


class Frames(_Json):
    """The newest frames of a charger, oldest first."""

    charger_id: str
    frames: list[FrameJson]


class EventJson(_Json):
    """One thing that happened."""

    number: int
    at: str
    station_id: str
    kind: str
    text: str


class Events(_Json):
    """What happened; `last` is `after` of the next request."""

    last: int
    events: list[EventJson]


class FieldProblem(_Json):
    """One bad field."""

    field: str
    detail: str
    value: str | float | int | bool | None = None


class Problem(BaseModel):
    """RFC 9457 problem details. `reasons` is there when a configuration was refused."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    reasons: list[str] | None = None
