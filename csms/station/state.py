"""What is true of a station at this moment: connections, statuses, sessions.

Changed only by `csms.station.update.apply`. Times are UTC epoch seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from csms.station import grid
from csms.station.model import ConnectorKey, Station
from csms.station.register import Register

READINGS_KEPT = 64
LIMITS_KEPT = 8
UNCONFIGURED_KEPT = 16


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
    """A power reading, at the time it was received.

    `measured_at` is the charger's own time for it, None when it gave none: what lay in a queue is
    told by it from what is true now.
    """

    at: float
    power_w: int
    measured_at: float | None = None


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
    register: Register
    vehicle_max_w: int | None = None
    waiting_since: float = 0.0
    soc_pct: float | None = None
    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=READINGS_KEPT))
    limits: deque[LimitStep] = field(default_factory=lambda: deque(maxlen=LIMITS_KEPT))

    @property
    def energy_wh(self) -> int:
        """Energy delivered so far, by the charger's register; never negative."""
        return self.register.energy_wh

    @property
    def metered(self) -> bool:
        """Whether the register was read since the session began."""
        return self.register.last_wh is not None

    @property
    def measured_w(self) -> int | None:
        """The newest power reading, or None when there was none."""
        return self.readings[-1].power_w if self.readings else None


@dataclass(slots=True)
class ConnectorState:
    """One connector: the last status it reported and the session on it, if any.

    `reading` is the newest power measured there and `offered` the newest power the charger says it
    offers, with or without a session. `status_at` is when the status was reported; None when it has
    not been. `changed_at` is when a session last began or ended here, and
    `ended_transaction_id` which transaction ended here last: None when none has.
    """

    status: ConnectorStatus = ConnectorStatus.UNKNOWN
    status_at: float | None = None
    error_code: str = "NoError"
    session: Session | None = None
    reading: Reading | None = None
    offered: Reading | None = None
    changed_at: float | None = None
    ended_transaction_id: int | None = None

    @property
    def offered_w(self) -> int | None:
        """What the charger last said it offers, or None when it never said."""
        return None if self.offered is None else self.offered.power_w


@dataclass(slots=True)
class ChargerState:
    """One charger: whether it is connected, when it last booted, what it said of itself then.

    `unconfigured` are connectors it has reported of and that were not configured then.
    """

    connected: bool = False
    last_seen_at: float | None = None
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    booted_at: float | None = None
    unconfigured: set[int] = field(default_factory=set)

    def introduce(self, vendor: str, model: str, serial: str, firmware: str) -> None:
        """The charger said who it is, now or before a restart of csms."""
        self.vendor, self.model = vendor, model
        self.serial, self.firmware = serial, firmware


@dataclass(slots=True)
class StationState:
    """A station and everything true of it now.

    `station` is as configured: its grid limit is not the one in force (see `in_force`).
    """

    station: Station
    chargers: dict[str, ChargerState] = field(default_factory=dict)
    connectors: dict[ConnectorKey, ConnectorState] = field(default_factory=dict)
    grid: grid.GridState = field(default_factory=grid.GridState)
    _in_force: tuple[Station, Station] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, station: Station) -> StationState:
        """A station in which nothing is known yet."""
        return cls(
            station,
            {c.charger_id: ChargerState() for c in station.chargers},
            {c.key: ConnectorState() for c in station.connectors()},
        )

    def in_force(self, now: float) -> Station:
        """The station with the grid limit in force at `now`.

        The same object as long as neither the limit nor the station changes.
        """
        limit_w = grid.grid_limit(self.station, self.grid, now).limit_w
        known = self._in_force
        if known is None or known[0] is not self.station or known[1].grid_limit_w != limit_w:
            known = (self.station, grid.in_force(self.station, self.grid, now))
            self._in_force = known
        return known[1]

    def unconfigured(self, charger_id: str) -> list[int]:
        """Connectors that this charger says it has and that the configuration does not."""
        reported = self.chargers[charger_id].unconfigured
        return sorted(n for n in reported if ConnectorKey(charger_id, n) not in self.connectors)

    def available_w(self, now: float) -> int:
        """What all connectors together may draw at `now`, by the grid limit in force."""
        return self.in_force(now).available_w

    def sessions(self) -> list[Session]:
        """Every running session, in the order of the configuration."""
        return [c.session for c in self.connectors.values() if c.session is not None]

    def session(self, session_id: str) -> Session | None:
        """The running session of this id, or None."""
        return next((s for s in self.sessions() if s.session_id == session_id), None)

    def session_on(self, key: ConnectorKey) -> Session | None:
        """The session that runs on this connector, or None; also where there is no such one."""
        known = self.connectors.get(key)
        return None if known is None else known.session
