"""What happened, in words an operator reads. Bounded; also written to the log."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import structlog

from csms.ports import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `number` counts up from 1 and has no gaps."""

    number: int
    at: float
    station_id: str
    kind: str
    text: str


class EventLog:
    """The newest events of all stations."""

    def __init__(self, clock: Clock, capacity: int = 2_000) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=capacity)
        self._last = 0

    def add(self, station_id: str, kind: str, text: str) -> None:
        """Something happened. `kind` is a short word in snake_case."""
        self._last += 1
        self._events.append(Event(self._last, self._clock.now(), station_id, kind, text))
        log.info(kind, station=station_id, what=text)

    def after(self, number: int) -> list[Event]:
        """Every kept event with a larger number, oldest first."""
        return [event for event in self._events if event.number > number]
