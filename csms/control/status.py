"""What an operator sees of a station: plain values, taken at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.station.lifecycle import Occupancy
from csms.station.model import ConnectorKey, CurrentType, LimitSource
from csms.station.state import ConnectorStatus


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """A session's newest limit and how far it is known to be in force."""

    value_w: int
    source: LimitSource
    state: EntryState
    sent_at: float


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One running session.

    `allocated_w` is what the balancer wants it to have; `limit` what was sent to the charger;
    `demanded_w` what the vehicle is thought to want; `measured_w` the newest reading.
    """

    session_id: str
    transaction_id: int
    connector: ConnectorKey
    id_token: str
    started_at: float
    allocated_w: int
    allocated_source: LimitSource
    demanded_w: int
    measured_w: int | None
    energy_wh: int
    soc_pct: float | None
    vehicle_max_w: int | None
    limit: LimitStatus | None


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """One connector.

    `occupancy` is what its status and its session mean together; `condition` how far it is under
    control, and `reason` why not (None: it is); `worst_case_w` the most that may be in force there.
    """

    key: ConnectorKey
    current_type: CurrentType
    max_power_w: int
    status: ConnectorStatus
    error_code: str
    occupancy: Occupancy
    condition: Condition
    worst_case_w: int
    session: SessionStatus | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChargerView:
    """One charger and its connectors.

    `awaiting_reboot` are configuration keys it has taken and that count after its next boot;
    `unconfigured` are connectors it says it has and that the configuration does not.
    """

    charger_id: str
    condition: Condition
    connected: bool
    vendor: str
    model: str
    firmware: str
    last_seen_at: float | None
    max_power_w: int
    connectors: tuple[ConnectorView, ...]
    awaiting_reboot: tuple[str, ...] = ()
    unconfigured: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StationStatus:
    """One station.

    `available_w` is the grid limit less static load and reserve; `allocated_w` the sum of what the
    balancer wants; `worst_case_w` the sum of what may be in force; `overcommitted` is whether that
    sum is above `available_w`; `settled` whether every charger has answered and nothing is waiting.
    """

    station_id: str
    at: float
    grid_limit_w: int
    static_load_w: int
    reserve_w: int
    available_w: int
    allocated_w: int
    measured_w: int
    worst_case_w: int
    condition: Condition
    overcommitted: bool
    settled: bool
    chargers: tuple[ChargerView, ...]
    ramp_w_per_min: int | None = None

    def connector(self, key: ConnectorKey) -> ConnectorView:
        """The connector of this key; raises StopIteration when there is none."""
        return next(v for c in self.chargers for v in c.connectors if v.key == key)

    def sessions(self) -> list[SessionStatus]:
        """Every running session, in the order of the configuration."""
        return [v.session for c in self.chargers for v in c.connectors if v.session is not None]
