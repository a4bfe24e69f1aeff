"""How far the clock of a connected charger can be trusted."""

from __future__ import annotations

from csms.control.contact import OFFSETS_KEPT, Contact


def test_what_can_be_no_time_leaves_nothing_known_of_the_clock() -> None:
    contact = Contact(1_000.0)
    contact.said_time(1_010.0, 1_010.0)
    contact.said_time(None, 1_020.0)
    assert contact.clock_ahead_s is None
    assert not contact.keeps_time(60.0)
    contact.said_time(1_030.0, 1_030.0)
    assert contact.keeps_time(60.0)


def test_a_charger_that_never_said_a_time_is_not_trusted_with_one() -> None:
    contact = Contact(1_000.0)
    assert contact.clock_ahead_s is None
    assert not contact.keeps_time(1e9)
    assert not contact.ready


def test_the_truest_reading_is_the_one_that_came_fastest() -> None:
    contact = Contact(1_000.0)
    contact.said_time(970.0, 1_000.0)  # it lay in a queue for half a minute
    assert contact.clock_ahead_s == -30.0
    contact.said_time(1_008.0, 1_010.0)
    contact.said_time(990.0, 1_020.0)
    assert contact.clock_ahead_s == -2.0


def test_a_clock_is_right_to_within_the_skew_in_both_directions() -> None:
    for ahead_s, right in ((60.0, True), (60.5, False), (-60.0, True), (-60.5, False)):
        contact = Contact(0.0)
        contact.said_time(1_000.0 + ahead_s, 1_000.0)
        assert contact.keeps_time(60.0) is right


def test_a_clock_that_was_set_is_believed_after_a_few_readings() -> None:
    contact = Contact(0.0)
    contact.said_time(1_500.0, 1_000.0)
    for number in range(OFFSETS_KEPT - 1):
        contact.said_time(1_010.0 + number, 1_010.0 + number)
        assert not contact.keeps_time(60.0)
    contact.said_time(1_030.0, 1_030.0)
    assert contact.keeps_time(60.0)
    assert contact.clock_ahead_s == 0.0


def test_a_clock_that_was_set_back_is_not_believed_from_its_first_reading_on() -> None:
    contact = Contact(0.0)
    contact.said_time(1_000.0, 1_000.0)
    assert contact.keeps_time(60.0)
    contact.said_time(1_030.0 - 3_600.0, 1_030.0)
    assert not contact.keeps_time(60.0)
    # It lay in a queue.
    contact.said_time(1_060.0, 1_060.0)
    assert contact.keeps_time(60.0)


def test_a_clock_goes_wrong_once_until_it_is_right_again() -> None:
    contact = Contact(0.0)
    assert not contact.goes_wrong(60.0)
    contact.said_time(1_000.0 - 3_600.0, 1_000.0)
    assert [contact.goes_wrong(60.0), contact.goes_wrong(60.0)] == [True, False]
    contact.said_time(1_010.0, 1_010.0)
    assert not contact.goes_wrong(60.0)
    contact.said_time(1_020.0 + 3_600.0, 1_020.0)
    assert contact.goes_wrong(60.0)
