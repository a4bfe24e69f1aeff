"""Every error csms raises on purpose.

CsmsError
├── ConfigError                 a configuration cannot be used; names the field and the value
├── StationError                a person or a program asked for something that cannot be done
│   ├── UnknownStationError     no such station
│   ├── UnknownChargerError     no such charger in the station
│   ├── UnknownConnectorError   no such connector on the charger
│   ├── UnknownSessionError     no such session, running or ended
│   ├── ConnectorOccupiedError  the connector already has a session
│   ├── IdTokenRefusedError     the id token may not charge
│   ├── UnknownTokenError       no such id token in the store
│   ├── TokenExistsError        there is an id token of this name already
│   ├── UnknownReservationError the charger has no such reservation
│   ├── ReservationRefusedError a reservation cannot be made; says why
│   ├── ChargerOfflineError     the charger is not connected
│   ├── ChargerRefusedError     the charger answered no
│   ├── ChargerSilentError      the charger did not answer or did not act in time
│   ├── UnknownActionError      OCPP 1.6 has no such request to a charger
│   ├── PayloadRefusedError     a request to a charger is not as the standard has it
│   ├── LimitRefusedError       a charging profile sent by hand does not fit; says why
│   ├── NotPardonedError        csms has taken the connector out of service: pardon it first
│   ├── ConfigurationRefusedError  a new station configuration cannot hold; lists every reason
│   ├── GridFailSafeError       the limit source is lost: only the source itself ends the fail-safe
│   ├── CommissioningRefusedError  a commissioning test cannot begin; says why
│   ├── KeyRefusedError         a key or security profile cannot be set so; says why
│   └── NeverCommissionedError  there is no report of a commissioning test of this charger
├── CertificateRefusedError     a certificate that was asked for is not signed; says why
├── StorageError                the database could not take or give what was asked
│   └── IdTakenError            an id that was made up is in use already: try another
└── ProtocolError               a frame cannot be served; knows its OCPP-J error code
"""

from __future__ import annotations

from collections.abc import Sequence


class CsmsError(Exception):
    """The root of every error csms raises on purpose."""


class ConfigError(CsmsError):
    """A configuration cannot be used.

    `problems` are (place, what is wrong) pairs; a place is `chargers[0] (CP001).maxPower`, empty
    when what is wrong says itself where.
    """

    def __init__(self, origin: str, problems: Sequence[tuple[str, str]]) -> None:
        self.origin = origin
        self.problems = tuple(problems)
        lines = [f"  {place}: {what}" if place else f"  {what}" for place, what in self.problems]
        super().__init__("\n".join([f"{origin}: the configuration cannot be used", *lines]))


class StationError(CsmsError):
    """Something asked of a station cannot be done."""


class UnknownStationError(StationError):
    """No station has this id."""


class UnknownChargerError(StationError):
    """No charger in the station has this id."""


class UnknownConnectorError(StationError):
    """The charger has no connector of this number."""


class UnknownSessionError(StationError):
    """No session has this id."""


class ConnectorOccupiedError(StationError):
    """The connector already has a session, or one is being started on it."""


class IdTokenRefusedError(StationError):
    """The id token is unknown, blocked or expired: a session with it would get no power."""


class UnknownTokenError(StationError):
    """No id token has this name."""


class TokenExistsError(StationError):
    """There is an id token of this name already."""


class UnknownReservationError(StationError):
    """The charger has no reservation of this number."""


class ReservationRefusedError(StationError):
    """A reservation cannot be made as it was asked for."""


class ChargerOfflineError(StationError):
    """The charger is not connected."""


class ChargerRefusedError(StationError):
    """The charger answered, and the answer was no."""


class ChargerSilentError(StationError):
    """The charger did not answer, or did not do what it promised, in time."""


class UnknownActionError(StationError):
    """OCPP 1.6 has no such action that a central system may ask of a charger."""


class PayloadRefusedError(StationError):
    """A request to a charger is not as the standard has it.

    `faults` are (field, what is wrong, value) triples.
    """

    def __init__(self, action: str, faults: Sequence[tuple[str, str, object]]) -> None:
        self.faults = tuple(faults)
        named = "; ".join(f"{field}: {what}" for field, what, _ in self.faults[:3])
        super().__init__(f"{action}: {named}")


class LimitRefusedError(StationError):
    """What a charging profile sent by hand may let through does not fit beside the others."""


class NotPardonedError(StationError):
    """A connector that did not obey is out of service until it is pardoned."""


class ConfigurationRefusedError(StationError):
    """A new station configuration cannot hold. `reasons` is all that speaks against it."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


class GridFailSafeError(StationError):
    """The station is in fail-safe, which is left only on a heartbeat and a new grid limit."""


class CommissioningRefusedError(StationError):
    """A commissioning test of the charger cannot begin now."""


class KeyRefusedError(StationError):
    """A key or a security profile cannot be set so, or not now."""


class NeverCommissionedError(StationError):
    """No commissioning test of the charger has been begun since csms started."""


class CertificateRefusedError(CsmsError):
    """A certificate that a charger asked for is not signed."""


class StorageError(CsmsError):
    """The database could not take or give what was asked."""


class IdTakenError(StorageError):
    """An id that was made up for something new is in use already."""


class ProtocolError(CsmsError):
    """A frame cannot be served.

    `code` is an OCPP-J 1.6 error code (OCPP-J 1.6 §4.2.3, table 7), in that standard's spelling.
    """

    def __init__(self, code: str, description: str = "") -> None:
        self.code = code
        self.description = description
        super().__init__(f"{code}: {description}" if description else code)
