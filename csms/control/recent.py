"""Sessions that have just been kept: the loop may not know of them yet."""

from __future__ import annotations

from csms.ports import StoredSession

RECENT_KEPT = 10_000


class RecentSessions:
    """The ids of the sessions kept last, by charger and transaction; bounded, the oldest go."""

    def __init__(self, capacity: int = RECENT_KEPT) -> None:
        self._capacity = capacity
        self._ids: dict[tuple[str, int], str] = {}

    def add(self, session: StoredSession) -> None:
        """Remember a session."""
        key = (session.connector.charger_id, session.transaction_id)
        self._ids.pop(key, None)
        self._ids[key] = session.session_id
        if len(self._ids) > self._capacity:
            del self._ids[next(iter(self._ids))]

    def find(self, charger_id: str, transaction_id: int | None) -> str | None:
        """The id of the session, None when it is not remembered or no transaction is named."""
        if transaction_id is None:
            return None
        return self._ids.get((charger_id, transaction_id))
