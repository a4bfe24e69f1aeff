"""Connectors a charge point keeps for a token (pure). OCPP 1.6 §5.2, §5.13."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Kept:
    """A connector kept for a token, or for any of its group, until `until` (UTC epoch seconds)."""

    reservation_id: int
    connector_id: int
    id_tag: str
    parent: str | None
    until: float

    def is_for(self, id_tag: str, parent: str | None) -> bool:
        """Whether this token may use it."""
        if id_tag.casefold() == self.id_tag.casefold():
            return True
        return self.parent is not None and (parent or "").casefold() == self.parent.casefold()


@dataclass(slots=True)
class Reservations:
    """One reservation a connector, one more of connector 0.

    Connector 0 is any one: its own token uses it up wherever it starts, and it keeps nobody out.
    """

    by_connector: dict[int, Kept] = field(default_factory=dict)

    def add(self, kept: Kept, status: str) -> str:
        """ReserveNow of a connector of this status: a ReservationStatus of §7.37."""
        older = self.by_connector.get(kept.connector_id)
        renewed = older is not None and older.reservation_id == kept.reservation_id
        if status != "Available" and not renewed:
            return status if status in {"Faulted", "Unavailable"} else "Occupied"
        self.by_connector[kept.connector_id] = kept
        return "Accepted"

    def cancel(self, reservation_id: int) -> str:
        """CancelReservation: a CancelReservationStatus of §7.2."""
        for number, kept in self.by_connector.items():
            if kept.reservation_id == reservation_id:
                del self.by_connector[number]
                return "Accepted"
        return "Rejected"

    def expire(self, now: float) -> None:
        """Let time pass."""
        self.by_connector = {n: k for n, k in self.by_connector.items() if k.until > now}

    def use(self, connector_id: int, id_tag: str) -> int | None:
        """A transaction begins: the number of the reservation it uses up, None for none."""
        kept = self.by_connector.pop(connector_id, None)
        anywhere = self.by_connector.get(0)
        if kept is None and anywhere is not None and anywhere.is_for(id_tag, None):
            kept = self.by_connector.pop(0)
        return None if kept is None else kept.reservation_id

    def keeps_out(self, connector_id: int, id_tag: str, parent: str | None) -> bool:
        """Whether this connector is kept for somebody else."""
        kept = self.by_connector.get(connector_id)
        return kept is not None and not kept.is_for(id_tag, parent)
