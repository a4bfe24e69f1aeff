"""What is going on at a connector: what its charger reports, held against what csms knows.

The session decides whether a connector is taken: it ends with StopTransaction and nothing else
(OCPP 1.6 §4.10), as a status may be late, lost or wrong. The status decides what the session does.
One table, so that no case is left to chance.
"""

from __future__ import annotations

from enum import StrEnum

from csms.station.state import ConnectorState, ConnectorStatus


class Occupancy(StrEnum):
    """What is going on at a connector."""

    FREE = "free"
    PREPARING = "preparing"
    CHARGING = "charging"
    SUSPENDED = "suspended"
    FINISHING = "finishing"
    RESERVED = "reserved"
    OUT_OF_ORDER = "out_of_order"


TABLE: dict[tuple[ConnectorStatus, bool], Occupancy] = {
    # (status, has a session)
    (ConnectorStatus.AVAILABLE, False): Occupancy.FREE,
    (ConnectorStatus.PREPARING, False): Occupancy.PREPARING,
    # Charging or suspended with no session: a StartTransaction is on its way, or was lost.
    (ConnectorStatus.CHARGING, False): Occupancy.CHARGING,
    (ConnectorStatus.SUSPENDED_EVSE, False): Occupancy.SUSPENDED,
    (ConnectorStatus.SUSPENDED_EV, False): Occupancy.SUSPENDED,
    (ConnectorStatus.FINISHING, False): Occupancy.FINISHING,
    (ConnectorStatus.RESERVED, False): Occupancy.RESERVED,
    (ConnectorStatus.UNAVAILABLE, False): Occupancy.OUT_OF_ORDER,
    (ConnectorStatus.FAULTED, False): Occupancy.OUT_OF_ORDER,
    # Not reported since csms or the charger started: nothing speaks against it.
    (ConnectorStatus.UNKNOWN, False): Occupancy.FREE,
    # Available or reserved with a session: the StopTransaction is on its way, or was lost.
    (ConnectorStatus.AVAILABLE, True): Occupancy.FINISHING,
    (ConnectorStatus.PREPARING, True): Occupancy.PREPARING,
    (ConnectorStatus.CHARGING, True): Occupancy.CHARGING,
    (ConnectorStatus.SUSPENDED_EVSE, True): Occupancy.SUSPENDED,
    (ConnectorStatus.SUSPENDED_EV, True): Occupancy.SUSPENDED,
    (ConnectorStatus.FINISHING, True): Occupancy.FINISHING,
    (ConnectorStatus.RESERVED, True): Occupancy.FINISHING,
    (ConnectorStatus.UNAVAILABLE, True): Occupancy.OUT_OF_ORDER,
    (ConnectorStatus.FAULTED, True): Occupancy.OUT_OF_ORDER,
    # After a restart of csms, until the charger speaks: as it was.
    (ConnectorStatus.UNKNOWN, True): Occupancy.CHARGING,
}

STARTABLE = frozenset(
    {Occupancy.FREE, Occupancy.PREPARING, Occupancy.FINISHING, Occupancy.RESERVED}
)
"""Where a session may be started remotely, if there is none. The charger has the last word
(OCPP 1.6 §5.11): with nothing plugged in it waits for a vehicle; a vehicle still there after a
session may charge again; a reserved connector serves the token it is reserved for."""


def occupancy(connector: ConnectorState) -> Occupancy:
    """What is going on at this connector."""
    return TABLE[connector.status, connector.session is not None]


def may_start(connector: ConnectorState) -> bool:
    """Whether a session may be started remotely on this connector."""
    return connector.session is None and occupancy(connector) in STARTABLE
