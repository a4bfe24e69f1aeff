"""How many may knock, and how fast: the bounds of handshakes. Pure; monotonic seconds.

A storm of ten thousand chargers after a power cut is legal. Those beyond the rate are told to come
again, each at another moment; a last part of the rate is kept for chargers that are charging. Who
begins a handshake and does not go on makes room for others.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from csms.control.buckets import TokenBucket

Socket = TypeVar("Socket", bound=Hashable)

LEAST_WAIT_S = 30
MOST_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class ArrivalPolicy:
    """Bounds of handshakes (safety.md §3.2, A12).

    `per_s` are let through, `burst` at once (200, 400); the last `kept_back` of a burst are for
    chargers with a running transaction. `opening` may be in their handshake (500), and of one
    source `slow_per_source` of them for longer than `slow_s` (20): a site of a hundred chargers
    behind one router dials in one moment, but each of them is quick.
    """

    per_s: float = 200.0
    burst: float = 400.0
    kept_back: float = 100.0
    opening: int = 500
    slow_per_source: int = 20
    slow_s: float = 1.0


class Rate:
    """The rate of handshakes."""

    def __init__(self, policy: ArrivalPolicy, now: float) -> None:
        self._kept_back = min(policy.kept_back, policy.burst / 2)
        self._bucket = TokenBucket(policy.per_s, policy.burst, now)

    def take(self, now: float, *, charging: bool) -> bool:
        """Whether one more is let through; `charging` may take of what is kept back."""
        least = 1.0 if charging else 1.0 + self._kept_back
        if self._bucket.left(now) < least:
            return False
        self._bucket.take(1, now)
        return True


def come_again_s(target: str) -> int:
    """When somebody who was sent away should come again: each at a moment of its own."""
    span = MOST_WAIT_S - LEAST_WAIT_S + 1
    return LEAST_WAIT_S + zlib.crc32(target.encode("utf-8", "replace")) % span


class OpenSockets(Generic[Socket]):
    """The TCP connections there are, in whatever state, and those whose handshake is not over.

    `most` may there be at all.
    """

    def __init__(self, most: int, policy: ArrivalPolicy | None = None) -> None:
        self.count = 0
        self._most = most
        self._policy = policy or ArrivalPolicy()
        self._opening: OrderedDict[Socket, str] = OrderedDict()
        self._sources: dict[str, OrderedDict[Socket, float]] = {}

    def arrived(self, socket: Socket, source: str, now: float) -> list[Socket]:
        """A TCP connection was accepted; returns those that are to be dropped for it.

        Beyond the most there may be at all that is the new one, else who is slowest.
        """
        self.count += 1
        if self.count > self._most:
            return [socket]
        self._opening[socket] = source
        self._sources.setdefault(source, OrderedDict())[socket] = now
        dropped = self._slow(source, now)
        if len(self._opening) - len(dropped) > self._policy.opening:
            dropped.append(next(s for s in self._opening if s not in dropped))
        for each in dropped:
            self.opened(each)
        return dropped

    def _slow(self, source: str, now: float) -> list[Socket]:
        """Those of this source that are too slow, and too many."""
        slow = []
        for socket, since in self._sources[source].items():
            if now - since <= self._policy.slow_s:
                break
            slow.append(socket)
        return slow[: max(0, len(slow) - self._policy.slow_per_source)]

    def opened(self, socket: Socket) -> None:
        """Its handshake is over."""
        source = self._opening.pop(socket, None)
        if source is None:
            return
        of_source = self._sources[source]
        del of_source[socket]
        if not of_source:
            del self._sources[source]

    def gone(self, socket: Socket) -> None:
        """The TCP connection is gone."""
        self.count -= 1
        self.opened(socket)

    @property
    def opening(self) -> int:
        """How many are in their handshake."""
        return len(self._opening)
