from __future__ import annotations

import re
from dataclasses import fields

import pytest

from simulators.charge_point.habits.catalogue import FAMILIES, HABITS, chosen
from simulators.charge_point.quirks import Quirks


def test_names_are_unique_and_no_switches() -> None:
    assert len(HABITS) == sum(len(family) for family in FAMILIES.values())
    assert HABITS.keys() & {field.name for field in fields(Quirks)} == set()


def test_every_habit_does_something_and_says_what() -> None:
    for name, habit in HABITS.items():
        assert any((habit.says, habit.writes, habit.hears, habit.dials)), name
        assert re.fullmatch("[A-G][0-9]{1,2}", habit.row), name
        assert habit.text, name


def test_habits_are_chosen_by_name_in_one_order() -> None:
    assert chosen([]) == []
    assert chosen({"cut_answers", "binary_frames"}) == [
        HABITS["binary_frames"],
        HABITS["cut_answers"],
    ]
    with pytest.raises(ValueError, match="no habit 'smokes'"):
        chosen(["cut_answers", "smokes"])
