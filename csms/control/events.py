"""What happened, in words an operator reads. Bounded; also written to the log."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import structlog

from csms.ports import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `number` counts up, across restarts too."""

    number: int
    at: float
    station_id: str
    kind: str
    text: str


class EventLog:
    """The newest events of all stations, `capacity` of each kind.

    Of each kind, so that a charger that talks all the time does not push out what matters. `last`
    is the number of the newest event. Numbers begin at the milliseconds of the clock, so that
    someone who asks for what is new also gets what happened after a restart.
    """

    def __init__(self, clock: Clock, capacity: int = 500) -> None:
        self._clock = clock
        self._capacity = capacity
        self._events: dict[str, deque[Event]] = {}
        self.last = int(clock.now() * 1_000)

    def add(self, station_id: str, kind: str, text: str) -> None:
        """Something happened. `kind` is a short word in snake_case, one of a few."""
        self.last += 1
        of_kind = self._events.setdefault(kind, deque(maxlen=self._capacity))
        of_kind.append(Event(self.last, self._clock.now(), station_id, kind, text))
        log.info(kind, station=station_id, what=text)

    def after(self, number: int) -> list[Event]:
        """Every kept event with a larger number, oldest first."""
        in_order = heapq.merge(*self._events.values(), key=lambda event: event.number)
        return [event for event in in_order if event.number > number]
