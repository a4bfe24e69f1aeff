"""When a refused or unanswered limit may be tried again."""

from __future__ import annotations

from collections.abc import Hashable

from csms.dispatch.policy import DispatchPolicy


class Retries:
    """Growing waits per key (a connector and scope). Keys without failures take no memory."""

    def __init__(self, policy: DispatchPolicy) -> None:
        self._policy = policy
        self._failures: dict[Hashable, tuple[int, float]] = {}

    def failed(self, key: Hashable, now: float) -> None:
        """Another failure: wait longer than after the last one."""
        count = self._failures.get(key, (0, 0.0))[0]
        waits = self._policy.retry_after_s
        self._failures[key] = (count + 1, now + waits[min(count, len(waits) - 1)])

    def succeeded(self, key: Hashable) -> None:
        """All is well again, or the matter is over."""
        self._failures.pop(key, None)

    def held(self, key: Hashable, now: float) -> bool:
        """Whether a repeat has to wait."""
        return now < self._failures.get(key, (0, 0.0))[1]

    def next_at(self, now: float) -> float | None:
        """When the next repeat falls due, or None when none is waiting."""
        return min((until for _, until in self._failures.values() if until > now), default=None)
