"""One connection of a charger: when it began, and how far the charger's clock can be trusted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

OFFSETS_KEPT = 8
"""A reading may have waited in a queue; of so many in a row one has not."""


@dataclass(slots=True)
class Contact:
    """A live connection of a charger, since `since`.

    No limit is sent before the charger is `ready`: before it has been asked how it takes limits.
    `silent`: the last limit was not answered, or waited in vain behind something that was not.
    """

    since: float
    ready: bool = False
    silent: bool = False
    _wrong: bool = False
    _ahead_s: deque[float] = field(default_factory=lambda: deque(maxlen=OFFSETS_KEPT))

    def said_time(self, charger_time: float | None, now: float) -> None:
        """The charger's clock showed this when it wrote a message that came `now`.

        None: nothing that can be a time, as from a clock that was never set. Nothing is known then.
        """
        if charger_time is None:
            self._ahead_s.clear()
        else:
            self._ahead_s.append(charger_time - now)

    @property
    def clock_ahead_s(self) -> float | None:
        """How far the charger's clock is ahead of ours, in seconds; None when it never said.

        A message is read after it was written, so the largest difference is the truest.
        """
        return max(self._ahead_s, default=None)

    def keeps_time(self, skew_s: float) -> bool:
        """Whether the charger's clock is known to be right to within `skew_s`.

        What it said last must be right too: it may have lain in a queue, or the clock may just
        have been set back, which the truest of many shows late.
        """
        ahead_s = self.clock_ahead_s
        return ahead_s is not None and abs(ahead_s) <= skew_s and abs(self._ahead_s[-1]) <= skew_s

    def goes_wrong(self, skew_s: float) -> bool:
        """Whether the clock is found wrong by its truest reading, and was not before."""
        was_wrong, ahead_s = self._wrong, self.clock_ahead_s
        self._wrong = ahead_s is not None and abs(ahead_s) > skew_s
        return self._wrong and not was_wrong
