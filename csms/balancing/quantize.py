"""Watts in the steps a charger can be told.

A limit is written with at most one decimal (OCPP 1.6 §7.14 ChargingSchedulePeriod). In watts that
is finer than ours; in amperes per phase a step is 0.1 A on every phase, and some chargers take only
larger ones. Never rounds up.
"""

from __future__ import annotations

from csms.station.model import Connector, RateUnit

STEPS_PER_AMPERE = 10
SMALLEST_STEP_A = 1 / STEPS_PER_AMPERE


def quantum_w(connector: Connector, unit: RateUnit, step_a: float = SMALLEST_STEP_A) -> int:
    """The watts of one step of a limit on this connector, at least 1.

    `step_a` is the step this charger takes in amperes; less than 0.1 A counts as 0.1 A. Where a
    step on all phases is not a whole number of watts, the next larger one: then every quantum given
    buys a step.
    """
    if unit is RateUnit.WATTS:
        return 1
    tenths = max(1, round(step_a * STEPS_PER_AMPERE))
    per_ampere_w = connector.phases * connector.voltage_v
    return max(1, -(-per_ampere_w * tenths // STEPS_PER_AMPERE))


def amperes(limit_w: int, phases: int, voltage_v: int) -> float:
    """The amperes per phase, in tenths, that draw no more than `limit_w` watts in total.

    Raises ValueError for a negative limit, or for phases or a voltage that are not positive.
    """
    if limit_w < 0 or phases < 1 or voltage_v < 1:
        raise ValueError(f"{limit_w} W on {phases} phases of {voltage_v} V is not a current")
    return limit_w * STEPS_PER_AMPERE // (phases * voltage_v) / STEPS_PER_AMPERE
