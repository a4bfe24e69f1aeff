"""Whether the show kept its promise: the limits that may be in force never above the grid's."""

from __future__ import annotations

from dataclasses import dataclass

from csms.control.status import StationStatus
from csms.dispatch.standing import Condition
from csms.station.units import render_kw

CUT_S = 2.0
"""How long a lowered grid limit may take to reach the chargers."""

NOT_YET = {Condition.NEVER_SEEN, Condition.REGISTERING}


@dataclass(slots=True)
class LimitWatch:
    """Looks at every status of the station.

    A charger that has just connected counts at its hardware maximum until it has confirmed its
    fallback. That is caution, not power: the station is judged once every charger has done so.
    """

    grid_limit_w: int | None = None
    changed_at: float = 0.0
    peak_w: int = 0
    exceeded: str = ""
    under_control: bool = False

    def observe(self, status: StationStatus) -> None:
        """Take the station's status at one moment."""
        if status.grid_limit_w != self.grid_limit_w:
            self.grid_limit_w = status.grid_limit_w
            self.changed_at = status.at
        if not self.under_control:
            self.under_control = all(c.condition not in NOT_YET for c in status.chargers)
            return
        self.peak_w = max(self.peak_w, status.worst_case_w)
        if status.overcommitted and status.at - self.changed_at > CUT_S and not self.exceeded:
            self.exceeded = (
                f"limits that may be in force sum to {render_kw(status.worst_case_w)} kW, "
                f"but {render_kw(status.available_w)} kW are available"
            )
