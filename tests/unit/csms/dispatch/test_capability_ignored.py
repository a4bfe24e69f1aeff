"""What is tried when a charger accepts limits and does not obey them."""

from __future__ import annotations

from csms.dispatch.capability import Capability, Proof, another_form, ladder
from csms.dispatch.commands import Form, Kind, Purpose, Scope
from csms.station.model import Connector, ConnectorKey, CurrentType, RateUnit

AC = Connector(ConnectorKey("CP001", 1), 22_000, CurrentType.AC)
TX = Form(Purpose.SESSION, RateUnit.AMPERES)


def test_every_form_of_the_purpose_on_the_level_is_tried_in_turn() -> None:
    known = Capability(unit=RateUnit.AMPERES, session_form=TX)
    tried, form = [], TX
    while (following := another_form(known, Scope.SESSION, AC, form)) is not None:
        tried.append(following)
        form = following
    assert tried == [
        Form(Purpose.SESSION, RateUnit.AMPERES, periods=1),
        Form(Purpose.SESSION, RateUnit.AMPERES, periods=1, kind=Kind.RELATIVE),
        Form(Purpose.SESSION, RateUnit.WATTS),
        Form(Purpose.SESSION, RateUnit.AMPERES, tells_phases=True),
    ]


def test_a_form_that_is_not_in_the_ladder_is_followed_by_none() -> None:
    unknown = Form(Purpose.SESSION, RateUnit.AMPERES, stack_level=3)
    assert unknown not in ladder(Scope.SESSION, AC, Capability())
    assert another_form(Capability(), Scope.SESSION, AC, unknown) is None


def test_a_charger_that_was_commissioned_is_told_as_before() -> None:
    known = Capability(unit=RateUnit.AMPERES, session_form=TX, lease=Proof.YES)
    assert another_form(known, Scope.SESSION, AC, TX) is None
