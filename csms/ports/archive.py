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
