"""Token buckets: how often something may happen, and how often at once. Pure; monotonic seconds."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MINUTE_S = 60.0
HOUR_S = 3_600.0


class TokenBucket:
    """Gains `per_s` a second, holds `most`, and may be overdrawn down to `least`."""

    def __init__(self, per_s: float, most: float, now: float, *, least: float = -math.inf) -> None:
        self._per_s = per_s
        self._most = most
        self._least = least
        self._tokens = most
        self._at = now

    def left(self, now: float) -> float:
        """How many tokens there are; below zero what is owed."""
        return min(self._most, self._tokens + (now - self._at) * self._per_s)

    def take(self, count: float, now: float) -> float:
        """Take so many; returns the seconds until nothing is owed any more, 0 at once."""
        self._tokens = max(self._least, self.left(now) - count)
        self._at = now
        return max(0.0, -self._tokens / self._per_s)


@dataclass(slots=True)
class _Counted:
    bucket: TokenBucket
    told_at: float = -math.inf


class Buckets:
    """Token buckets by key; the one longest not used goes when there are too many.

    A bucket gains `per_min` a minute and holds `most`, None for as much; nothing is owed.
    """

    def __init__(self, per_min: float, kept: int, most: float | None = None) -> None:
        self._per_s = per_min / MINUTE_S
        self._most = per_min if most is None else most
        self._kept = kept
        self._counted: OrderedDict[Hashable, _Counted] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counted)

    def has(self, key: Hashable, now: float) -> bool:
        """Whether one more may be taken."""
        counted = self._counted.get(key)
        return counted is None or counted.bucket.left(now) >= 1

    def take(self, key: Hashable, now: float) -> bool:
        """Take one. Returns whether that was the last, once a minute at most."""
        counted = self._counted.get(key)
        if counted is None:
            bucket = TokenBucket(self._per_s, self._most, now, least=0.0)
            counted = self._counted[key] = _Counted(bucket)
        self._counted.move_to_end(key)
        if len(self._counted) > self._kept:
            self._counted.popitem(last=False)
        counted.bucket.take(1, now)
        if counted.bucket.left(now) >= 1 or now - counted.told_at < MINUTE_S:
            return False
        counted.told_at = now
        return True
