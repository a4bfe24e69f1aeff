"""What chargers tell csms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from csms.ports.tokens import IdToken
from csms.station.facts import ChargerFact
from csms.station.model import ConnectorKey


@dataclass(frozen=True, slots=True)
class BootReport:
    """BootNotification.req, cut to what csms keeps."""

    charger_id: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class BootVerdict:
    """BootNotification.conf: accepted or not, and the heartbeat (or retry) interval.

    `pending`: not accepted yet, it shall boot again after the interval.
    """

    accepted: bool
    interval_s: int
    pending: bool = False


@dataclass(frozen=True, slots=True)
class StartReport:
    """StartTransaction.req. `timestamp` is the text as sent: part of the replay key.

    `meter_start_wh` None when the charger sent nothing usable. `timed`: `started_at` is the time
    that the charger told; else it told nothing that can be one, and this is when the report came.
    """

    connector: ConnectorKey
    id_token: str
    meter_start_wh: int | None
    timestamp: str
    started_at: float
    reservation_id: int | None = None
    timed: bool = True


@dataclass(frozen=True, slots=True)
class StartVerdict:
    """StartTransaction.conf. `transaction_id` is real and positive even for a refused token."""

    transaction_id: int
    token: IdToken


@dataclass(frozen=True, slots=True)
class StopReport:
    """StopTransaction.req. `meter_stop_wh` None when the charger sent nothing usable.

    `timestamp` is the text as sent, "" for none; `payload` all that was sent, for the quarantine.
    """

    charger_id: str
    transaction_id: int | None
    meter_stop_wh: int | None
    stopped_at: float
    reason: str = "Local"
    id_token: str | None = None
    timestamp: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Gate(Protocol):
    """Which chargers there are. Who somebody is, is the doorkeeper's question."""

    def known_as(self, names: Sequence[str]) -> str | None:
        """The configured charger that the first of these names means that means any.

        Names are compared without case where that leaves no doubt. None when all are unknown.
        """
        ...

    async def admit(self, charger_id: str, address: str) -> bool:
        """Whether this charger is known (or may be made so). A refused one is listed as knocked."""
        ...

    def turned_away(self, charger_id: str, address: str) -> None:
        """Somebody called so could not prove it: listed as knocked when no station has it."""
        ...

    def has_session(self, charger_id: str) -> bool:
        """Whether a session runs at this charger: it goes first when too many come at once."""
        ...

    def registered(self, charger_id: str) -> bool:
        """Whether an earlier BootNotification of this charger was accepted.

        A reconnect need not boot again (OCPP-J 1.6 §5.4).
        """
        ...


class Recorder(Protocol):
    """Where protocol handlers record what chargers say; durable when it returns where said so."""

    def now(self) -> float:
        """UTC epoch seconds."""
        ...

    async def boot(self, report: BootReport) -> BootVerdict:
        """A charger booted."""
        ...

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        """A driver asks to charge. The answer's status is the verdict."""
        ...

    async def start_session(self, report: StartReport) -> StartVerdict:
        """Durable when it returns; the same report again gets the same verdict."""
        ...

    async def stop_session(self, report: StopReport) -> IdToken | None:
        """Durable when it returns. None when no token came with the stop.

        Never fails for what a charger sends.
        """
        ...

    def record(self, fact: ChargerFact) -> None:
        """Anything that need not be durable before it is answered."""
        ...

    async def sign(self, charger_id: str, request_pem: str) -> bool:
        """Whether a certificate the charger asks for is signed; it is sent to it in a moment."""
        ...

    async def report(self, report: ChargerReport) -> None:
        """Something an operator reads of this charger. Kept when it returns, if it can be kept.

        Never fails: what the database does not take is known until csms stops.
        """
        ...

    def note(self, charger_id: str, action: str, detail: Mapping[str, Any]) -> None:
        """A message that changes nothing in the model (data transfer, what cannot be read)."""
        ...


class Topic(StrEnum):
    """What a charger reports on beside charging.

    DIAGNOSTICS is OCPP 1.6 §4.4, FIRMWARE §4.5 and its signed form, LOG and SECURITY are those of
    the security white paper.
    """

    DIAGNOSTICS = "diagnostics"
    FIRMWARE = "firmware"
    LOG = "log"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class ChargerReport:
    """How far a charger has come with a task, or a security event.

    `what` is the status or the kind of the event. `at` is when csms heard of it, `told_at` the
    charger's own time. `request_id` names the request of csms it belongs to.
    """

    charger_id: str
    topic: Topic
    what: str
    at: float
    info: str = ""
    told_at: float | None = None
    request_id: int | None = None
