from __future__ import annotations

import pytest

from csms.dispatch.commands import Form, Kind, Purpose
from csms.station.model import CurrentType, RateUnit

AC, DC = CurrentType.AC, CurrentType.DC
WATTS, AMPERES = RateUnit.WATTS, RateUnit.AMPERES


@pytest.mark.parametrize(
    ("unit", "current_type", "phases", "told"),
    [
        (WATTS, AC, 3, True),
        (WATTS, AC, 1, True),
        (WATTS, DC, 3, False),
        (WATTS, DC, 1, False),
        (AMPERES, AC, 3, False),
        (AMPERES, AC, 2, True),
        (AMPERES, AC, 1, True),
        (AMPERES, DC, 3, False),
    ],
)
def test_the_usual_rule_of_when_phases_are_told(
    unit: RateUnit, current_type: CurrentType, phases: int, told: bool
) -> None:
    assert Form(Purpose.SESSION, unit).names_phases(current_type, phases) is told


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("unit", list(RateUnit))
def test_a_form_may_break_the_rule(told: bool, unit: RateUnit) -> None:
    form = Form(Purpose.SESSION, unit, tells_phases=told)
    assert form.names_phases(AC, 1) is told
    assert form.names_phases(AC, 3) is told


@pytest.mark.parametrize(
    ("periods", "kind", "carries"),
    [
        (2, Kind.ABSOLUTE, True),
        (1, Kind.ABSOLUTE, False),
        (2, Kind.RELATIVE, False),
        (1, Kind.RELATIVE, False),
    ],
)
def test_only_two_absolute_periods_carry_an_end(periods: int, kind: Kind, carries: bool) -> None:
    assert Form(Purpose.DEFAULT, WATTS, periods=periods, kind=kind).carries_end is carries
