"""The numbers of the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """How eagerly limits are pushed.

    `dead_band_w`, `dead_band_fraction`: a raise that only follows a demand must be at least the
    larger of the two. `raise_spacing_s`: least time between two such raises of one connector
    (chargers write every profile to flash), and longer until the raise would by then have brought
    `raise_worth_wh`. `patience_s`: how long a raise waits for outstanding lowers before it takes
    what room there is. `retry_after_s`: waits before the first, second, … repeat of a refused or
    unanswered limit; the last one goes on. `registration_grace_s`: how long after connecting a
    charger may take to confirm its fallbacks before others are lowered for it.

    `lease_s`: a limit that is not renewed ends this long after it was sent. `clock_skew_s`: by how
    much a charger's clock may be wrong while it is still trusted to keep to that end.
    """

    dead_band_w: int = 1_000
    dead_band_fraction: float = 0.02
    raise_spacing_s: float = 30.0
    raise_worth_wh: float = 150.0
    patience_s: float = 2.0
    retry_after_s: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0)
    registration_grace_s: float = 15.0
    lease_s: float = 300.0
    clock_skew_s: float = 60.0

    def renew_at(self, sent_at: float, expires_at: float) -> float:
        """When a limit sent then, with that end, is to be sent again: at half its life."""
        return (sent_at + expires_at) / 2

    def dead_band(self, value_w: int) -> int:
        """The least step worth pushing from this value, in watts."""
        return max(self.dead_band_w, int(value_w * self.dead_band_fraction))
