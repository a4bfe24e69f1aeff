"""What a charge point is built of, and how its connectors share its power (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from simulators.charge_point.profiles import RateUnit


class CurrentType(StrEnum):
    """What comes out of a connector."""

    AC = "AC"
    DC = "DC"


@dataclass(frozen=True, slots=True)
class ConnectorHardware:
    """One outlet. `connector_id` counts from 1."""

    connector_id: int
    max_w: float
    current_type: CurrentType = CurrentType.DC
    phases: int = 3
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """One charge point. `max_w` is what all its connectors can give together."""

    charger_id: str
    max_w: float
    connectors: tuple[ConnectorHardware, ...]
    vendor: str = "Simulated"
    model: str = "Charge point"
    rate_units: frozenset[RateUnit] = frozenset(RateUnit)

    @classmethod
    def uniform(
        cls,
        charger_id: str,
        max_w: float,
        connectors: int = 1,
        current_type: CurrentType = CurrentType.DC,
        phases: int = 3,
    ) -> Hardware:
        """A charge point whose connectors are alike and can each give all its power."""
        return cls(
            charger_id,
            max_w,
            tuple(
                ConnectorHardware(number, max_w, current_type, phases)
                for number in range(1, connectors + 1)
            ),
        )


def share_out(wishes_w: Sequence[float], cap_w: float) -> list[float]:
    """Split `cap_w` max-min fairly: nobody above its wish, nobody cut who wished for less."""
    shares = [0.0] * len(wishes_w)
    left_w = max(0.0, cap_w)
    rising = sorted(range(len(wishes_w)), key=lambda index: wishes_w[index])
    for position, index in enumerate(rising):
        shares[index] = min(wishes_w[index], left_w / (len(rising) - position))
        left_w -= shares[index]
    return shares
