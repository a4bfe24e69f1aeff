"""A moment, on the two clocks a simulation has, and the text form OCPP gives times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment.

    `utc_s` is UTC epoch seconds: messages and charging profiles live on it. `scenario_s` is seconds
    since the simulation began, times its speed: vehicles and meters live on it.
    """

    utc_s: float
    scenario_s: float


def timestamp(utc_s: float) -> str:
    """The moment as OCPP writes it: whole seconds and `Z`."""
    return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str) -> float:
    """UTC epoch seconds of an OCPP dateTime; one without a zone is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
