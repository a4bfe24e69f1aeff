"""How long the chargers in reach take to follow a cut, each by itself.

In reach is a charger that is connected and obeys, with no fault near it from a while before the cut
until it has followed: no frame lost, late, twice or out of order, no refusal, deafness, slowness or
reboot, no new line, no crash of csms, and no commit of csms that was slow or failed. It has
followed when what it could draw is no more than what csms told it after the cut, or when the cut
holds. One of which nothing is needed, as what the others were told makes room enough, has nothing
to follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from csms.station.model import ConnectorKey

DISTURBED_S = 6.0
"""A slow commit is over by then."""

GIVEN_UP_S = 70.0
"""Who has not followed by then counts with this time."""


@dataclass(slots=True)
class NearCuts:
    """`took_s`: one number for each cut and each charger in reach that had to follow it.

    `least_w`: what each charger is left whatever happens, its fallbacks.
    """

    took_s: list[float]
    least_w: Mapping[str, int]
    say: Callable[[str], None]
    _pending: dict[str, tuple[float, float]] = field(default_factory=dict)
    _told_w: dict[ConnectorKey, int] = field(default_factory=dict)
    _told_at: dict[ConnectorKey, float] = field(default_factory=dict)
    _disturbed_at: float = -1e9

    def begin(self, now: float, near_w: Mapping[str, float]) -> None:
        """The station was given less, while those in reach could draw so much.

        Those who still follow an earlier cut go on with that.
        """
        if not self._pending:
            # The limits of this very cut may have gone out before it was told here.
            now_told = {k: w for k, w in self._told_w.items() if self._told_at[k] == now}
            self._told_w = now_told
        if now - self._disturbed_at > DISTURBED_S:
            for charger_id, watts in near_w.items():
                self._pending.setdefault(charger_id, (now, watts))

    def disturbed(self, now: float) -> None:
        """A fault of csms itself: of nobody can be said how long it would have taken."""
        self._disturbed_at = now
        self._pending.clear()

    def touched(self, charger_id: str) -> None:
        """A fault near this charger."""
        self._pending.pop(charger_id, None)

    def told(self, now: float, key: ConnectorKey, value_w: int) -> None:
        """A limit goes out: csms tells a session's limit."""
        self._told_w[key] = value_w
        self._told_at[key] = now

    def look(
        self, now: float, physics_w: Mapping[str, Mapping[int, float]], allowed_w: float
    ) -> None:
        """See who has followed. `physics_w`: what each connector of each charger could draw."""
        if not self._pending:
            return
        could_w = {charger_id: sum(watts.values()) for charger_id, watts in physics_w.items()}
        told_w = {charger_id: self._told(charger_id, w) for charger_id, w in physics_w.items()}
        holds = sum(could_w.values()) <= allowed_w
        enough = sum(told_w.values()) <= allowed_w
        for charger_id, (since, before_w) in list(self._pending.items()):
            follows = could_w[charger_id] <= told_w[charger_id] + 1.0
            lowered = follows and told_w[charger_id] < before_w - 1.0
            needless = follows and (enough or could_w[charger_id] <= self.least_w[charger_id])
            if lowered or holds or now - since >= GIVEN_UP_S:
                if now > since:
                    self.took_s.append(now - since)
                    self.say(f"{charger_id} followed the cut after {now - since:.2f} s")
            elif not needless:
                continue
            del self._pending[charger_id]

    def _told(self, charger_id: str, watts: Mapping[int, float]) -> float:
        """What it could draw as soon as it does what it was told after the cut."""
        return sum(
            min(w, self._told_w.get(ConnectorKey(charger_id, number), w))
            for number, w in watts.items()
        )
