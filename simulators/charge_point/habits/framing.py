"""How charge points write frames and answers that are none, or hardly so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from simulators.charge_point.habits.habit import (
    CALL,
    ERROR,
    OWN,
    RESULT,
    Frame,
    Habit,
    Message,
    Reaction,
)

HEARTBEAT: dict[str, Any] = {}


def _empty_first(message: Message) -> Sequence[Frame | str]:
    return ["", message.frame]


def _binary(text: str) -> bytes:
    return text.encode()


def _marked(text: str) -> str:
    return "\ufeff" + text


def _cut(text: str) -> str:
    """Of answers, the last two brackets are missing."""
    return text[:-2] if text.startswith("[3") else text


def _comma_first(text: str) -> str:
    return text.replace('"sampledValue": [', '"sampledValue": [,')


def _no_value(text: str) -> str:
    return re.sub(r'"transactionId": [0-9]+', '"transactionId": ', text)


def _not_a_number(text: str) -> str:
    return text.replace('"sampledValue": [', '"sampledValue": [{"value": nan}, ')


def _control_characters(text: str) -> str:
    return text.replace('"Simulated"', '"Simu\x10\x0elated"')


def _beyond_repair(message: Message) -> Sequence[Frame | str]:
    """A report nobody can read goes before each it makes, and must be answered too."""
    if not message.calls("StatusNotification", "MeterValues"):
        return [message.frame]
    broken = f'[{CALL},"{OWN}broken-{message.message_id}","{message.action}",{{"connectorId" 1}}]'
    return [broken, message.frame]


def _null_payload(message: Message) -> Sequence[Frame | str]:
    return [message.saying(None) if message.payload == {} else message.frame]


def _payload_left_out(message: Message) -> Sequence[Frame | str]:
    return [message.frame[:3] if message.payload == {} else message.frame]


def _thrice(message: Message) -> Sequence[Frame | str]:
    return [message.frame] * 3 if message.kind == CALL else [message.frame]


def _first_answer_only(message: Message) -> Reaction | None:
    if message.kind == CALL:
        return None
    answered = message.memory.setdefault("answered", set())
    if message.message_id in answered:
        return Reaction()
    answered.add(message.message_id)
    return None


def _asks_first(message: Message) -> Reaction | None:
    """A call is taken when a heartbeat of its own that it sends first has been answered."""
    if message.kind == CALL:
        own = f"{OWN}{message.message_id}"
        message.memory[own] = message.frame
        return Reaction([[CALL, own, "Heartbeat", HEARTBEAT]])
    waiting = message.memory.pop(message.message_id, None)
    return None if waiting is None else Reaction(takes=waiting)


def _profile_error(*elements: Any) -> Any:
    """The first limit of a session is answered with a CALLERROR made like this."""

    def hears(message: Message) -> Reaction | None:
        if not message.calls("SetChargingProfile") or message.memory.get("refused"):
            return None
        purpose = message.payload["csChargingProfiles"]["chargingProfilePurpose"]
        if purpose != "TxProfile":
            return None
        message.memory["refused"] = True
        return message.error(*elements)

    return hears


def _as_error(message: Message) -> Sequence[Frame | str]:
    """What it does not support it answers with an error instead of a status."""
    if message.kind == RESULT and message.payload.get("status") == "NotSupported":
        return [[ERROR, message.message_id, "NotSupported", "", {}]]
    return [message.frame]


HABITS: Mapping[str, Habit] = {
    "empty_frames": Habit("A15", "sends empty frames in between", says=_empty_first),
    "binary_frames": Habit("A16", "sends JSON in binary frames", writes=_binary),
    "byte_order_mark": Habit("A16", "begins frames with a byte order mark", writes=_marked),
    "cut_answers": Habit("B1", "leaves out the last brackets of answers", writes=_cut),
    "comma_first": Habit("B2", "begins lists with a comma", writes=_comma_first),
    "no_value": Habit("B2", "leaves out the value behind a key", writes=_no_value),
    "not_a_number": Habit("B2", "writes nan", writes=_not_a_number),
    "control_characters": Habit(
        "B2", "has control characters in texts", writes=_control_characters
    ),
    "reports_beyond_repair": Habit("B2", "sends reports nobody can read", says=_beyond_repair),
    "null_payloads": Habit("B3", "sends null for an empty payload", says=_null_payload),
    "no_payloads": Habit("B3", "leaves an empty payload out", says=_payload_left_out),
    "repeats_calls": Habit(
        "B11", "sends every call three times", says=_thrice, hears=_first_answer_only
    ),
    "asks_before_it_answers": Habit(
        "B12", "answers only when it has had an answer itself", hears=_asks_first
    ),
    "short_errors": Habit("B15", "sends errors of three elements", hears=_profile_error("Nope")),
    "long_errors": Habit(
        "B15",
        "sends errors of odd elements",
        hears=_profile_error("FormatViolation", None, ["why"], "more"),
    ),
    "unsupported_as_error": Habit(
        "B16", "answers what it does not support with an error", says=_as_error
    ),
}
