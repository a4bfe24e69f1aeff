"""All input and output the core needs, as small protocols.

`protocol`, `storage` and `control` implement them; tests implement them with fakes. Nothing here
does anything. Times are UTC epoch seconds, powers watts, energies watt-hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from csms.dispatch.commands import SetLimit
from csms.dispatch.ledger import Entry
from csms.station.facts import ChargerFact, MeterSample
from csms.station.model import ConnectorKey


class Clock(Protocol):
    """The time. `now` never jumps back within one process."""

    def now(self) -> float:
        """UTC epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; only differences mean anything."""
        ...


# ---------------------------------------------------------------------- csms asks chargers


class Outcome(StrEnum):
    """How a request to a charger ended, whether it said so by status, CALLERROR or silence.

    NOT_SENT: it is certain that the charger never saw it.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Answer:
    """A charger's answer. `detail` is its status or error text; `payload` the raw CALLRESULT."""

    outcome: Outcome
    detail: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the charger said yes."""
        return self.outcome is Outcome.ACCEPTED


class ChargerLink(Protocol):
    """Requests to chargers. No method raises for what a charger does or fails to do."""

    def is_connected(self, charger_id: str) -> bool:
        """Whether the charger has a live, proven socket."""
        ...

    def disconnect(self, charger_id: str, reason: str) -> None:
        """Close the charger's socket, if it has one. Does not wait."""
        ...

    async def set_limit(self, command: SetLimit) -> Answer:
        """SetChargingProfile (OCPP 1.6 §5.16).

        TIMEOUT and DISCONNECTED leave open whether it was applied; an answer after the time-out
        goes to `LateAnswers`.
        """
        ...

    async def clear_limits(self, charger_id: str, connector_id: int | None = None) -> Answer:
        """ClearChargingProfile (§5.5). `Unknown` (nothing to clear) counts as accepted."""
        ...

    async def composite_schedule(self, connector: ConnectorKey, duration_s: int) -> Answer:
        """GetCompositeSchedule (§5.7).

        The answer's payload is {"unit": "W" or "A", "limit": the highest of its periods, "phases"
        as far as told}; empty when the charger tells no schedule.
        """
        ...

    async def remote_start(self, connector: ConnectorKey, id_token: str) -> Answer:
        """RemoteStartTransaction (§5.11), always with a connectorId and never with a profile."""
        ...

    async def remote_stop(self, charger_id: str, transaction_id: int) -> Answer:
        """RemoteStopTransaction (§5.12)."""
        ...

    async def reset(self, charger_id: str, *, hard: bool) -> Answer:
        """Reset (§5.14). A soft one ends running sessions in good order first."""
        ...

    async def trigger(self, charger_id: str, message: str, connector_id: int | None) -> Answer:
        """TriggerMessage (§5.17)."""
        ...

    async def get_configuration(self, charger_id: str, keys: Sequence[str]) -> Answer:
        """GetConfiguration (§5.8). Empty `keys` asks for all.

        The answer's payload is {key: value as text}, keys spelt as asked, and `unknownKey`.
        """
        ...

    async def change_configuration(self, charger_id: str, key: str, value: str) -> Answer:
        """ChangeConfiguration (§5.3). `RebootRequired` counts as accepted."""
        ...


class LateAnswers(Protocol):
    """Who wants to know of answers that came after their time-out."""

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        """The charger did answer this command, late."""
        ...


# ---------------------------------------------------------------------- chargers tell csms


class TokenStatus(StrEnum):
    """OCPP 1.6 §7.2 AuthorizationStatus."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


@dataclass(frozen=True, slots=True)
class IdToken:
    """A token a driver identifies with (OCPP 1.6 §7.28 IdToken)."""

    id_token: str
    status: TokenStatus = TokenStatus.ACCEPTED
    expires_at: float | None = None
    parent_id_token: str | None = None


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
    """BootNotification.conf: accepted or not, and the heartbeat (or retry) interval."""

    accepted: bool
    interval_s: int


@dataclass(frozen=True, slots=True)
class StartReport:
    """StartTransaction.req. `timestamp` is the text as sent: part of the replay key."""

    connector: ConnectorKey
    id_token: str
    meter_start_wh: int
    timestamp: str
    started_at: float
    reservation_id: int | None = None


@dataclass(frozen=True, slots=True)
class StartVerdict:
    """StartTransaction.conf. `transaction_id` is real and positive even for a refused token."""

    transaction_id: int
    token: IdToken


@dataclass(frozen=True, slots=True)
class StopReport:
    """StopTransaction.req. `meter_stop_wh` None when the charger sent nothing usable."""

    charger_id: str
    transaction_id: int | None
    meter_stop_wh: int | None
    stopped_at: float
    reason: str = "Local"
    id_token: str | None = None


class Gate(Protocol):
    """Who may connect."""

    def known_as(self, names: Sequence[str]) -> str | None:
        """The configured charger that the first of these names means that means any.

        Names are compared without case where that leaves no doubt. None when all are unknown.
        """
        ...

    async def admit(self, charger_id: str, address: str) -> bool:
        """Whether this charger is known (or may be made so). A refused one is listed as knocked."""
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

    def note(self, charger_id: str, action: str, detail: Mapping[str, Any]) -> None:
        """A message that changes nothing in the model (firmware, diagnostics, data transfer)."""
        ...


# ---------------------------------------------------------------------- csms keeps


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as kept. `ended_at` None while it runs; `id_status` is the verdict at start."""

    session_id: str
    transaction_id: int
    station_id: str
    connector: ConnectorKey
    id_token: str
    id_status: TokenStatus
    started_at: float
    meter_start_wh: int
    start_timestamp: str
    vehicle_max_w: int | None = None
    meter_wh: int | None = None
    ended_at: float | None = None
    meter_stop_wh: int | None = None
    reason: str | None = None

    @property
    def energy_wh(self) -> int:
        """Energy delivered, from the stop register or else the last sample; never negative."""
        last = self.meter_stop_wh if self.meter_stop_wh is not None else self.meter_wh
        return 0 if last is None else max(0, last - self.meter_start_wh)


class SessionStore(Protocol):
    """Sessions, running and ended. A write is durable when its call returns."""

    async def start(self, session: StoredSession) -> StoredSession:
        """Insert, or return the session that is there already.

        The key is (charger, connector, id_token, start_timestamp, meter_start_wh). Raises
        StorageError when `transaction_id` is taken.
        """
        ...

    async def end(
        self, session_id: str, *, ended_at: float, meter_stop_wh: int | None, reason: str
    ) -> StoredSession | None:
        """End it, or return it unchanged when it had ended before; None when there is none."""
        ...

    async def find(self, charger_id: str, transaction_id: int) -> StoredSession | None:
        """The session of this charger with this transaction id."""
        ...

    async def running(self) -> list[StoredSession]:
        """Every session that has not ended, with the newest meter register known."""
        ...

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """Ended sessions of a station, newest end first, those that ended before `before`."""
        ...

    async def declare_vehicle(self, session_id: str, vehicle_max_w: int | None) -> None:
        """Keep what somebody declared the vehicle can take."""
        ...

    def sample(self, session_id: str | None, sample: MeterSample) -> None:
        """Keep a meter sample, soon and in order; never blocks, drops the oldest under overload.

        The session's meter register follows its samples, but never backward.
        """
        ...

    async def samples(self, session_id: str, *, limit: int = 1000) -> list[MeterSample]:
        """The newest samples of a session, oldest first."""
        ...


class LedgerStore(Protocol):
    """Limits that may be in force."""

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        """Insert or replace entries by token. Durable when it returns."""
        ...

    def write_later(self, station_id: str, entries: Sequence[Entry]) -> None:
        """The same, durable soon and in order with `write`, for what nobody waits for.

        Answers and ends of sessions, which free room, and doubt after a boot, which takes room. A
        crash within moments may lose it.
        """
        ...

    async def load(self, station_id: str) -> list[Entry]:
        """Entries that still count, in order of token."""
        ...

    async def last_token(self) -> int:
        """The largest token ever written, 0 when none was."""
        ...


@dataclass(frozen=True, slots=True)
class ChargerRecord:
    """What is remembered of a charger between connections."""

    charger_id: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    accepted: bool = False
    last_seen_at: float | None = None


ModelKey = tuple[str, str, str]
"""Vendor, model and firmware of a charger, as it reports them when it boots."""


class StationStore(Protocol):
    """Station configurations, grid limits, charger records, id tokens and capabilities."""

    async def save_station(self, station_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def load_stations(self) -> dict[str, dict[str, Any]]:
        """Every station document by station id."""
        ...

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace what was said of a grid limit at run time. Durable when it returns."""
        ...

    async def load_grid(self, station_id: str) -> dict[str, Any] | None:
        """What was said of the grid limit of this station, None when nothing ever was."""
        ...

    async def remove_station(self, station_id: str) -> None:
        """Delete the document, if there is one. Durable when it returns."""
        ...

    async def save_charger(self, record: ChargerRecord) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def load_chargers(self) -> dict[str, ChargerRecord]:
        """Every charger record by charger id."""
        ...

    async def save_token(self, token: IdToken) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def load_token(self, id_token: str) -> IdToken | None:
        """The token, compared without regard to case (OCPP 1.6 §7.28 CiString20)."""
        ...

    async def save_capability(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace what was learned of a charger. Durable when it returns."""
        ...

    async def load_capabilities(self) -> dict[str, dict[str, Any]]:
        """What was learned of every charger, by charger id."""
        ...

    async def save_model_capability(self, model: ModelKey, document: Mapping[str, Any]) -> None:
        """Insert or replace what is known of a charger model. Durable when it returns."""
        ...

    async def load_model_capabilities(self) -> dict[ModelKey, dict[str, Any]]:
        """What is known of every charger model."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One OCPP-J frame as it crossed the wire. `inbound` is seen from csms."""

    charger_id: str
    at: float
    inbound: bool
    text: str


class FrameLog(Protocol):
    """The newest frames of every charger, bounded."""

    def frame(self, frame: Frame) -> None:
        """Keep it, soon; never blocks, drops the oldest under overload."""
        ...

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        """The newest frames of a charger, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Losses:
    """What a store could not keep since it was opened.

    `samples` and `frames` went because too many waited, `rows` because the database never took
    them.
    """

    samples: int = 0
    frames: int = 0
    rows: int = 0


class Store(SessionStore, LedgerStore, StationStore, FrameLog, Protocol):
    """Everything that survives, in one place."""

    def losses(self) -> Losses:
        """What could not be kept."""
        ...

    async def open(self) -> None:
        """Make ready; raises StorageError when the database cannot be used."""
        ...

    async def close(self) -> None:
        """Write what is queued, then let go."""
        ...
