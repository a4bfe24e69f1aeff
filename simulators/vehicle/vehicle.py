"""What vehicles draw when they are offered power (pure).

Times are scenario seconds. A vehicle remembers when it was first offered power, so ask it with
times that do not go back; asking twice at the same time changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from simulators.vehicle.battery import TYPICAL_DC_CURVE, PowerCurve, TractionBattery

# IEC 61851-1: the least current a control pilot can signal; below it an AC vehicle pauses.
AC_FLOOR_A = 6.0


@dataclass(frozen=True, slots=True)
class Outlet:
    """What the vehicle is plugged into: AC phases and voltage to neutral. DC ignores both."""

    phases: int = 3
    voltage_v: float = 230.0


class Vehicle(Protocol):
    """Something that draws power."""

    @property
    def max_w(self) -> float:
        """The most it ever draws: what a driver would declare."""
        ...

    @property
    def soc_pct(self) -> float | None:
        """State of charge, None when the charger cannot know it."""
        ...

    def power_w(self, offered_w: float, now: float, outlet: Outlet) -> float:
        """What it draws at `now` when offered this much: 0 to `offered_w`."""
        ...

    def charged(self, energy_wh: float) -> None:
        """Take this much energy in."""
        ...

    def want(self, power_w: float) -> None:
        """From now on it wants at most this power."""
        ...


class Ramp:
    """The start of charging: nothing for `wake_s`, then full power `ramp_s` later, linearly.

    The wait is once per plug-in; after a pause only the ramp comes again.
    """

    def __init__(self, wake_s: float, ramp_s: float) -> None:
        self._wake_s = wake_s
        self._ramp_s = ramp_s
        self._offered_since: float | None = None
        self._awake_at: float | None = None

    def share(self, *, offered: bool, now: float) -> float:
        """The part of its power, 0 to 1, that the vehicle can use at `now`."""
        if not offered:
            self._offered_since = None
            return 0.0
        if self._offered_since is None:
            self._offered_since = now
        if self._awake_at is None:
            self._awake_at = now + self._wake_s
        drawing_for_s = now - max(self._offered_since, self._awake_at)
        if drawing_for_s < 0:
            return 0.0
        return 1.0 if drawing_for_s >= self._ramp_s else drawing_for_s / self._ramp_s


class ConstantVehicle:
    """Draws the same power for ever, at once: for scenarios with exact numbers."""

    def __init__(self, max_w: float, draws_w: float | None = None) -> None:
        self.max_w = max_w
        self.soc_pct: float | None = None
        self._draws_w = max_w if draws_w is None else draws_w

    def power_w(self, offered_w: float, now: float, outlet: Outlet) -> float:  # noqa: ARG002
        """The smaller of what is offered and what it wants."""
        return max(0.0, min(offered_w, self._draws_w))

    def charged(self, energy_wh: float) -> None:
        """Energy goes in without an end."""

    def want(self, power_w: float) -> None:
        """Draw at most this much from now on."""
        self._draws_w = power_w


class DcVehicle:
    """Draws along a power curve over its state of charge, after a start like a real car's."""

    def __init__(
        self,
        battery: TractionBattery,
        max_w: float,
        *,
        curve: PowerCurve = TYPICAL_DC_CURVE,
        wake_s: float = 10.0,
        ramp_s: float = 5.0,
    ) -> None:
        self.max_w = max_w
        self._battery = battery
        self._curve = curve.scaled(max_w)
        self._ramp = Ramp(wake_s, ramp_s)
        self._wanted_w = max_w

    @property
    def soc_pct(self) -> float | None:
        """State of charge: DC communication tells the charger."""
        return self._battery.soc_pct

    def power_w(self, offered_w: float, now: float, outlet: Outlet) -> float:  # noqa: ARG002
        """The smallest of the offer, the curve and what it wants; 0 when full."""
        share = self._ramp.share(offered=offered_w > 0, now=now)
        if self._battery.full:
            return 0.0
        taken_w = min(self._curve.power_w(self._battery.soc_pct), self._wanted_w) * share
        return max(0.0, min(offered_w, taken_w))

    def charged(self, energy_wh: float) -> None:
        """Fill the battery."""
        self._battery.add(energy_wh)

    def want(self, power_w: float) -> None:
        """Draw at most this much from now on."""
        self._wanted_w = power_w


class AcVehicle:
    """Draws through an on-board charger: 1 to 3 phases, and nothing below 6 A per phase."""

    def __init__(
        self,
        battery: TractionBattery,
        *,
        phases: int = 3,
        max_a: float = 16.0,
        wake_s: float = 5.0,
        ramp_s: float = 3.0,
        voltage_v: float = 230.0,
    ) -> None:
        self.max_w = phases * max_a * voltage_v
        self._battery = battery
        self._phases = phases
        self._max_a = max_a
        self._voltage_v = voltage_v
        self._ramp = Ramp(wake_s, ramp_s)

    @property
    def soc_pct(self) -> float | None:
        """None: an AC charger is not told."""
        return None

    def power_w(self, offered_w: float, now: float, outlet: Outlet) -> float:
        """Its phases, each at the offered current or its own maximum.

        The offer is spread over the outlet's phases, so a one-phase vehicle on a three-phase outlet
        draws a third of it at most.
        """
        offered_a = offered_w / (outlet.phases * outlet.voltage_v)
        # A hair of tolerance: 4140 W on three phases of 230 V is 6 A but for the last binary digit.
        enough = offered_a >= AC_FLOOR_A - 1e-9
        share = self._ramp.share(offered=enough, now=now)
        if not enough or self._battery.full:
            return 0.0
        phases = min(self._phases, outlet.phases)
        return min(offered_a, self._max_a) * share * outlet.voltage_v * phases

    def charged(self, energy_wh: float) -> None:
        """Fill the battery."""
        self._battery.add(energy_wh)

    def want(self, power_w: float) -> None:
        """Turn the on-board charger to this power in total."""
        self._max_a = power_w / (self._phases * self._voltage_v)
