"""Which socket is the charger: at most one is live, and it is the newest that proved itself.

A charger redials while its old connection is half open, and anybody can dial with its name. So a
second socket is only a candidate until it has sent a request, or the live one is gone or silent.
The change-over is one step: nobody ever sees two live sockets, or none, for a charger that has one.
No I/O, no waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog

from csms.ports import Clock
from csms.station.facts import ChargerConnected, ChargerDisconnected

log = structlog.get_logger(__name__)

MOST_CANDIDATES = 3
"""Sockets of one charger that wait to become live; beyond it the oldest is closed."""

CLOSE_REPLACED = 1008


class Contender(Protocol):
    """What the registry knows of a connection."""

    @property
    def charger_id(self) -> str:
        """Who it says it is."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close without waiting. May call `Registry.left` at once."""
        ...


C = TypeVar("C", bound=Contender)


class Registry(Generic[C]):
    """The live connection of every charger, and the candidates.

    `record` gets ChargerConnected on every change-over and ChargerDisconnected when a charger is
    left without a connection.
    """

    def __init__(
        self, record: Callable[[ChargerConnected | ChargerDisconnected], None], clock: Clock
    ) -> None:
        self._record = record
        self._clock = clock
        self._live: dict[str, C] = {}
        self._candidates: dict[str, list[C]] = {}

    def live(self, charger_id: str) -> C | None:
        """The charger's live connection, or None."""
        return self._live.get(charger_id)

    def __len__(self) -> int:
        return len(self._live)

    def arrived(self, connection: C) -> C | None:
        """A new connection, a candidate for now. Returns the live one it stands against."""
        candidates = self._candidates.setdefault(connection.charger_id, [])
        candidates.append(connection)
        if len(candidates) > MOST_CANDIDATES:
            candidates[0].close(CLOSE_REPLACED, "too many connections")
        return self._live.get(connection.charger_id)

    def promote(self, connection: C, why: str) -> None:
        """Make a candidate the live one. Does nothing for a connection that is not a candidate."""
        charger_id = connection.charger_id
        if connection not in self._candidates.get(charger_id, ()):
            return
        self._forget_candidate(connection)
        old = self._live.get(charger_id)
        self._live[charger_id] = connection
        log.info("charger_connected", charger_id=charger_id, why=why, replaced=old is not None)
        self._record(ChargerConnected(charger_id, self._clock.now()))
        if old is not None:
            old.close(CLOSE_REPLACED, "replaced by a newer connection")

    def left(self, connection: C) -> None:
        """A connection is of no more use. Only the live one's end matters to anybody."""
        charger_id = connection.charger_id
        self._forget_candidate(connection)
        if self._live.get(charger_id) is not connection:
            return
        candidates = self._candidates.get(charger_id)
        if candidates:
            self.promote(candidates[-1], "the old connection ended")
            return
        del self._live[charger_id]
        log.info("charger_disconnected", charger_id=charger_id)
        self._record(ChargerDisconnected(charger_id, self._clock.now()))

    def _forget_candidate(self, connection: C) -> None:
        candidates = self._candidates.get(connection.charger_id)
        if candidates is None or connection not in candidates:
            return
        candidates.remove(connection)
        if not candidates:
            del self._candidates[connection.charger_id]
