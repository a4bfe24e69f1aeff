"""How fast one charger is read: it is slowed, and never cut short. Pure; monotonic seconds.

A backlog after weeks without a connection is legal, and full of transactions: whoever sends too
fast waits, by TCP, in its own queue. Parsing costs time by the character, so a bound on characters
is a bound on what one charger takes of the processor: 64 KiB/s of MeterValues, decoded and handled,
were measured at 25 ms of it a second at most, whatever their size, 10 short ones a second at 11 ms,
and mending broken JSON adds 21 ms. At length nobody takes more than 50 ms/s (safety.md §3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from csms.control.buckets import TokenBucket


@dataclass(frozen=True, slots=True)
class PacePolicy:
    """What one charger may send (safety.md §3.2: 10 messages/s, burst 60, 64 KiB/s; A9, A16).

    `frames_burst` and `chars_burst` are what it may send at once after a while of silence; the
    second is the largest message any charger has reason to send (A9: 256 KiB). A larger one is
    taken all the same, and waited for afterwards.
    """

    frames_per_s: float = 10.0
    frames_burst: float = 60.0
    chars_per_s: float = 65_536.0
    chars_burst: float = 262_144.0


class Pace:
    """The two buckets of one charger; they outlive its sockets, or redialling would fill them."""

    def __init__(self, policy: PacePolicy, now: float) -> None:
        self._frames = TokenBucket(policy.frames_per_s, policy.frames_burst, now)
        self._chars = TokenBucket(policy.chars_per_s, policy.chars_burst, now)

    def take(self, chars: int, now: float) -> float:
        """Count one frame of this size; returns the seconds to wait before the next is read."""
        return max(self._frames.take(1, now), self._chars.take(chars, now))
