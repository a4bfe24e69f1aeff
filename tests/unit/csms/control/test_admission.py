from __future__ import annotations

import pytest

from csms.control.admission import Knock, KnockList, known_as


@pytest.mark.parametrize(
    ("names", "charger_id"),
    [
        (["CP1"], "CP1"),
        (["cp1"], "CP1"),
        (["SERIAL", "cP1", "CP2"], "CP1"),
        (["CP3"], "CP3"),
        (["cp3"], "cp3"),
        (["Cp3"], None),
        (["CP4"], None),
        ([], None),
    ],
)
def test_a_charger_is_known_in_other_letters_when_no_other_can_be_meant(
    names: list[str], charger_id: str | None
) -> None:
    assert known_as(names, ["CP1", "CP2", "CP3", "cp3"]) == charger_id


def test_a_knock_is_kept_with_where_it_came_from() -> None:
    knocks = KnockList()
    knocks.add("CP9", "192.0.2.1", 10.0)
    assert knocks.all() == [Knock("CP9", "192.0.2.1", 10.0, 10.0, 1)]


def test_knocking_again_counts_and_moves_to_the_end() -> None:
    knocks = KnockList()
    knocks.add("CP9", "192.0.2.1", 10.0)
    knocks.add("CP8", "192.0.2.2", 11.0)
    knocks.add("CP9", "192.0.2.3", 12.0)
    assert knocks.all() == [
        Knock("CP8", "192.0.2.2", 11.0, 11.0, 1),
        Knock("CP9", "192.0.2.3", 10.0, 12.0, 2),
    ]


def test_the_longest_silent_one_makes_room() -> None:
    knocks = KnockList(capacity=2)
    for at, charger_id in enumerate(["CP1", "CP2", "CP1", "CP3"]):
        knocks.add(charger_id, "192.0.2.1", float(at))
    assert [k.charger_id for k in knocks.all()] == ["CP1", "CP3"]


def test_two_hundred_are_kept_unless_told_otherwise() -> None:
    knocks = KnockList()
    for number in range(250):
        knocks.add(f"CP{number}", "192.0.2.1", float(number))
    kept = knocks.all()
    assert len(kept) == 200
    assert kept[0].charger_id == "CP50"


def test_a_charger_that_is_known_now_is_forgotten() -> None:
    knocks = KnockList()
    knocks.add("CP9", "192.0.2.1", 10.0)
    knocks.forget("CP9")
    knocks.forget("never knocked")
    assert knocks.all() == []
