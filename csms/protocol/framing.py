"""One OCPP-J 1.6 frame between text and plain values. Pure; nothing here raises for what it reads.

    [2, id, action, payload]                  Call         OCPP-J 1.6 §4.2.1
    [3, id, payload]                          CallResult   §4.2.2
    [4, id, code, description, details]       CallFailure  §4.2.3
    anything else that may be passed over     Skipped
    anything else                             Broken, with its head as far as it can be read

Reading is lenient (law 6): raw control characters inside strings, a byte order mark, a frame sent
as binary, NUL padding, a null payload or none, elements too many, CALLERRORs of three elements, and
what `mending` can put right. Duplicate keys are tolerated, the last one counts: RFC 8259 §4 leaves
that open, there is no second reader of the same frame to disagree with, and to look for them makes
decoding half as slow again. NaN, Infinity and numbers beyond a double are null: they are not JSON,
or not a number any field can have. A lone surrogate becomes U+FFFD, so that every text can be
stored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from csms.protocol.mending import mended

CALL = 2
CALL_RESULT = 3
CALL_ERROR = 4

LONGEST_ID = 256
"""Message ids longer than the standard's 36 characters (§4.1.4) are echoed, up to this many."""

LONGEST_DESCRIPTION = 255
"""OCPP-J 1.6 §4.2.3: errorDescription is a string[255]."""

ERROR_CODES = frozenset(
    {
        "NotImplemented",
        "NotSupported",
        "InternalError",
        "ProtocolError",
        "SecurityError",
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "TypeConstraintViolation",
        "GenericError",
    }
)
"""OCPP-J 1.6 §4.2.3, table 7, in that table's own spelling."""

_SPELLED_IN_1_6 = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
}
_KINDS: Mapping[int | float | str, int] = {2: 2, 3: 3, 4: 4, "2": 2, "3": 3, "4": 4}
_PADDING = " \t\r\n\x00\ufeff"
# Possessive, so that a megabyte of escapes costs neither time nor memory in backtracking.
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_HEAD = re.compile(
    r'\[\s*+"?([234])"?\s*+,\s*+("(?:[^"\\]|\\.){0,256}+")(?:\s*+,\s*+"([A-Za-z]{1,64}+)")?',
    re.DOTALL,
)
_MAYBE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `payload` is {} for null and for nothing, otherwise whatever was sent."""

    message_id: str
    action: str
    payload: Any


@dataclass(frozen=True, slots=True)
class CallResult:
    """An answer. `payload` is {} for null, for nothing and for an empty list."""

    message_id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A CALLERROR with any code; details are not kept."""

    message_id: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A frame that cannot be used. `kind`, `message_id` and `action` where they can be read."""

    reason: str
    kind: int | None = None
    message_id: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A frame that is to be passed over without a word."""

    reason: str


Incoming = Call | CallResult | CallFailure | Broken | Skipped


def printable(text: str, limit: int = 120) -> str:
    """Text from a charger, fit for a log line: control and direction characters escaped, cut."""
    shown = _CONTROL.sub(lambda m: m.group().encode("unicode_escape").decode(), text[: limit + 1])
    return shown if len(text) <= limit else f"{shown[:limit]}…"


# ---------------------------------------------------------------------------------- writing


def write_call(message_id: str, action: str, payload: Mapping[str, Any]) -> str:
    """A CALL, compact, absent (None) fields left out. Raises ValueError for what is not JSON."""
    return _dump([CALL, message_id, action, payload])


def write_result(message_id: str, payload: Mapping[str, Any]) -> str:
    """A CALLRESULT, written as `write_call` writes. Raises ValueError for what is not JSON."""
    return _dump([CALL_RESULT, message_id, payload])


def write_error(message_id: str, code: str, description: str = "") -> str:
    """A CALLERROR: always five elements, never details, so that nothing is sent back (§4.2.3)."""
    code = _SPELLED_IN_1_6.get(code, code)
    if code not in ERROR_CODES:
        code = "GenericError"
    text = printable(description, LONGEST_DESCRIPTION)[:LONGEST_DESCRIPTION]
    return _dump([CALL_ERROR, message_id, code, text, {}])


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _dump(frame: list[Any]) -> str:
    """Write ASCII: an id with a lone surrogate can still be echoed."""
    try:
        return _ENCODER.encode(_present(frame))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _present(value: Any) -> Any:
    """The value without the absent fields at any depth."""
    if isinstance(value, Mapping):
        return {k: _present(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_present(v) for v in value]
    return value


# ---------------------------------------------------------------------------------- reading


def read_frame(data: str | bytes, *, max_chars: int = 1 << 20, max_depth: int = 16) -> Incoming:
    """Read one frame. The bounds are checked before the text is parsed."""
    if len(data) > max_chars:
        return Broken("too long")
    try:
        text = (data if isinstance(data, str) else data.decode()).strip(_PADDING)
    except UnicodeDecodeError:
        return Broken("not UTF-8")
    if not text:
        return Skipped("empty")
    if _deeper_than(text, max_depth):
        return _broken_text(text, "nested too deeply")
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        value = mended(text, max_depth)
        if value is None:
            return _broken_text(text, "not JSON")
    if ("\\u" in text or not text.isascii()) and _MAYBE_SURROGATE.search(text):
        value = _storable(value)
    return _shape(value)


def _refuse(constant: str) -> NoReturn:
    """NaN, Infinity and -Infinity are not JSON (RFC 8259 §6)."""
    raise ValueError(constant)


def _finite(digits: str) -> float:
    """A double, or ValueError for one that would be infinite."""
    value = float(digits)
    if math.isinf(value):
        raise ValueError(digits[:20])
    return value


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse, parse_float=_finite)


def _deeper_than(text: str, limit: int) -> bool:
    """Whether brackets outside strings nest deeper than `limit`."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for token in _STRUCTURE.finditer(text):
        mark = text[token.start()]
        if mark in "[{":
            depth += 1
            if depth > limit:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _storable(value: Any) -> Any:
    """The value with U+FFFD for every lone surrogate. As deep as the frame, so at most 16."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(v) for v in value]
    if isinstance(value, dict):
        return {_storable(k): _storable(v) for k, v in value.items()}
    return value


def _broken_text(text: str, reason: str) -> Broken:
    """What can be told of a frame that is not JSON: often its head is whole."""
    head = _HEAD.match(text)
    if head is None:
        return Broken(reason)
    try:
        message_id = _storable(_DECODER.decode(head[2]))
    except ValueError:
        return Broken(reason)
    return Broken(reason, int(head[1]), message_id, head[3] if int(head[1]) == CALL else None)


def _shape(value: Any) -> Incoming:
    """A JSON value as the message it is."""
    if not isinstance(value, list) or not value:
        return Broken("not a message")
    kind = _KINDS.get(value[0]) if isinstance(value[0], (int, float, str)) else None
    if kind is None:
        return Skipped("unknown MessageTypeId")  # §4.1.3: ignored
    message_id = value[1] if len(value) > 1 else None
    if not isinstance(message_id, str) or len(message_id) > LONGEST_ID:
        return Broken("no usable message id", kind)
    if kind == CALL:
        return _call(message_id, value)
    if kind == CALL_RESULT:
        return _result(message_id, value)
    # Three to five elements and more, any code: chargers are sloppy here.
    code, description = [*value[2:4], None, None][:2]
    return CallFailure(
        message_id,
        "GenericError" if code is None else printable(str(code), 64),
        "" if description is None else printable(str(description), LONGEST_DESCRIPTION),
    )


def _call(message_id: str, value: list[Any]) -> Call | Broken:
    action, payload = [*value[2:4], None, None][:2]
    if not isinstance(action, str):
        return Broken("the action is not a string", CALL, message_id)
    return Call(message_id, action, {} if payload is None else payload)


def _result(message_id: str, value: list[Any]) -> CallResult | Broken:
    payload = value[2] if len(value) > 2 else None
    if payload is None or payload == []:
        return CallResult(message_id, {})
    if not isinstance(payload, dict):
        return Broken("the answer is not an object", CALL_RESULT, message_id)
    return CallResult(message_id, payload)
