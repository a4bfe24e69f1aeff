"""A connector's meter and the MeterValues it gives (pure).

Energy is power integrated over scenario time; what a message carries is OCPP 1.6 §7.33.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulators.charge_point.hardware import CurrentType

SECONDS_PER_HOUR = 3600.0
DC_VOLTAGE_V = 400.0


@dataclass(slots=True)
class Meter:
    """An energy register that only rises. `read_at` is scenario seconds."""

    energy_wh: float = 0.0
    power_w: float = 0.0
    read_at: float = 0.0

    def advance(self, now: float) -> float:
        """Count the time since the last reading at the power that flowed; returns the Wh gained."""
        gained_wh = self.power_w * max(0.0, now - self.read_at) / SECONDS_PER_HOUR
        self.energy_wh += gained_wh
        self.read_at = max(now, self.read_at)
        return gained_wh

    @property
    def register_wh(self) -> int:
        """What the register shows: whole watt-hours, as StartTransaction carries them (§6.45)."""
        return int(self.energy_wh)


@dataclass(frozen=True, slots=True)
class Reading:
    """All a connector can report at one moment. `soc_pct` None when the vehicle does not tell."""

    energy_wh: int
    power_w: float
    offered_w: float
    soc_pct: float | None = None
    current_type: CurrentType = CurrentType.DC
    phases: int = 3
    voltage_v: float = 230.0


def _sample(value: float, measurand: str, unit: str, phase: str | None = None) -> dict[str, str]:
    sample = {"value": f"{value:.1f}", "measurand": measurand, "unit": unit}
    if phase is not None:
        sample["phase"] = phase
    return sample


def _energy(reading: Reading, measurand: str) -> list[dict[str, str]]:
    return [{"value": str(reading.energy_wh), "measurand": measurand, "unit": "Wh"}]


def _power(reading: Reading, measurand: str) -> list[dict[str, str]]:
    return [_sample(reading.power_w, measurand, "W")]


def _offered(reading: Reading, measurand: str) -> list[dict[str, str]]:
    return [_sample(reading.offered_w, measurand, "W")]


def _current(reading: Reading, measurand: str) -> list[dict[str, str]]:
    if reading.current_type is CurrentType.DC:
        return [_sample(reading.power_w / DC_VOLTAGE_V, measurand, "A")]
    each_a = reading.power_w / (reading.phases * reading.voltage_v)
    return [_sample(each_a, measurand, "A", f"L{n}") for n in range(1, reading.phases + 1)]


def _voltage(reading: Reading, measurand: str) -> list[dict[str, str]]:
    if reading.current_type is CurrentType.DC:
        return [_sample(DC_VOLTAGE_V, measurand, "V")]
    return [
        _sample(reading.voltage_v, measurand, "V", f"L{n}-N") for n in range(1, reading.phases + 1)
    ]


def _soc(reading: Reading, measurand: str) -> list[dict[str, str]]:
    return [] if reading.soc_pct is None else [_sample(reading.soc_pct, measurand, "Percent")]


_MEASURANDS: dict[str, Callable[[Reading, str], list[dict[str, str]]]] = {
    "Energy.Active.Import.Register": _energy,
    "Power.Active.Import": _power,
    "Power.Offered": _offered,
    "Current.Import": _current,
    "Voltage": _voltage,
    "SoC": _soc,
}
SUPPORTED_MEASURANDS = frozenset(_MEASURANDS)


def sampled_values(
    reading: Reading, measurands: Iterable[str], context: str = "Sample.Periodic"
) -> list[dict[str, str]]:
    """The sampledValue list for these measurands; unknown ones are left out.

    Never empty, which §7.33 forbids: with nothing else to say, the energy register.
    """
    wanted = [m for m in measurands if m in _MEASURANDS] or ["Energy.Active.Import.Register"]
    samples = [sample for m in wanted for sample in _MEASURANDS[m](reading, m)]
    if not samples:
        samples = _energy(reading, "Energy.Active.Import.Register")
    return [sample | {"context": context} for sample in samples]
