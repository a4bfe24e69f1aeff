"""Reading a frame that is almost JSON. Pure; only for text that a strict reader has refused.

Seen in the field: `"sampledValue":[,{…}]`, `"transactionId":,`, answers without their last
brackets, printf's `nan`. What is plainly meant is read:

- a value that is missing, or is none of JSON's, is null: `"k":,` and `"k":nan`
- commas too many or too few count for nothing
- brackets that are missing at the end, or before another one closes, are put in; those too many
  are left out
- of a text that was cut, a word or number the cut may have gone through is left out: half a meter
  reading is none

Everything else is given up.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

LONGEST = 1 << 16
"""Longer texts are not mended, in characters."""

MOST_TOKENS = 1 << 14
"""Nor are those of more words and marks: mending takes a hundred times as long as reading."""

_LONGEST_NUMBER = 64
# Possessive, so that text without an end costs no backtracking.
_TOKEN = re.compile(
    r'(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<cut>".*+)|(?P<mark>[\[\]{}:,])'
    r'|(?P<word>[^\s\[\]{}:,"]++)',
    re.DOTALL,
)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"null": None, "true": True, "false": False}
_CLOSES = {"]": list, "}": dict}
_TEXTS = json.JSONDecoder(strict=False)


class _GivenUpError(Exception):
    """It cannot be told what was meant."""


@dataclass(slots=True)
class _Open:
    """A list or an object that is not closed yet; of an object, the key that waits for a value."""

    value: list[Any] | dict[str, Any]
    key: str | None = None
    colon: bool = False

    def put(self, value: Any) -> None:
        """The next value."""
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None and self.colon:
            self.value[self.key] = value
            self.key, self.colon = None, False
        elif self.key is None and isinstance(value, str):
            self.key = value
        else:
            raise _GivenUpError

    def end_item(self) -> None:
        """Whatever was begun is over: a key that has no value has null."""
        if isinstance(self.value, dict) and self.key is not None and self.colon:
            self.value[self.key] = None
        self.key, self.colon = None, False


@dataclass(slots=True)
class _Mender:
    """What has been read so far. `root` is the frame's list once it has begun."""

    max_depth: int
    root: list[Any] | None = None
    stack: list[_Open] = field(default_factory=list)

    def take(self, mark: str) -> None:
        """One bracket, comma or colon."""
        if mark in "[{":
            self._open(mark)
        elif mark in "]}":
            self._close(_CLOSES[mark])
        elif not self.stack:
            if self.root is None or mark == ":":
                raise _GivenUpError
        elif mark == ",":
            self.stack[-1].end_item()
        elif self.stack[-1].key is None or self.stack[-1].colon:
            raise _GivenUpError
        else:
            self.stack[-1].colon = True

    def put(self, value: Any) -> None:
        """One word, number or text."""
        if not self.stack:
            raise _GivenUpError
        self.stack[-1].put(value)

    def _open(self, mark: str) -> None:
        if len(self.stack) >= self.max_depth:
            raise _GivenUpError
        if not self.stack and (self.root is not None or mark == "{"):
            raise _GivenUpError
        value: list[Any] | dict[str, Any] = [] if mark == "[" else {}
        if self.stack:
            self.stack[-1].put(value)
        elif isinstance(value, list):
            self.root = value
        self.stack.append(_Open(value))

    def _close(self, kind: type) -> None:
        if not any(isinstance(opened.value, kind) for opened in self.stack):
            return
        while True:
            opened = self.stack.pop()
            opened.end_item()
            if isinstance(opened.value, kind):
                return


def mended(text: str, max_depth: int) -> list[Any] | None:
    """The list this text is meant to be, None when that cannot be told. Never raises.

    It nests no deeper than `max_depth`, itself included.
    """
    if len(text) > LONGEST:
        return None
    mender = _Mender(max_depth)
    try:
        for count, token in enumerate(_TOKEN.finditer(text)):
            if count >= MOST_TOKENS:
                return None
            _read(mender, token, at_end=token.end() == len(text))
    except _GivenUpError:
        return None
    for opened in reversed(mender.stack):
        opened.end_item()
    return mender.root


def _read(mender: _Mender, token: re.Match[str], *, at_end: bool) -> None:
    match token.lastgroup:
        case "mark":
            mender.take(token[0])
        case "text":
            mender.put(_text(token[0]))
        case "word" if not at_end or token[0] in _WORDS:
            mender.put(_word(token[0]))
        case _:
            # It may have been cut here. What came before it is whole.
            if mender.root is None:
                raise _GivenUpError


def _text(token: str) -> str:
    try:
        found: str = _TEXTS.decode(token)
    except ValueError:
        raise _GivenUpError from None
    return found


def _word(token: str) -> Any:
    """A literal or a number; null for what is neither, and for what is no finite number."""
    if token in _WORDS:
        return _WORDS[token]
    if len(token) > _LONGEST_NUMBER or _NUMBER.fullmatch(token) is None:
        return None
    number = float(token)
    if not math.isfinite(number):
        return None
    return int(token) if token.lstrip("-").isdigit() else number
