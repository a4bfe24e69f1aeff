"""The one word an operator reads: how far a connector, a charger or a station is under control.

One table. A charger is in the worst condition of its connectors, a station in the worst of its
chargers, or OVERCOMMITTED when more may be in force than it may draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """How far something is under control, best first. F-numbers are those of the fault model.

    - CONTROLLED: its limits are confirmed and nothing speaks against their being obeyed.
    - NEVER_SEEN: never connected. It counts at its configured fallback.
    - REGISTERING: it has just connected, or restarted, and confirms its fallbacks (F6, F8).
    - OFFLINE_RESERVED: not connected. It counts at its last limit until its lease has run out, and
      at its fallback from then on, charging or not (F7, F9).
    - UNCERTAIN: it counts at a limit that was refused or not answered, as that may be in force all
      the same (F1-F4).
    - UNCONTROLLED: no fallback is confirmed (F4, F6), or it draws more than any limit allows, or
      delivers without a session, or has not been seen to obey since (F5), or it is known to forget
      its limits. It counts at its hardware maximum.
    - OVERCOMMITTED: more may be in force than may be drawn, after a cut of the limit (F14), the
      loss of its source (F15), or a charger that has come to count for more. Everything that can be
      lowered is.
    """

    CONTROLLED = "CONTROLLED"
    NEVER_SEEN = "NEVER_SEEN"
    REGISTERING = "REGISTERING"
    OFFLINE_RESERVED = "OFFLINE_RESERVED"
    UNCERTAIN = "UNCERTAIN"
    UNCONTROLLED = "UNCONTROLLED"
    OVERCOMMITTED = "OVERCOMMITTED"


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of one connector.

    `connected`, `seen`: its charger is, or has ever been. `registering`: it became doubtful a
    moment ago and may still be confirming its fallbacks. `confirmed`: its fallback is. `doubtful`:
    it counts at a limit that was refused or not answered. `suspected`: it counts for more than any.
    """

    connected: bool
    seen: bool = True
    registering: bool = False
    confirmed: bool = True
    doubtful: bool = False
    suspected: bool = False


TABLE: tuple[tuple[Condition, Callable[[Signs], bool]], ...] = (
    (Condition.UNCONTROLLED, lambda s: s.suspected),
    (Condition.NEVER_SEEN, lambda s: not s.connected and not s.seen),
    (Condition.OFFLINE_RESERVED, lambda s: not s.connected),
    (Condition.UNCONTROLLED, lambda s: not s.confirmed and not s.registering),
    (Condition.REGISTERING, lambda s: not s.confirmed),
    (Condition.UNCERTAIN, lambda s: s.doubtful),
    (Condition.CONTROLLED, lambda _: True),
)
"""The first line that applies is the condition of a connector."""

_SEVERITY = {condition: rank for rank, condition in enumerate(Condition)}


def of_connector(signs: Signs) -> Condition:
    """The condition of one connector."""
    return next(condition for condition, applies in TABLE if applies(signs))


def worst(conditions: Iterable[Condition]) -> Condition:
    """The worst of these; CONTROLLED when there are none."""
    return max(conditions, key=_SEVERITY.__getitem__, default=Condition.CONTROLLED)
