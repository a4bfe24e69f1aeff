"""What is kept of each charger for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Frame:
    """One OCPP-J frame as it crossed the wire. `inbound` is seen from csms."""

    charger_id: str
    at: float
    inbound: bool
    text: str


class FrameLog(Protocol):
    """The newest frames of every charger, bounded."""

    def frame(self, frame: Frame) -> None:
        """Keep it, soon; never blocks, drops the oldest under overload."""
        ...

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        """The newest frames of a charger, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What a charger sent and csms could answer but not use. `payload` is JSON text."""

    charger_id: str
    at: float
    action: str
    reason: str
    payload: str


class Quarantine(Protocol):
    """What could not be used, kept for people to judge; bounded, the oldest go."""

    async def quarantine(self, item: Quarantined) -> bool:
        """Keep it, durably; False when the same of the same charger is there already."""
        ...

    async def quarantined(self, charger_id: str, *, limit: int = 200) -> list[Quarantined]:
        """The newest of a charger, oldest first."""
        ...


class Archive(FrameLog, Quarantine, Protocol):
    """What is kept of each charger for people to look at."""
