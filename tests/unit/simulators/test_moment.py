from __future__ import annotations

import pytest

from simulators.moment import instant, timestamp

NOON_S = 1_735_732_800.0


def test_times_are_written_in_whole_seconds_of_utc() -> None:
    assert timestamp(NOON_S) == "2025-01-01T12:00:00Z"
    assert timestamp(NOON_S + 0.9) == "2025-01-01T12:00:00Z"


@pytest.mark.parametrize(
    ("text", "utc_s"),
    [
        ("2025-01-01T12:00:00Z", NOON_S),
        ("2025-01-01T12:00:00.250Z", NOON_S + 0.25),
        ("2025-01-01T14:00:00+02:00", NOON_S),
        ("2025-01-01T12:00:00", NOON_S),
    ],
)
def test_times_are_read_with_or_without_a_zone(text: str, utc_s: float) -> None:
    assert instant(text) == utc_s


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="noon"):
        instant("noon")
