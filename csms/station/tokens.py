"""Words about drivers' tokens: how many sessions they may run, and connectors kept for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from csms.station.model import ConnectorKey


class Concurrency(StrEnum):
    """How many sessions may run at the same time: any number, one of a token, one of its group.

    A group is a parent token and every token that has it as its parent.
    """

    ANY = "any"
    ONE_PER_TOKEN = "one_per_token"  # noqa: S105
    ONE_PER_GROUP = "one_per_group"


class ReservationState(StrEnum):
    """How far a reservation has come. One that is active ends by itself when it expires."""

    ACTIVE = "active"
    USED = "used"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A connector kept for a token, or for any of its group (OCPP 1.6 §5.13).

    Connector 0 is any one of the charger. `session_id` is the session that used it up. `state` is
    as it was left: see `state_at`.
    """

    reservation_id: int
    connector: ConnectorKey
    id_token: str
    expires_at: float
    parent_id_token: str | None = None
    state: ReservationState = ReservationState.ACTIVE
    session_id: str | None = None

    def state_at(self, now: float) -> ReservationState:
        """Its state at this moment: an active one has expired once its time has come."""
        if self.state is ReservationState.ACTIVE and self.expires_at <= now:
            return ReservationState.EXPIRED
        return self.state

    def is_for(self, id_token: str, parent_id_token: str | None) -> bool:
        """Whether this token, or one of this group, may use it: case does not count."""
        if id_token.casefold() == self.id_token.casefold():
            return True
        if self.parent_id_token is None or parent_id_token is None:
            return False
        return parent_id_token.casefold() == self.parent_id_token.casefold()


def is_kept_for_others(
    reservations: list[Reservation],
    connector: ConnectorKey,
    id_token: str,
    parent_id_token: str | None,
    *,
    others_free: int,
) -> bool:
    """Whether no session of this token may begin on this connector (§5.13).

    `reservations` are the active ones of its charger, `others_free` how many of the charger's other
    connectors are neither taken nor reserved by number. One reserved by number is kept; of the
    others as many as there are reservations of connector 0.
    """
    here = [r for r in reservations if r.connector == connector]
    if here:
        return not any(r.is_for(id_token, parent_id_token) for r in here)
    kept = [r for r in reservations if r.connector.connector_id == 0]
    if any(r.is_for(id_token, parent_id_token) for r in kept):
        return False
    return len(kept) > others_free


def used_by(
    reservations: list[Reservation],
    connector: ConnectorKey,
    id_token: str,
    parent_id_token: str | None,
    named: int | None,
) -> Reservation | None:
    """The active reservation that a session uses up: the one it names, else one that is for it."""
    for reservation in reservations:
        if reservation.reservation_id == named:
            return reservation
    mine = [
        r for r in reservations if _covers(r, connector) and r.is_for(id_token, parent_id_token)
    ]
    return max(mine, key=lambda r: r.connector.connector_id, default=None)


def _covers(reservation: Reservation, connector: ConnectorKey) -> bool:
    charger_id, connector_id = reservation.connector
    return charger_id == connector.charger_id and connector_id in {0, connector.connector_id}
