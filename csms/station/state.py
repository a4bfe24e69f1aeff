"""What is true of a station at this moment: connections, statuses, sessions.

Changed only by `csms.station.update.apply`. Times are UTC epoch seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from csms.station.model import ConnectorKey, Station

READINGS_KEPT = 64
LIMITS_KEPT = 8


class ConnectorStatus(StrEnum):
    """OCPP 1.6 §7.7 ChargePointStatus, and UNKNOWN for a connector that has not reported yet."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """A power reading of a session, at the time it was received."""

    at: float
    power_w: int


@dataclass(frozen=True, slots=True)
class LimitStep:
    """From `at` on, the charger has confirmed this limit."""

    at: float
    limit_w: int


@dataclass(slots=True)
class Session:
    """A vehicle on a connector, from plug-in to unplug.

    `transaction_id` is the number the charger knows it by (OCPP 1.6 §4.8). `vehicle_max_w` is what
    somebody declared the vehicle can take; None when nobody did. `started_at` is the charger's
    word, `waiting_since` when csms learned of the session: chargers' clocks are often wrong.
    """

    session_id: str
    transaction_id: int
    connector: ConnectorKey
    id_token: str
    started_at: float
    meter_start_wh: int
    vehicle_max_w: int | None = None
    waiting_since: float = 0.0
    meter_wh: int | None = None
    soc_pct: float | None = None
    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=READINGS_KEPT))
    limits: deque[LimitStep] = field(default_factory=lambda: deque(maxlen=LIMITS_KEPT))

    @property
    def energy_wh(self) -> int:
        """Energy delivered so far, by the charger's register; never negative."""
        return 0 if self.meter_wh is None else max(0, self.meter_wh - self.meter_start_wh)

    @property
    def measured_w(self) -> int | None:
        """The newest power reading, or None when there was none."""
        return self.readings[-1].power_w if self.readings else None


@dataclass(slots=True)
class ConnectorState:
    """One connector: the last status it reported and the session on it, if any."""

    status: ConnectorStatus = ConnectorStatus.UNKNOWN
    error_code: str = "NoError"
    session: Session | None = None


@dataclass(slots=True)
class ChargerState:
    """One charger: whether it is connected, and what it said of itself at boot."""

    connected: bool = False
    last_seen_at: float | None = None
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""


@dataclass(slots=True)
class StationState:
    """A station and everything true of it now."""

    station: Station
    chargers: dict[str, ChargerState] = field(default_factory=dict)
    connectors: dict[ConnectorKey, ConnectorState] = field(default_factory=dict)

    @classmethod
    def of(cls, station: Station) -> StationState:
        """A station in which nothing is known yet."""
        return cls(
            station,
            {c.charger_id: ChargerState() for c in station.chargers},
            {c.key: ConnectorState() for c in station.connectors()},
        )

    def sessions(self) -> list[Session]:
        """Every running session, in the order of the configuration."""
        return [c.session for c in self.connectors.values() if c.session is not None]

    def session(self, session_id: str) -> Session | None:
        """The running session of this id, or None."""
        return next((s for s in self.sessions() if s.session_id == session_id), None)
