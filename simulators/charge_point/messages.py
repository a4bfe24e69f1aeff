"""What a charge point has to tell its central system, before it is written as OCPP (pure).

Times are UTC epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulators.charge_point.meter import Reading
from simulators.charge_point.profiles import RunningTransaction


class Status(StrEnum):
    """OCPP 1.6 §7.7 ChargePointStatus, as far as a simulated charge point has it."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


@dataclass(slots=True, eq=False)
class Transaction:
    """One transaction. Messages about it hold this object, so that its id is known when they leave.

    `transaction_id` is None until StartTransaction was answered (§4.8); `stopped_by` is the token
    that was shown to end it.
    """

    connector_id: int
    id_tag: str
    started_at: float
    meter_start_wh: int
    transaction_id: int | None = None
    stopped_at: float | None = None
    meter_stop_wh: int | None = None
    reason: str = "Local"
    reservation_id: int | None = None
    stopped_by: str | None = None

    def as_running(self) -> RunningTransaction:
        """What the profile stack must know of it."""
        return RunningTransaction(self.transaction_id, self.started_at)

    @property
    def wire_id(self) -> int:
        """Its id on the wire: -1 for one that csms never gave a number (errata 3.18)."""
        return -1 if self.transaction_id is None else self.transaction_id


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """StatusNotification (§4.9)."""

    connector_id: int
    status: Status
    at: float
    error_code: str = "NoError"


@dataclass(frozen=True, slots=True)
class TokenPresented:
    """Authorize (§4.1) for a token shown at a connector; `to_end`: to end its transaction."""

    connector_id: int
    id_tag: str
    to_end: bool = False


@dataclass(frozen=True, slots=True)
class TransactionBegun:
    """StartTransaction (§4.8)."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class MeterSampled:
    """MeterValues (§4.7). `transaction` None for a sample nobody is charged for."""

    connector_id: int
    transaction: Transaction | None
    reading: Reading
    at: float
    context: str = "Sample.Periodic"


@dataclass(frozen=True, slots=True)
class TransactionOver:
    """StopTransaction (§4.10)."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class DiagnosticsProgress:
    """DiagnosticsStatusNotification (§4.4)."""

    status: str


@dataclass(frozen=True, slots=True)
class FirmwareProgress:
    """FirmwareStatusNotification (§4.5), or its signed form when there is a request id."""

    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class LogProgress:
    """LogStatusNotification (security white paper §5)."""

    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """SecurityEventNotification (security white paper §5)."""

    kind: str
    at: float


@dataclass(frozen=True, slots=True)
class CertificateWanted:
    """SignCertificate (security white paper §5)."""

    csr: str


@dataclass(frozen=True, slots=True)
class HeartbeatDue:
    """Heartbeat (§4.6)."""


@dataclass(frozen=True, slots=True)
class BootDue:
    """BootNotification (§4.2)."""


Report = DiagnosticsProgress | FirmwareProgress | LogProgress | SecurityEvent | CertificateWanted
"""Told of firmware, logs and security."""

Message = (
    StatusChanged
    | TokenPresented
    | TransactionBegun
    | MeterSampled
    | TransactionOver
    | Report
    | HeartbeatDue
    | BootDue
)


def kept_offline(message: Message) -> bool:
    """Whether a message is transaction-related: queued while offline, in order (§3.7)."""
    if isinstance(message, MeterSampled):
        return message.transaction is not None
    return isinstance(message, TransactionBegun | TransactionOver)
