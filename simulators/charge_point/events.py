"""What happened at simulated chargers, for people, tests and programs that watch (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, `at` scenario seconds. `connector` is `ID/n`, or empty."""

    at: float
    name: str
    charger_id: str = ""
    connector: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The event as one flat JSON object, without empty fields."""
        entry: dict[str, Any] = {"t": round(self.at, 3), "event": self.name}
        if self.charger_id:
            entry["charger"] = self.charger_id
        if self.connector:
            entry["connector"] = self.connector
        return entry | self.detail


Watcher = Callable[[Event], None]


def nobody(event: Event) -> None:
    """Watch nothing."""
