"""Reading one field of what a charger sent, leniently, and writing times it can read.

Chargers send null, nothing, text for numbers, numbers for text, padded text, text that is too long
and enumeration values nobody defined. No field is worth a message: each reader here takes any JSON
value and returns either a usable value or a plain "there is none". Nothing raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

EnumT = TypeVar("EnumT", bound=StrEnum)

TEXT_LIMIT = 255
"""Characters kept of a text field that has no limit of its own."""

ID_TAG_LIMIT = 20
"""OCPP 1.6 §7.28: an idTag is a CiString20."""

INTEGER_LIMIT = 2**31 - 1
"""OCPP 1.6 has no larger integers; some chargers send 2^63 - 1 for "none"."""

NUMBER_LIMIT = 1e15
"""A reading above this is no reading; below it, a float still holds every whole number."""

FIRST_YEAR = 2000
LAST_YEAR = 2100
"""Outside these years a clock was never set."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_NUMBER_CHARS = 64

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r" ?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2})?)?"
)
_TIMESTAMP_CHARS = 128
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]")


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one (OCPP-J 1.6 §4.2.1 allows null)."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a JSON array; one object alone counts as an array of one; else nothing."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Printable text of at most `limit` characters; "" for null, a missing field and non-scalars.

    Control characters are dropped and lone surrogates replaced: neither can be stored or shown.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)[:limit] if abs(value) <= NUMBER_LIMIT else ""
    if isinstance(value, float):
        return str(value)[:limit]
    if not isinstance(value, str):
        return ""
    head = value[: 4 * limit + 64]
    if not head.isprintable():
        head = head.encode("utf-8", "replace").decode("utf-8")
        head = "".join(c for c in head if c.isprintable())
    return head.strip()[:limit].rstrip()


def id_tag(value: Any) -> str:
    """An idTag as §7.28 has it: at most 20 characters. "" when the charger sent none."""
    return text(value, ID_TAG_LIMIT)


def number(value: Any) -> float | None:
    """A finite number, from a number or from text; None for anything else.

    Text may be padded or quoted and may have a decimal comma. NaN, the infinities and magnitudes
    above `NUMBER_LIMIT` are no numbers.
    """
    if isinstance(value, str):
        if len(value) > _NUMBER_CHARS:
            return None
        digits = value.strip().strip("\"'").strip()
        if digits.count(",") == 1 and "." not in digits:
            digits = digits.replace(",", ".")
        return _bounded(float(digits)) if _NUMBER.fullmatch(digits) else None
    if isinstance(value, int | float):
        return _bounded(value)
    return None


def _bounded(value: float) -> float | None:
    # The comparison comes first: a huge int cannot become a float, and NaN compares false.
    return float(value) if -NUMBER_LIMIT <= value <= NUMBER_LIMIT else None


def integer(value: Any) -> int | None:
    """A whole number within ±(2^31 - 1), rounded to the nearest one; None for anything else."""
    found = number(value)
    if found is None:
        return None
    whole = math.floor(found + 0.5)
    return whole if abs(whole) <= INTEGER_LIMIT else None


def connector_id(value: Any) -> int:
    """A connectorId as sent, even one the charger has not got; 0 (the charger) when unreadable."""
    found = integer(value)
    return 0 if found is None else found


def timestamp(value: Any) -> float | None:
    """UTC epoch seconds of an ISO 8601 time, or None when it is not one or its year is implausible.

    Accepts any fraction, a space for the T, and the zones Z, +hh, +hhmm and +hh:mm. OCPP 1.6 §3.14
    asks for a zone; without one the time is taken as UTC.
    """
    if not isinstance(value, str) or len(value) > _TIMESTAMP_CHARS:
        return None
    match = _TIMESTAMP.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute = (int(g) for g in match.groups()[:5])
    second, fraction, sign, zone_h, zone_min = match.groups()[5:]
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        # A leap second is written as 60, which datetime does not know.
        moment = datetime(year, month, day, hour, minute, min(int(second or 0), 59), tzinfo=UTC)
    except ValueError:
        return None
    offset_s = int(zone_h or 0) * 3600 + int(zone_min or 0) * 60
    return (
        moment.timestamp()
        + float(f"0.{fraction[:6]}" if fraction else 0)
        - (-offset_s if sign == "-" else offset_s)
    )


def time_text(at: float) -> str:
    """A time as every charger can read it: UTC, whole seconds, Z. `at` is UTC epoch seconds."""
    return datetime.fromtimestamp(math.floor(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fold(value: str) -> str:
    """Text reduced to its lower-case letters and digits, for comparing names."""
    return _NOT_ALPHANUMERIC.sub("", value.lower())


def member(kind: type[EnumT], value: Any) -> EnumT | None:
    """The member of an enumeration whose name on the wire is `value`, or None.

    Compared without case and punctuation: `suspended_ev` is SuspendedEV.
    """
    return _members(kind).get(fold(text(value)))


@lru_cache(maxsize=32)
def _members(kind: type[EnumT]) -> dict[str, EnumT]:
    return {fold(m.value): m for m in kind}


def name(kinds: tuple[str, ...], value: Any, default: str, limit: int = 50) -> str:
    """The known spelling of an enumeration value; an unknown one as sent; `default` for none."""
    sent = text(value, limit)
    return _names(kinds).get(fold(sent), sent) if sent else default


@lru_cache(maxsize=32)
def _names(kinds: tuple[str, ...]) -> dict[str, str]:
    return {fold(kind): kind for kind in kinds}
