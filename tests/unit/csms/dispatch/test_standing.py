"""The word an operator reads: each sign alone, and the worst of several."""

from __future__ import annotations

import pytest

from csms.dispatch.standing import TABLE, Condition, Signs, of_connector, worst


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (Signs(connected=True), "CONTROLLED"),
        (Signs(connected=True, registering=True), "CONTROLLED"),
        (Signs(connected=True, doubtful=True), "UNCERTAIN"),
        (Signs(connected=True, registering=True, confirmed=False), "REGISTERING"),
        (Signs(connected=True, registering=True, confirmed=False, doubtful=True), "REGISTERING"),
        (Signs(connected=True, confirmed=False), "UNCONTROLLED"),
        (Signs(connected=True, confirmed=False, doubtful=True), "UNCONTROLLED"),
        (Signs(connected=True, suspected=True), "UNCONTROLLED"),
        (Signs(connected=False), "OFFLINE_RESERVED"),
        (Signs(connected=False, confirmed=False), "OFFLINE_RESERVED"),
        (Signs(connected=False, doubtful=True), "OFFLINE_RESERVED"),
        (Signs(connected=False, seen=False, confirmed=False), "NEVER_SEEN"),
        (Signs(connected=False, suspected=True), "UNCONTROLLED"),
    ],
)
def test_the_condition_of_a_connector(signs: Signs, expected: str) -> None:
    assert of_connector(signs).value == expected


def test_the_table_knows_every_condition_but_that_of_a_station() -> None:
    assert {condition for condition, _ in TABLE} == set(Condition) - {Condition.OVERCOMMITTED}


def test_the_worst_of_several_counts() -> None:
    assert worst([]) is Condition.CONTROLLED
    assert worst([Condition.REGISTERING, Condition.CONTROLLED]) is Condition.REGISTERING
    assert worst(Condition) is Condition.OVERCOMMITTED
