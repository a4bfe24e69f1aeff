"""The queue of messages to csms: order, retries, and what survives being offline (pure).

OCPP 1.6 §3.7: transaction-related messages are kept while offline and delivered in order; a
failed one is tried again after the retry interval times the tries so far (§3.7.1). Everything else
is worth nothing once the link is gone. Times are UTC epoch seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from simulators.charge_point.messages import Message, MeterSampled, kept_offline


class Outbox:
    """Messages in order. `attempts` and `retry_interval_s` are the charge point's settings."""

    def __init__(self, *, capacity: int = 5000) -> None:
        self._capacity = capacity
        self._messages: deque[Message] = deque()
        self._tries = 0
        self._not_before = 0.0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, messages: Iterable[Message]) -> None:
        """Add at the end. Over capacity the oldest meter samples go, then the oldest messages."""
        self._messages.extend(messages)
        while len(self._messages) > self._capacity:
            self._shed()

    def put_first(self, messages: Iterable[Message]) -> None:
        """Add before everything that waits, in this order."""
        self._messages.extendleft(reversed(list(messages)))
        self._tries, self._not_before = 0, 0.0

    def _shed(self) -> None:
        # The head may be on the wire: it stays. A later sample says all that an earlier one did.
        victims = (i for i, m in enumerate(self._messages) if i and isinstance(m, MeterSampled))
        del self._messages[next(victims, 1)]
        self.dropped += 1

    def head(self, now: float) -> Message | None:
        """The message to send at `now`; None when there is none, or it is too soon to try again."""
        return self._messages[0] if self._messages and now >= self._not_before else None

    def wait_s(self, now: float) -> float | None:
        """How long until `head` may have something; None: not without a new message."""
        return max(0.0, self._not_before - now) if self._messages else None

    def delivered(self) -> None:
        """The head was answered."""
        self._messages.popleft()
        self._tries, self._not_before = 0, 0.0

    def failed(self, now: float, *, attempts: int, retry_interval_s: float) -> None:
        """The head was answered with an error, or not at all, on a link that lives."""
        self._tries += 1
        if not kept_offline(self._messages[0]) or self._tries >= attempts:
            self.dropped += 1
            self.delivered()
            return
        self._not_before = now + retry_interval_s * self._tries

    def link_lost(self) -> None:
        """The link is gone: only transaction-related messages stay, and may be sent at once."""
        self._messages = deque(m for m in self._messages if kept_offline(m))
        self._tries, self._not_before = 0, 0.0
