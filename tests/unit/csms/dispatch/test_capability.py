from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.dispatch.capability import (
    AtZero,
    Capability,
    Lesson,
    Pins,
    Proof,
    after_acceptance,
    after_refusal,
    document,
    floor_of,
    ladder,
    merge,
    over,
    parse,
    trusts_resume,
    unit_of,
)
from csms.dispatch.commands import Form, Kind, Purpose, Scope
from csms.station.model import Charger, Connector, ConnectorKey, CurrentType, RateUnit, Told

WATTS, AMPERES = RateUnit.WATTS, RateUnit.AMPERES
SESSION, DEFAULT, CHARGER = Purpose.SESSION, Purpose.DEFAULT, Purpose.CHARGER
KEY = ConnectorKey("CP001", 1)
AC = Connector(KEY, 22_000, CurrentType.AC)
ONE_PHASE = Connector(KEY, 7_400, CurrentType.AC, phases=1)
DC = Connector(KEY, 50_000)
NOTHING = Capability()
FULL = Capability(
    unit=WATTS,
    session_form=Form(SESSION, WATTS, 8, 1, Kind.RELATIVE, tells_phases=True),
    default_form=Form(DEFAULT, AMPERES),
    lacks=frozenset({CHARGER, SESSION}),
    step_a=1.0,
    at_zero=AtZero.STOP,
    lease=Proof.YES,
    survives_reconnect=Proof.NO,
    survives_reboot=Proof.YES,
    answers=Proof.NO,
    applies_default_at_once=Proof.NO,
    smart_charging=Proof.YES,
    max_stack_level=3,
    max_periods=1,
    max_profiles=2,
)

forms = st.builds(
    Form,
    st.sampled_from(Purpose),
    st.sampled_from(RateUnit),
    st.integers(0, 9),
    st.integers(1, 3),
    st.sampled_from(Kind),
    st.none() | st.booleans(),
)
pins = st.builds(
    Pins,
    st.none() | st.sampled_from(RateUnit),
    st.none() | st.sampled_from(Purpose),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(1, 2),
    st.none() | st.sampled_from(Proof),
)
capabilities = st.builds(
    Capability,
    unit=st.none() | st.sampled_from(RateUnit),
    session_form=st.none() | forms,
    default_form=st.none() | forms,
    lacks=st.frozensets(st.sampled_from(Purpose)),
    step_a=st.sampled_from((0.1, 0.5, 1.0, 32.0)),
    at_zero=st.sampled_from(AtZero),
    lease=st.sampled_from(Proof),
    survives_reboot=st.sampled_from(Proof),
    answers=st.sampled_from(Proof),
    max_stack_level=st.none() | st.integers(0, 20),
    max_periods=st.none() | st.integers(0, 4),
    pins=pins,
)
connectors = st.sampled_from((AC, ONE_PHASE, DC))
scopes = st.sampled_from(Scope)


def on_ac(said: Told | None = None, unit: RateUnit | None = None) -> Charger:
    return Charger("CP001", 22_000, (AC,), rate_unit=unit, capabilities=said or Told())


# ------------------------------------------------------------------------------ the unit


@pytest.mark.parametrize(
    ("connector", "capability", "unit"),
    [
        (AC, NOTHING, AMPERES),
        (AC, Capability(unit=WATTS), WATTS),
        (AC, Capability(unit=WATTS, pins=Pins(unit=AMPERES)), AMPERES),
        (DC, NOTHING, WATTS),
        (DC, Capability(unit=AMPERES), WATTS),
        (DC, Capability(pins=Pins(unit=AMPERES)), AMPERES),
    ],
)
def test_the_unit_of_a_connector(
    connector: Connector, capability: Capability, unit: RateUnit
) -> None:
    assert unit_of(connector, capability) is unit


# ------------------------------------------------------------------------------ the ladder


def test_the_whole_ladder_of_a_session() -> None:
    assert ladder(Scope.SESSION, AC, NOTHING, alone=True) == (
        Form(SESSION, AMPERES),
        Form(SESSION, AMPERES, periods=1),
        Form(SESSION, AMPERES, periods=1, kind=Kind.RELATIVE),
        Form(SESSION, AMPERES, stack_level=1),
        Form(SESSION, AMPERES, stack_level=8),
        Form(SESSION, WATTS),
        Form(SESSION, AMPERES, tells_phases=True),
        Form(DEFAULT, AMPERES),
        Form(DEFAULT, AMPERES, periods=1),
        Form(CHARGER, AMPERES, periods=1),
    )


def test_the_whole_ladder_of_a_fallback() -> None:
    assert ladder(Scope.DEFAULT, AC, NOTHING, alone=True) == (
        Form(DEFAULT, AMPERES, periods=1),
        Form(DEFAULT, AMPERES, periods=1, kind=Kind.RELATIVE),
        Form(DEFAULT, WATTS, periods=1),
        Form(DEFAULT, AMPERES, stack_level=1, periods=1),
        Form(DEFAULT, AMPERES, stack_level=8, periods=1),
        Form(DEFAULT, AMPERES, periods=1, tells_phases=True),
        Form(CHARGER, AMPERES, periods=1),
    )


@pytest.mark.parametrize("scope", list(Scope))
def test_dc_is_never_told_amperes_unless_the_operator_says_so(scope: Scope) -> None:
    assert {form.unit for form in ladder(scope, DC, Capability(unit=AMPERES))} == {WATTS}
    pinned = Capability(pins=Pins(unit=AMPERES))
    assert {form.unit for form in ladder(scope, DC, pinned)} == {AMPERES}


def test_one_phase_is_told_first_and_then_not() -> None:
    found = ladder(Scope.SESSION, ONE_PHASE, NOTHING)
    assert [form.names_phases(CurrentType.AC, 1) for form in found] == [
        *[True] * 6,
        False,
        *[True] * 2,
    ]


@pytest.mark.parametrize(
    ("highest", "levels"),
    [(None, [0, 1, 8]), (10, [0, 1, 8]), (3, [0, 1, 3]), (1, [0, 1]), (0, [0])],
)
def test_no_level_is_tried_above_the_highest_a_charger_says(
    highest: int | None, levels: list[int]
) -> None:
    found = ladder(Scope.SESSION, AC, Capability(max_stack_level=highest))
    assert list(dict.fromkeys(form.stack_level for form in found)) == levels


def test_a_charger_that_says_it_takes_one_period_is_given_one() -> None:
    assert {form.periods for form in ladder(Scope.SESSION, AC, Capability(max_periods=1))} == {1}
    assert {form.periods for form in ladder(Scope.SESSION, AC, Capability(max_periods=24))} == {
        1,
        2,
    }


def test_what_worked_comes_first_and_once() -> None:
    worked = Form(SESSION, AMPERES, stack_level=1)
    found = ladder(Scope.SESSION, AC, Capability(session_form=worked))
    top = ladder(Scope.SESSION, AC, NOTHING)
    assert found == (worked, *(form for form in top if form != worked))
    fallback = Form(DEFAULT, AMPERES, periods=1, kind=Kind.RELATIVE)
    assert ladder(Scope.DEFAULT, AC, Capability(default_form=fallback))[0] == fallback


def test_what_worked_in_one_unit_is_written_in_that_of_the_connector() -> None:
    worked = Capability(unit=AMPERES, session_form=Form(SESSION, AMPERES, stack_level=1))
    assert ladder(Scope.SESSION, DC, worked)[0] == Form(SESSION, WATTS, stack_level=1)
    worked = Capability(unit=AMPERES, session_form=Form(SESSION, WATTS, stack_level=1))
    assert ladder(Scope.SESSION, AC, worked)[0] == Form(SESSION, AMPERES, stack_level=1)


@pytest.mark.parametrize("scope", list(Scope))
def test_the_charger_as_a_whole_is_limited_only_when_it_has_one_connector(scope: Scope) -> None:
    worked = Form(CHARGER, AMPERES, periods=1)
    known = Capability(session_form=worked, default_form=worked)
    assert worked in ladder(scope, AC, known, alone=True)
    assert worked not in ladder(scope, AC, known)


def test_a_fallback_is_never_written_for_a_session() -> None:
    known = Capability(default_form=Form(SESSION, AMPERES))
    assert ladder(Scope.DEFAULT, AC, known) == ladder(Scope.DEFAULT, AC, NOTHING)


def test_a_purpose_the_charger_lacks_is_left_out_unless_it_lacks_all() -> None:
    lacking = Capability(lacks=frozenset({SESSION}))
    assert {form.purpose for form in ladder(Scope.SESSION, AC, lacking)} == {DEFAULT}
    without = Capability(lacks=frozenset(Purpose))
    assert ladder(Scope.SESSION, AC, without) == ladder(Scope.SESSION, AC, NOTHING)


def test_what_the_operator_lays_down_is_not_tried_otherwise() -> None:
    laid = Pins(unit=WATTS, purpose=SESSION, stack_level=3, periods=1)
    assert ladder(Scope.SESSION, AC, Capability(max_periods=2, pins=laid), alone=True) == (
        Form(SESSION, WATTS, 3, 1),
        Form(SESSION, WATTS, 3, 1, Kind.RELATIVE),
        Form(SESSION, WATTS, 3, 1, tells_phases=False),
    )
    assert {f.purpose for f in ladder(Scope.DEFAULT, AC, Capability(pins=laid))} == {DEFAULT}


def test_periods_laid_down_win_over_what_the_charger_says() -> None:
    known = Capability(max_periods=1, pins=Pins(periods=2))
    assert ladder(Scope.SESSION, AC, known)[0] == Form(SESSION, AMPERES, periods=2)


def test_a_purpose_laid_down_that_cannot_be_is_passed_over() -> None:
    known = Capability(pins=Pins(purpose=CHARGER))
    assert ladder(Scope.SESSION, AC, known)[0] == Form(SESSION, AMPERES)
    assert ladder(Scope.SESSION, AC, known, alone=True) == (Form(CHARGER, AMPERES, periods=1),)


@given(scopes, connectors, capabilities, st.booleans())
def test_every_ladder_is_short_and_without_repeats(
    scope: Scope, connector: Connector, capability: Capability, alone: bool
) -> None:
    found = ladder(scope, connector, capability, alone=alone)
    assert 1 <= len(found) <= 11
    assert len(set(found)) == len(found)
    assert found == ladder(scope, connector, capability, alone=alone)
    for form in found:
        assert form.kind is Kind.ABSOLUTE or not form.carries_end
        assert scope is Scope.SESSION or form.purpose is not SESSION
        assert alone or form.purpose is not CHARGER
        assert connector is not DC or form.unit is (capability.pins.unit or WATTS)


# ------------------------------------------------------------------------------ one slot for two


@pytest.mark.parametrize(
    ("capability", "shares"),
    [
        (NOTHING, False),
        (Capability(session_form=Form(SESSION, WATTS)), False),
        (Capability(session_form=Form(DEFAULT, WATTS)), True),
        (Capability(session_form=Form(CHARGER, WATTS)), True),
        (Capability(default_form=Form(DEFAULT, WATTS)), False),
        (Capability(pins=Pins(purpose=DEFAULT)), True),
        (Capability(session_form=Form(DEFAULT, WATTS), pins=Pins(purpose=SESSION)), False),
    ],
)
def test_a_session_and_the_fallback_may_share_one_profile(
    capability: Capability, shares: bool
) -> None:
    assert capability.shares_slot is shares
    assert capability.session_scope is (Scope.DEFAULT if shares else Scope.SESSION)


def test_a_shared_profile_is_tried_with_an_end_first() -> None:
    worked = Form(DEFAULT, AMPERES, stack_level=1)
    learned = Capability(session_form=worked, default_form=Form(DEFAULT, AMPERES, periods=1))
    assert ladder(Scope.DEFAULT, AC, learned)[:3] == (
        worked,
        Form(DEFAULT, AMPERES),
        Form(DEFAULT, AMPERES, periods=1),
    )
    laid = Capability(pins=Pins(purpose=DEFAULT))
    assert ladder(Scope.DEFAULT, AC, laid)[0] == Form(DEFAULT, AMPERES)


def test_a_shared_profile_of_the_whole_charger_is_laid_down_for_the_fallback_too() -> None:
    laid = Capability(pins=Pins(purpose=CHARGER))
    assert ladder(Scope.DEFAULT, AC, laid, alone=True) == (Form(CHARGER, AMPERES, periods=1),)


def test_what_is_accepted_in_the_shared_slot_is_known_of_both() -> None:
    before = Capability(session_form=Form(DEFAULT, AMPERES), lease=Proof.YES)
    form = Form(DEFAULT, AMPERES, periods=1)
    learned = after_acceptance(before, Scope.DEFAULT, AC, form)
    assert (learned.session_form, learned.default_form) == (form, form)
    assert learned.lease is Proof.YES
    assert not learned.trusts_end(form)


# ------------------------------------------------------------------------------ what is learned


def test_what_is_accepted_is_what_worked() -> None:
    form = Form(SESSION, WATTS, stack_level=1)
    before = Capability(unit=AMPERES, lacks=frozenset({SESSION, CHARGER}))
    assert after_acceptance(before, Scope.SESSION, AC, form) == Capability(
        unit=WATTS, session_form=form, lacks=frozenset({CHARGER}), answers=Proof.YES
    )


def test_a_fallback_that_is_accepted_says_nothing_of_sessions() -> None:
    form = Form(DEFAULT, AMPERES, periods=1)
    assert after_acceptance(NOTHING, Scope.DEFAULT, AC, form) == Capability(
        unit=AMPERES, default_form=form, answers=Proof.YES
    )


def test_what_dc_takes_says_nothing_of_the_unit_of_ac() -> None:
    form = Form(SESSION, WATTS)
    learned = after_acceptance(Capability(unit=AMPERES), Scope.SESSION, DC, form)
    assert learned == Capability(unit=AMPERES, session_form=form, answers=Proof.YES)


@pytest.mark.parametrize(
    ("change", "lease"),
    [
        ({}, Proof.YES),
        ({"periods": 1}, Proof.YES),
        ({"unit": WATTS}, Proof.YES),
        ({"purpose": DEFAULT}, Proof.UNKNOWN),
        ({"stack_level": 1}, Proof.UNKNOWN),
        ({"kind": Kind.RELATIVE}, Proof.UNKNOWN),
    ],
)
def test_a_lease_shown_of_one_form_is_not_shown_of_another(
    change: dict[str, Any], lease: Proof
) -> None:
    form = Form(SESSION, AMPERES)
    before = Capability(session_form=form, lease=Proof.YES)
    assert after_acceptance(before, Scope.SESSION, AC, replace(form, **change)).lease is lease


def test_a_lease_the_operator_vouches_for_stays() -> None:
    before = Capability(session_form=Form(SESSION, AMPERES), lease=Proof.YES)
    before = replace(before, pins=Pins(lease=Proof.YES))
    learned = after_acceptance(before, Scope.SESSION, AC, Form(DEFAULT, AMPERES))
    assert learned.lease is Proof.YES


@pytest.mark.parametrize("lease", list(Proof))
def test_an_end_is_trusted_only_where_it_was_shown_and_written(lease: Proof) -> None:
    known = Capability(lease=lease)
    assert known.trusts_end(Form(SESSION, WATTS)) is (lease is Proof.YES)
    assert not known.trusts_end(Form(SESSION, WATTS, periods=1))
    assert not known.trusts_end(Form(SESSION, WATTS, kind=Kind.RELATIVE))


def test_after_a_refusal_the_next_form_is_tried() -> None:
    first, second, *_ = ladder(Scope.SESSION, AC, NOTHING)
    assert after_refusal(NOTHING, Scope.SESSION, AC, first) == Lesson(
        Capability(answers=Proof.YES), second
    )


def test_a_purpose_the_charger_does_not_know_is_not_tried_any_more() -> None:
    lesson = after_refusal(NOTHING, Scope.SESSION, AC, Form(SESSION, AMPERES), unsupported=True)
    assert lesson == Lesson(
        Capability(answers=Proof.YES, lacks=frozenset({SESSION})), Form(DEFAULT, AMPERES)
    )


def test_after_the_last_form_the_first_is_tried_again() -> None:
    found = ladder(Scope.SESSION, AC, NOTHING)
    lesson = after_refusal(NOTHING, Scope.SESSION, AC, found[-1])
    assert lesson == Lesson(Capability(answers=Proof.YES), found[0], exhausted=True)


def test_a_charger_that_knows_no_purpose_is_asked_again_from_the_top() -> None:
    known, form, exhausted = NOTHING, Form(SESSION, AMPERES), False
    refused = []
    while not exhausted:
        refused.append(form.purpose)
        lesson = after_refusal(known, Scope.SESSION, AC, form, unsupported=True, alone=True)
        known, form, exhausted = lesson.capability, lesson.form, lesson.exhausted
    assert refused == [SESSION, DEFAULT, CHARGER]
    assert (known.lacks, form) == (frozenset(), Form(SESSION, AMPERES))


def test_a_form_that_is_not_tried_any_more_is_followed_by_the_first() -> None:
    lesson = after_refusal(NOTHING, Scope.SESSION, AC, Form(SESSION, AMPERES, stack_level=77))
    assert (lesson.form, lesson.exhausted) == (Form(SESSION, AMPERES), False)


def test_what_worked_once_is_where_a_session_begins_after_it_was_refused() -> None:
    worked = Form(SESSION, AMPERES, periods=1)
    known = Capability(session_form=worked)
    lesson = after_refusal(known, Scope.SESSION, AC, worked)
    assert lesson.form == Form(SESSION, AMPERES)
    assert ladder(Scope.SESSION, AC, lesson.capability)[0] == worked


@given(scopes, connectors, capabilities, st.booleans(), st.lists(st.booleans(), min_size=12))
def test_whoever_refuses_everything_has_refused_each_form_once(
    scope: Scope, connector: Connector, known: Capability, alone: bool, unsupported: list[bool]
) -> None:
    form = ladder(scope, connector, known, alone=alone)[0]
    refused: list[Form] = []
    for word in unsupported:
        refused.append(form)
        lesson = after_refusal(known, scope, connector, form, unsupported=word, alone=alone)
        known, form = lesson.capability, lesson.form
        if lesson.exhausted:
            break
    assert lesson.exhausted
    assert len(set(refused)) == len(refused)
    assert form == ladder(scope, connector, known, alone=alone)[0]


# ------------------------------------------------------------------------------ what is merged


def test_without_anything_known_a_charger_is_as_the_model_of_all_chargers() -> None:
    assert merge(on_ac()) == NOTHING


def test_what_was_learned_of_a_charger_wins_over_its_model_field_by_field() -> None:
    own = Capability(unit=AMPERES, lease=Proof.NO)
    model = Capability(unit=WATTS, step_a=1.0, lease=Proof.YES, lacks=frozenset({CHARGER}))
    assert merge(on_ac(), own, model) == Capability(
        unit=AMPERES, step_a=1.0, lease=Proof.NO, lacks=frozenset({CHARGER})
    )


def test_what_is_configured_wins_over_everything() -> None:
    said = Told(
        purpose="default",
        stack_level=0,
        periods=2,
        lease=False,
        at_zero="minimum",
        step_a=0.5,
        survives_reconnect=True,
        survives_reboot=False,
    )
    merged = merge(on_ac(said, AMPERES), FULL)
    assert merged == replace(
        FULL,
        pins=Pins(AMPERES, DEFAULT, 0, 2, Proof.NO),
        lease=Proof.NO,
        at_zero=AtZero.MINIMUM,
        step_a=0.5,
        survives_reconnect=Proof.YES,
        survives_reboot=Proof.NO,
    )
    assert ladder(Scope.DEFAULT, AC, merged) == (
        Form(DEFAULT, AMPERES),
        Form(DEFAULT, AMPERES, periods=1, kind=Kind.RELATIVE),
        Form(DEFAULT, AMPERES, tells_phases=True),
    )


def test_a_lease_the_operator_vouches_for_counts() -> None:
    merged = merge(on_ac(Told(lease=True)), Capability(lease=Proof.NO))
    assert (merged.lease, merged.pins.lease) == (Proof.YES, Proof.YES)


@given(capabilities, capabilities)
def test_what_one_says_nothing_of_the_other_says(first: Capability, second: Capability) -> None:
    assert over(first, NOTHING) == replace(first, pins=Pins())
    assert over(NOTHING, second) == second
    assert over(first, first) == first
    assert document(over(first, second)) == {**document(second), **document(first)}


# ------------------------------------------------------------------------------ as JSON


def test_a_whole_document() -> None:
    assert document(FULL) == {
        "unit": "W",
        "sessionForm": {
            "purpose": "session",
            "unit": "W",
            "stackLevel": 8,
            "periods": 1,
            "kind": "relative",
            "tellsPhases": True,
        },
        "defaultForm": {
            "purpose": "default",
            "unit": "A",
            "stackLevel": 0,
            "periods": 2,
            "kind": "absolute",
            "tellsPhases": None,
        },
        "lacks": ["charger", "session"],
        "stepA": 1.0,
        "atZero": "stop",
        "lease": "yes",
        "survivesReconnect": "no",
        "survivesReboot": "yes",
        "answers": "no",
        "appliesDefaultAtOnce": "no",
        "smartCharging": "yes",
        "maxStackLevel": 3,
        "maxPeriods": 1,
        "maxProfiles": 2,
    }


def test_what_is_not_known_and_what_is_configured_is_not_kept() -> None:
    assert document(Capability(pins=Pins(WATTS, DEFAULT, 1, 1, Proof.YES))) == {}


@given(capabilities)
def test_a_document_comes_back_as_it_went(capability: Capability) -> None:
    stored = json.loads(json.dumps(document(capability)))
    assert parse(stored) == replace(capability, pins=Pins())


def test_what_another_version_kept_is_read_as_far_as_it_can_be() -> None:
    stored = {
        "unit": "A",
        "mood": "good",
        "sessionForm": {"purpose": "session", "unit": "A", "operationMode": "central"},
        "lease": "sometimes",
    }
    assert parse(stored) == Capability(unit=AMPERES, session_form=Form(SESSION, AMPERES))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unit", "kW"),
        ("unit", ["A"]),
        ("unit", None),
        ("sessionForm", None),
        ("sessionForm", []),
        ("sessionForm", "A"),
        ("sessionForm", {}),
        ("sessionForm", {"purpose": "session"}),
        ("sessionForm", {"purpose": "session", "unit": "A", "kind": "recurring"}),
        ("defaultForm", {"purpose": "default", "unit": "A", "stackLevel": -1}),
        ("defaultForm", {"purpose": "default", "unit": "A", "stackLevel": 1.0}),
        ("defaultForm", {"purpose": "default", "unit": "A", "periods": True}),
        ("defaultForm", {"purpose": "default", "unit": "A", "tellsPhases": "no"}),
        ("lacks", ["session", "weather"]),
        ("lacks", "session"),
        ("lacks", 7),
        ("stepA", 0),
        ("stepA", 33),
        ("stepA", "wide"),
        ("stepA", float("nan")),
        ("stepA", None),
        ("atZero", 0),
        ("maxStackLevel", -1),
        ("maxStackLevel", "3"),
        ("maxPeriods", 10**7),
        ("maxProfiles", False),
    ],
)
def test_what_cannot_be_read_is_left_out(key: str, value: Any) -> None:
    assert parse({key: value, "lease": "yes"}) == Capability(lease=Proof.YES)


def test_a_charger_that_took_a_sessions_own_profile_is_not_given_up_on() -> None:
    """It may not know the transaction yet, and only its own profile can lower a session's own."""
    known = Capability(session_form=Form(SESSION, AMPERES))
    tried = [Form(SESSION, AMPERES)]
    while not (lesson := after_refusal(known, Scope.SESSION, AC, tried[-1])).exhausted:
        tried.append(lesson.form)
    assert len(tried) > 1
    assert {form.purpose for form in tried} == {SESSION}
    assert lesson.form == tried[0]


def test_a_charger_that_says_it_lacks_a_purpose_is_believed_whatever_it_took_before() -> None:
    known = Capability(session_form=Form(SESSION, AMPERES))
    lesson = after_refusal(known, Scope.SESSION, AC, Form(SESSION, AMPERES), unsupported=True)
    assert lesson.form.purpose is DEFAULT


def test_only_one_that_goes_on_at_zero_has_a_floor() -> None:
    assert floor_of(AC, Capability(at_zero=AtZero.MINIMUM)) == AC.goes_on_with_w == 4_140
    assert floor_of(AC, Capability(at_zero=AtZero.STOP)) == 0
    assert floor_of(AC, Capability()) == 0


def test_only_one_that_was_commissioned_is_trusted_to_resume() -> None:
    assert trusts_resume(Capability(lease=Proof.YES))
    assert not trusts_resume(Capability())
    assert not trusts_resume(Capability(lease=Proof.NO))
