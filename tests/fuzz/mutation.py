"""Frames as chargers write them, and what chance makes of them. The seed decides everything."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from tests.e2e.attacks.test_attack_08 import WHOLE

ANSWERS: list[list[Any]] = [
    [3, "c0", {"status": "Accepted"}],
    [3, "c1", {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False}]}],
    [3, "c2", {"status": "Accepted", "chargingSchedule": {"chargingRateUnit": "W"}}],
    [4, "c3", "NotSupported", "", {}],
]
SEEDS = [
    *(
        json.dumps([2, f"m{n}", action, payload])
        for n, (action, payload) in enumerate(WHOLE.items())
    ),
    *(json.dumps(answer) for answer in ANSWERS),
]
PIECES = [
    *("[", "]", "{", "}", ",", ":", '"', "\\", "\\u", "\\ud800", "\\u0000", "null", "NaN"),
    *("-Infinity", "1e999", "9" * 40, "9" * 5_000, "-0", "0.1e-400", "true", "\x00", "\x1b"),
    *("\ufeff", "\u202e", "\ud800", "\U0001f50c", "é", "[" * 40, '{"a":' * 20, "]" * 40, " " * 500),
    *('"transactionId":', '"value":"NaN"', '"timestamp":"', "2026-13-45T99:99:99Z", '[2,"', "[3,"),
]
LITERALS: list[Any] = [
    *(None, True, 0, -1, 2**31, 2**63, 1e308, -0.0, 10**300, "", "NaN", "1e400", "Infinity"),
    *("\x00", "\ud800", "x" * 3_000, [], {}, [[]], [{}], {"a": 1}, "2026-01-01T00:00:00Z"),
    *("222222017-10-27T19:10:11Z", "-5", " 7,5 ", "SuspendedEV", "Wh", "Transaction.End"),
]
MOST_CHARS = 20_000
"""Frames that grew beyond this are cut: length alone is another test's (A9)."""


class Mutator:
    """Makes frames. The same seed makes the same frames in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._ways: list[Callable[[str], str]] = [
            self._insert,
            self._delete,
            self._replace,
            self._repeat,
            self._splice,
            self._cut,
        ]

    def frame(self) -> str | bytes:
        """The next frame: sometimes whole but for a value, sometimes hardly a frame any more."""
        text = self._random.choice(SEEDS)
        if self._random.random() < 0.4:
            text = self._with_values(text)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 4, 16))):
            text = self._random.choice(self._ways)(text)
        text = text[:MOST_CHARS]
        return self._as_bytes(text) if self._random.random() < 0.05 else text

    def call(self) -> tuple[str, Any]:
        """An action and a payload, as they reach the handlers."""
        action, payload = self._random.choice(list(WHOLE.items()))
        changed: Any = json.loads(json.dumps(payload))
        for _ in range(self._random.choice((1, 1, 2, 3, 6))):
            changed = self._changed(changed)
        return action, changed

    # ------------------------------------------------------------------ of values

    def _with_values(self, text: str) -> str:
        frame = json.loads(text)
        for _ in range(self._random.choice((1, 1, 2, 4))):
            frame = self._changed(frame)
        return json.dumps(frame)

    def _changed(self, value: Any) -> Any:
        """The value with something inside it replaced, removed, doubled or added."""
        if value and self._random.random() < 0.85:
            if isinstance(value, dict):
                return self._changed_object(value)
            if isinstance(value, list):
                return self._changed_list(value)
        return self._random.choice(LITERALS)

    def _changed_object(self, value: dict[str, Any]) -> dict[str, Any]:
        key, way = self._random.choice(list(value)), self._random.random()
        if way < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if way < 0.25:
            return value | {str(self._random.choice(LITERALS)): value[key]}
        return value | {key: self._changed(value[key])}

    def _changed_list(self, value: list[Any]) -> list[Any]:
        place, way = self._random.randrange(len(value)), self._random.random()
        if way < 0.15:
            return value[:place] + value[place + 1 :]
        if way < 0.3:
            return value[: place + 1] + value[place:]
        return [*value[:place], self._changed(value[place]), *value[place + 1 :]]

    # ------------------------------------------------------------------ of text

    def _place(self, text: str) -> int:
        return self._random.randrange(len(text) + 1)

    def _insert(self, text: str) -> str:
        at = self._place(text)
        return text[:at] + self._random.choice(PIECES) + text[at:]

    def _delete(self, text: str) -> str:
        at = self._place(text)
        return text[:at] + text[at + self._random.choice((1, 1, 2, 8, 64)) :]

    def _replace(self, text: str) -> str:
        at = self._place(text)
        return text[:at] + chr(self._random.choice((*range(128), 0x2028, 0xDFFF))) + text[at + 1 :]

    def _repeat(self, text: str) -> str:
        one, other = sorted((self._place(text), self._place(text)))
        return text[:other] + text[one:other] * self._random.choice((1, 2, 16)) + text[other:]

    def _splice(self, text: str) -> str:
        other = self._random.choice(SEEDS)
        return text[: self._place(text)] + other[self._place(other) :]

    def _cut(self, text: str) -> str:
        return text[: self._place(text)]

    def _as_bytes(self, text: str) -> bytes:
        data = bytearray(text.encode("utf-8", "surrogatepass"))
        for _ in range(self._random.choice((0, 1, 3))):
            if data:
                data[self._random.randrange(len(data))] = self._random.randrange(256)
        return bytes(data)
