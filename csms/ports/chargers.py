"""What csms asks chargers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from csms.dispatch.by_hand import Availability, NewKey, Reach
from csms.dispatch.commands import SetLimit
from csms.ports.tokens import LocalListUpdate
from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation


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
    """A charger's answer. `detail` is its status or error text; `payload` the raw CALLRESULT.

    `in_vain`: it waited to be sent until its time was out.
    """

    outcome: Outcome
    detail: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    in_vain: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the charger said yes."""
        return self.outcome is Outcome.ACCEPTED


class ChargerLink(Protocol):
    """Requests to chargers. No method raises for what a charger does or fails to do."""

    def examine(
        self, action: str, payload: Mapping[str, Any], *, force: bool
    ) -> Reach | Availability | NewKey | None:
        """Whether any request may be sent as it is, and what csms must know of it; None: nothing.

        Raises UnknownActionError, and PayloadRefusedError when it is not as the standard has it;
        `force` passes that over, but for what is not JSON.
        """
        ...

    async def call(
        self,
        charger_id: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        on_late: Callable[[Exchange], None] | None = None,
    ) -> Exchange:
        """Send any request that `examine` let pass. `on_late` hears an answer after its time-out.

        What may change limits must be in the ledger before.
        """
        ...

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

    async def change_availability(
        self, charger_id: str, connector_id: int, *, operative: bool
    ) -> Answer:
        """ChangeAvailability (§5.2). `Scheduled`, for the end of a session, counts as accepted."""
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

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """ChangeConfiguration (§5.3). `RebootRequired` counts as accepted.

        `on_sent` hears when it goes on the wire: from then on it may have been done.
        """
        ...

    async def local_list_version(self, charger_id: str) -> Answer:
        """GetLocalListVersion (§5.10). The answer's payload is {"version": n}.

        0 when the list is empty; -1, which is none, counts as unsupported.
        """
        ...

    async def send_local_list(self, charger_id: str, update: LocalListUpdate) -> Answer:
        """SendLocalList (§5.15). The answer's detail is the charger's word, as VersionMismatch."""
        ...

    async def reserve(self, reservation: Reservation) -> Answer:
        """ReserveNow (§5.13). The answer's detail is the charger's word, as Occupied."""
        ...

    async def cancel_reservation(self, charger_id: str, reservation_id: int) -> Answer:
        """CancelReservation (§5.2)."""
        ...


class LateAnswers(Protocol):
    """Who wants to know of answers that came after their time-out."""

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        """The charger did answer this command, late."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it was sent, and how it ended.

    `answer` is the charger's CALLRESULT as it came, None without one; `error_code` and
    `error_text` are those of its CALLERROR. `outcome` is how csms reads it.
    """

    message_id: str
    asked_at: float
    ended_at: float
    outcome: Outcome
    answer: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_text: str = ""

    @property
    def verdict(self) -> Answer:
        """How it ended, in short."""
        return Answer(self.outcome, self.error_text)
