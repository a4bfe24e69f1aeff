"""What chargers and people told us, in the past tense.

Handlers record facts; only the loop decides. `at` is when csms learned it, UTC epoch seconds; times
a charger claims have names of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from csms.station.grid import GridStep
from csms.station.model import ConnectorKey
from csms.station.register import Register
from csms.station.state import ConnectorStatus


@dataclass(frozen=True, slots=True)
class ChargerConnected:
    """The charger has a live, proven socket."""

    charger_id: str
    at: float


@dataclass(frozen=True, slots=True)
class ChargerDisconnected:
    """The charger's live socket is gone."""

    charger_id: str
    at: float


@dataclass(frozen=True, slots=True)
class ChargerBooted:
    """BootNotification (OCPP 1.6 §4.2): the charger restarted; what it remembers is not known.

    `pending`: it was told to say so again in a while.
    """

    charger_id: str
    at: float
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    pending: bool = False


@dataclass(frozen=True, slots=True)
class ConnectorStatusReported:
    """StatusNotification (OCPP 1.6 §4.9), ordered by receipt: the charger's time is not used."""

    connector: ConnectorKey
    at: float
    status: ConnectorStatus
    error_code: str = "NoError"


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session is durable in the store. `vehicle_max_w` None when nobody declared it.

    `register` is what its readings have come to: more than its start after a restart of csms.
    `told_at` is when it began by the charger's clock, None when it told no usable time.
    """

    at: float
    session_id: str
    transaction_id: int
    connector: ConnectorKey
    id_token: str
    started_at: float
    register: Register
    vehicle_max_w: int | None = None
    told_at: float | None = None


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session's end is durable in the store. `presumed`: its charger has not said so."""

    at: float
    session_id: str
    connector: ConnectorKey
    meter_stop_wh: int | None = None
    reason: str = "Local"
    presumed: bool = False


@dataclass(frozen=True, slots=True)
class MeterSample:
    """One normalised MeterValue (OCPP 1.6 §7.33), in base units; None when not reported.

    `power_w` active import, summed over phases; `energy_wh` active import register; `current_a`
    the largest phase current; `offered_w` what the charger says it offers; `measured_at` the
    charger's own time. `transaction_id` as sent, for attribution only. `context` is the standard's
    ReadingContext (§7.31): what was taken at a transaction's boundary is of then, not of now.
    `by_charger`: its charger wrote it, and not somebody who reports from elsewhere.
    """

    connector: ConnectorKey
    at: float
    measured_at: float | None = None
    power_w: int | None = None
    energy_wh: int | None = None
    current_a: float | None = None
    voltage_v: float | None = None
    offered_w: int | None = None
    soc_pct: float | None = None
    transaction_id: int | None = None
    context: str = "Sample.Periodic"
    by_charger: bool = True


@dataclass(frozen=True, slots=True)
class VehicleMaximumDeclared:
    """Somebody said what the vehicle can take, or with None took it back."""

    connector: ConnectorKey
    at: float
    vehicle_max_w: int | None


@dataclass(frozen=True, slots=True)
class LimitConfirmed:
    """The charger confirmed a limit on the running session of this connector."""

    connector: ConnectorKey
    at: float
    session_id: str
    limit_w: int


@dataclass(frozen=True, slots=True)
class GridLimitGiven:
    """A grid limit was given at run time. `heartbeat_s`: how often its source will be heard from.

    `valid_until` None when the limit holds until another one comes.
    """

    at: float
    limit_w: int
    valid_until: float | None = None
    heartbeat_s: float | None = None


@dataclass(frozen=True, slots=True)
class GridHeartbeat:
    """The source of grid limits is alive."""

    at: float


@dataclass(frozen=True, slots=True)
class GridScheduleGiven:
    """Grid limits were scheduled, in place of those scheduled before. In order of their start."""

    at: float
    steps: tuple[GridStep, ...]


@dataclass(frozen=True, slots=True)
class GridLimitWithdrawn:
    """What was said of the grid limit at run time is no more."""

    at: float


GridFact = GridLimitGiven | GridHeartbeat | GridScheduleGiven | GridLimitWithdrawn

ChargerFact = (
    ChargerConnected
    | ChargerDisconnected
    | ChargerBooted
    | ConnectorStatusReported
    | SessionStarted
    | SessionEnded
    | MeterSample
    | VehicleMaximumDeclared
    | LimitConfirmed
)
Fact = ChargerFact | GridFact
