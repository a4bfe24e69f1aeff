"""The energy of one session, from a meter register that may stop, jump, fall or start anew.

Chargers' registers count over the charger's life, or from zero in each session; some fall to zero
at a reboot, some drop out for one reading, some are told out of turn (OCPP 1.6 §4.7). The rule:

1. A reading that is not below the highest one adds the difference.
2. A reading below the highest, but not below the one before that: the highest was misread or came
   out of turn. It takes the highest's place.
3. A reading lower still: the register began anew, or dropped out. Nothing tells which, so a second
   line is begun beside the first, and both count what they rise. A further fall adds nothing. A
   reading that reaches the highest of the first line shows that it was a drop-out: the first goes
   on, and the second is forgotten.
4. A session whose first reading was not told counts from the first one that was.

The last word is the reading of StopTransaction: it is read like any other. No step is negative, so
no energy is. What the charger did not measure between a reset and the reading after it is not
counted: nobody pays for a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Register:
    """What a session's readings have come to, in watt-hours.

    `start_wh` is the reading at the start, None when the charger told none. `high_wh` is the
    highest reading since (None: none), `before_wh` the one before it. `fresh_from_wh` and
    `fresh_wh` are the first and the last reading of the second line; None when there is none.
    """

    start_wh: int | None
    high_wh: int | None = None
    before_wh: int | None = None
    fresh_from_wh: int | None = None
    fresh_wh: int | None = None

    def read(self, wh: int) -> Register:
        """What the readings come to with this one."""
        if self.start_wh is None:
            return self._fresh(wh)
        top_wh = self.start_wh if self.high_wh is None else self.high_wh
        if wh >= top_wh:
            before_wh = self.before_wh if wh == self.high_wh else top_wh
            return Register(self.start_wh, wh, before_wh)
        # A reading of nothing takes nothing back: some registers show 0 now and then.
        is_less = self.fresh_wh is None and self.before_wh is not None and wh >= self.before_wh
        if is_less and wh > 0:
            return replace(self, high_wh=wh)
        return self._fresh(wh)

    def _fresh(self, wh: int) -> Register:
        if self.fresh_wh is None or self.fresh_from_wh is None:
            return replace(self, fresh_from_wh=wh, fresh_wh=wh)
        # A fall adds nothing: what the line has gained is carried below the reading.
        fallen_wh = max(0, self.fresh_wh - wh)
        return replace(self, fresh_from_wh=self.fresh_from_wh - fallen_wh, fresh_wh=wh)

    @property
    def last_wh(self) -> int | None:
        """The reading that came last, as far as it counts; None when there was none."""
        return self.high_wh if self.fresh_wh is None else self.fresh_wh

    @property
    def energy_wh(self) -> int:
        """The energy of the session; never negative."""
        gained_wh = 0
        if self.start_wh is not None and self.high_wh is not None:
            gained_wh = self.high_wh - self.start_wh
        if self.fresh_wh is not None and self.fresh_from_wh is not None:
            gained_wh += self.fresh_wh - self.fresh_from_wh
        return gained_wh

    @property
    def doubtful(self) -> bool:
        """Whether the energy is more than one difference of two readings."""
        return self.start_wh is None or self.fresh_wh is not None
