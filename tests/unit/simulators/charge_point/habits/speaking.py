"""What a charge point with a habit makes of frames, without any socket."""

from __future__ import annotations

from typing import Any

from simulators.charge_point.habits.catalogue import HABITS
from simulators.charge_point.habits.habit import Message, Reaction


def said(name: str, frame: list[Any], action: str = "", **memory: Any) -> list[Any]:
    """What goes out in place of this frame; `action` is that of the call it answers."""
    says = HABITS[name].says
    assert says is not None
    return list(says(Message(frame, action or frame[2], memory=memory)))


def payload(name: str, action: str, sent: dict[str, Any]) -> Any:
    """The payload of the one call that goes out in place of this one."""
    ((_, _, _, changed),) = said(name, [2, "i", action, sent])
    return changed


def heard(
    name: str,
    frame: list[Any],
    action: str = "",
    *,
    at: float = 0.0,
    memory: dict[str, Any] | None = None,
) -> Reaction | None:
    """What is done about this frame; None: it is taken."""
    hears = HABITS[name].hears
    assert hears is not None
    known = {} if memory is None else memory
    return hears(Message(frame, action or frame[2], at=at, memory=known))


def asked(name: str, action: str, sent: dict[str, Any], **options: Any) -> Reaction | None:
    """What is done about this call."""
    return heard(name, [2, "i", action, sent], **options)
