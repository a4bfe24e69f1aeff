"""What a habit is: small changes of how a charge point dials, talks and listens (pure).

A habit works on frames as they go over the wire, so it can do what no well-made charge point would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

CALL = 2
RESULT = 3
ERROR = 4

OWN = "own-"
"""Calls a habit makes itself have ids that begin so. Nobody else hears of their answers, but an
error for one is more than a charge point with habits can bear: it hangs up."""

Frame = list[Any]
"""An OCPP-J message: a list of three to five elements (OCPP-J 1.6 §4.2)."""


class HangUpError(OSError):
    """The charge point closes its socket: it cannot bear what it heard, or has said enough."""


@dataclass(frozen=True, slots=True)
class Message:
    """One frame on its way.

    `action` is that of the call, or of the call that is answered. `at` is monotonic seconds.
    `memory` is shared by all habits of a charge point and lives as long as it does.
    """

    frame: Frame
    action: str
    at: float = 0.0
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> int:
        """CALL, RESULT or ERROR."""
        kind: int = self.frame[0]
        return kind

    @property
    def message_id(self) -> str:
        """The id of the call, or of the call that is answered."""
        message_id: str = self.frame[1]
        return message_id

    @property
    def payload(self) -> dict[str, Any]:
        """What is asked or answered; {} for an error."""
        payload: dict[str, Any] = {} if self.kind == ERROR else self.frame[-1]
        return payload

    def calls(self, *actions: str) -> bool:
        """Whether this asks for one of these."""
        return self.kind == CALL and self.action in actions

    def answers(self, *actions: str) -> bool:
        """Whether this answers one of these."""
        return self.kind == RESULT and self.action in actions

    def saying(self, payload: Any) -> Frame:
        """The same message with another payload."""
        return [*self.frame[:-1], payload]

    def result(self, **payload: Any) -> Reaction:
        """React to this call with an answer, and do nothing else about it."""
        return Reaction([[RESULT, self.message_id, payload]])

    def error(self, *elements: Any) -> Reaction:
        """React to this call with a CALLERROR of these elements."""
        return Reaction([[ERROR, self.message_id, *elements]])


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a charge point does about a frame in place of taking it: send these, take that one."""

    sends: Sequence[Frame] = ()
    takes: Frame | None = None


@dataclass(frozen=True, slots=True)
class Approach:
    """How a charge point dials.

    `url` has no charger id, `target` is what follows it. `abandons`: an old socket is left open.
    """

    url: str
    target: str
    subprotocols: tuple[str, ...] = ("ocpp1.6",)
    compression: str | None = None
    pongs: bool = True
    abandons: bool = False


Says = Callable[[Message], Sequence[Frame | str]]
Hears = Callable[[Message], Reaction | None]


@dataclass(frozen=True, slots=True)
class Habit:
    """One habit. `row` is its row in the table of the README of `tests/e2e/habits`.

    `says` makes any number of frames (or texts that are none) of one that is to go out, `writes`
    bends its text, `hears` may react to one that came in, `dials` bends the approach.
    """

    row: str
    text: str
    says: Says | None = None
    writes: Callable[[str], str | bytes] | None = None
    hears: Hears | None = None
    dials: Callable[[Approach], Approach] | None = None


def saying(change: Callable[[dict[str, Any]], Any], *actions: str) -> Says:
    """Say the payload otherwise, in calls of these actions and in answers to them."""

    def says(message: Message) -> Sequence[Frame | str]:
        if message.kind == ERROR or message.action not in actions:
            return [message.frame]
        return [message.saying(change(message.payload))]

    return says


def everywhere(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Apply a change to every scalar of a payload, at any depth."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return change(value)

    return walk


def hanging_up(when: Callable[[Message], bool]) -> Hears:
    """Hang up on messages like this."""

    def hears(message: Message) -> Reaction | None:
        if when(message):
            raise HangUpError(message.action)
        return None

    return hears
