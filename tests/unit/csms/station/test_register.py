from __future__ import annotations

import pytest

from csms.station.register import Register


def after(start_wh: int | None, *readings: int) -> Register:
    register = Register(start_wh)
    for wh in readings:
        register = register.read(wh)
    return register


@pytest.mark.parametrize(
    ("start_wh", "readings", "energy_wh", "doubtful"),
    [
        (1_000, (), 0, False),
        (1_000, (1_000,), 0, False),
        (1_000, (1_100, 1_300), 300, False),
        (1_000, (1_100, 1_100, 1_300), 300, False),
        # Dropped out, once and for longer, and back.
        (1_000, (1_100, 0, 1_300), 300, False),
        (1_000, (1_100, 0, 0, 20, 1_100), 100, False),
        # The same with a register that showed nothing at the start.
        (0, (5, 0), 5, True),
        (0, (5, 0, 8, 0, 11), 11, False),
        # Began anew: what lies between the last reading before and the first after is not known.
        (1_000, (1_100, 0, 50, 80), 180, True),
        (1_000, (1_100, 30, 50, 80), 150, True),
        (1_000, (500,), 0, True),
        (1_000, (0, 100, 200), 200, True),
        # Twice.
        (1_000, (1_100, 0, 50, 10, 70), 210, True),
        (1_000, (1_100, 0, 50, 10), 150, True),
        # One reading far too high, and one that came out of turn.
        (1_000, (1_100, 9_999_999, 1_200), 200, False),
        (1_000, (9_999_999, 1_200, 1_300), 300, False),
        (1_000, (1_100, 1_300, 1_200, 1_400), 400, False),
        (1_000, (1_100, 1_300, 1_300, 1_200), 200, False),
        # Below all that was seen before.
        (1_000, (1_100, 1_300, 1_050), 300, True),
        # The second line, once begun, is left only by reaching the first.
        (1_000, (1_100, 1_300, 900, 1_200), 600, True),
        # Nothing was told at the start.
        (None, (), 0, True),
        (None, (5_000,), 0, True),
        (None, (5_000, 5_200, 5_300), 300, True),
        (None, (5_000, 5_200, 0, 100), 300, True),
    ],
)
def test_the_energy_of_readings(
    start_wh: int | None, readings: tuple[int, ...], energy_wh: int, doubtful: bool
) -> None:
    register = after(start_wh, *readings)
    assert (register.energy_wh, register.doubtful) == (energy_wh, doubtful)


@pytest.mark.parametrize(
    ("start_wh", "readings", "last_wh"),
    [
        (1_000, (), None),
        (1_000, (1_200,), 1_200),
        (1_000, (1_200, 7), 7),
        (None, (5, 9), 9),
    ],
)
def test_the_last_reading(
    start_wh: int | None, readings: tuple[int, ...], last_wh: int | None
) -> None:
    assert after(start_wh, *readings).last_wh == last_wh


def test_a_reading_changes_nothing_in_place() -> None:
    register = after(1_000, 1_100)
    register.read(5)
    assert register == Register(1_000, 1_100, 1_000)
