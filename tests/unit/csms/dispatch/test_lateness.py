"""Queues, wrong clocks and slow lines, told from each other by what chargers write on readings."""

from __future__ import annotations

import pytest

from csms.dispatch.lateness import ChargerClock, delay
from csms.station.state import Reading


def delays(
    *times: tuple[float, float | None], clock: ChargerClock | None = None
) -> list[float | None]:
    """What is made of readings (received, taken by the charger's clock), one after the other."""
    clock = clock or ChargerClock()
    found: list[float | None] = []
    for at, measured_at in times:
        reading = Reading(at, 1, measured_at)
        clock, delay_s = delay(clock, reading, believed_s=20.0, steady_s=2.0, longest_s=900.0)
        found.append(delay_s)
    return found


def test_a_reading_without_a_time_is_of_now() -> None:
    assert delays((10.0, None), (20.0, None)) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("late_s", "expected"), [(0.0, 0.0), (20.0, 20.0), (20.1, None), (-20.0, 0.0), (-20.1, None)]
)
def test_a_short_delay_is_believed(late_s: float, expected: float | None) -> None:
    assert delays((100.0, 100.0 - late_s)) == [expected]


def test_a_queue_is_never_of_now() -> None:
    queue = [(700.0 + n / 10, 20.0 + 10 * n) for n in range(50)]
    assert delays((10.0, 10.0), *queue) == [0.0, *[None] * 50]
    slowly = [(700.0 + 5 * n, 20.0 + 10 * n) for n in range(50)]
    assert delays((10.0, 10.0), *slowly) == [0.0, *[None] * 50]


@pytest.mark.parametrize("offset_s", [1.7e9, 300.0, -300.0, -86_400.0])
def test_a_wrong_clock_is_seen_through_from_the_second_reading_on(offset_s: float) -> None:
    late = [(at, at - offset_s) for at in (10.0, 20.0)]
    assert delays(*late, (30.0, 22.0 - offset_s)) == [None, 0.0, 8.0]
    unsteady = (20.0, 17.9 - offset_s)
    assert delays(late[0], unsteady) == [None, None]


def test_readings_too_close_together_show_no_clock() -> None:
    close = [(at, at - 300.0) for at in (10.0, 11.0, 13.9, 14.0, 14.1)]
    assert delays(*close) == [None, None, None, 0.0, 0.0]


def test_a_clock_that_is_set_right_is_followed() -> None:
    wrong = [(at, at - 1.7e9) for at in (10.0, 20.0)]
    right = [(at, at) for at in (30.0, 40.0)]
    assert delays(*wrong, *right) == [None, 0.0, None, 0.0]


def test_a_clock_a_little_ahead_shows_delays_all_the_same() -> None:
    assert delays((10.0, 18.0), (30.0, 25.0)) == [0.0, 13.0]


def test_what_was_right_a_while_ago_may_be_a_slow_line() -> None:
    late = [(10.0 * n, 10.0 * n - 60.0) for n in range(2, 94)]
    found = delays((10.0, 10.0), *late)
    # Received at 30 s, 910 s and 920 s: for so long is it a delay, then it is the clock.
    assert found[:3] == [0.0, None, 60.0]
    assert (found[90], found[91], found[92]) == (60.0, 0.0, 0.0)


def test_a_clock_is_proven_only_by_a_reading_that_comes_as_early() -> None:
    found = ChargerClock()
    for at, measured_at, proven_at in ((10.0, 10.0, 10.0), (30.0, 27.9, 10.0), (50.0, 48.0, 50.0)):
        reading = Reading(at, 1, measured_at)
        found, _ = delay(found, reading, believed_s=20.0, steady_s=2.0, longest_s=900.0)
        assert (found.offset_s, found.proven_at) == (0.0, proven_at)


def test_a_jump_too_far_for_a_line_is_the_clock() -> None:
    jumped = [(at, at - 1_000.0) for at in (20.0, 30.0)]
    assert delays((10.0, 10.0), *jumped) == [0.0, None, 0.0]
    ahead = [(at, at + 100.0) for at in (20.0, 30.0)]
    assert delays((10.0, 10.0), *ahead) == [0.0, None, 0.0]
