"""How often somebody may fail."""

from __future__ import annotations

import pytest

from csms.control.attempts import AttemptLimits, Attempts, source_of

LIMITS = AttemptLimits(per_source_per_min=5, per_charger_per_min=2, kept=100)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_an_address_is_a_source(address: str, source: str) -> None:
    assert source_of(address) == source


def test_guessing_at_one_charger_is_over_soon() -> None:
    attempts = Attempts(LIMITS)
    for _ in range(2):
        assert attempts.may_try("CP1", "10.0.0.1", 0.0)
        attempts.failed("CP1", "10.0.0.1", 0.0)
    assert not attempts.may_try("CP1", "10.0.0.1", 0.0)
    assert attempts.may_try("CP2", "10.0.0.1", 0.0)


def test_guessing_at_many_chargers_is_over_too() -> None:
    attempts = Attempts(LIMITS)
    for number in range(5):
        attempts.failed(f"CP{number}", "10.0.0.1", 0.0)
    assert not attempts.may_try("CP99", "10.0.0.1", 0.0)


def test_an_outsider_locks_nobody_out_elsewhere() -> None:
    attempts = Attempts(LIMITS)
    for _ in range(1_000):
        attempts.failed("CP1", "10.0.0.1", 0.0)
    assert attempts.may_try("CP1", "10.0.0.2", 0.0)


def test_a_proven_charger_is_not_held_up_by_its_neighbours() -> None:
    attempts = Attempts(LIMITS)
    attempts.succeeded("CP1", "10.0.0.1")
    for _ in range(100):
        attempts.failed("CP2", "10.0.0.1", 0.0)
    assert attempts.may_try("CP1", "10.0.0.1", 0.0)
    assert not attempts.may_try("CP3", "10.0.0.1", 0.0)


def test_a_proven_charger_is_not_held_up_by_wrong_keys_in_its_own_name() -> None:
    attempts = Attempts(LIMITS)
    attempts.succeeded("CP1", "10.0.0.1")
    for second in range(600):
        # As fast as anybody was let through before: ten in a minute, and more.
        for _ in range(9):
            attempts.failed("CP1", "10.0.0.1", float(second))
        assert attempts.may_try("CP1", "10.0.0.1", float(second))
    assert not attempts.may_try("CP3", "10.0.0.1", 599.0)


def test_also_at_a_proven_charger_guesses_are_bounded_and_told() -> None:
    attempts = Attempts(LIMITS)
    attempts.succeeded("CP1", "10.0.0.1")
    told = [attempts.failed("CP1", "10.0.0.1", 0.0) for _ in range(600)]
    assert not attempts.may_try("CP1", "10.0.0.1", 0.0)
    assert attempts.may_try("CP1", "10.0.0.1", 0.11)
    assert attempts.may_try("CP1", "10.0.0.2", 0.0)
    # The bucket of the source was empty first.
    assert [number for number, tells in enumerate(told) if tells] == [4, 599]


def test_nowhere_is_a_proven_charger_held_up_sooner_than_others() -> None:
    attempts = Attempts(AttemptLimits(per_source_per_min=5_000, per_charger_per_min=1_000))
    attempts.succeeded("CP1", "10.0.0.1")
    for _ in range(999):
        attempts.failed("CP1", "10.0.0.1", 0.0)
    assert attempts.may_try("CP1", "10.0.0.1", 0.0)


def test_time_heals() -> None:
    attempts = Attempts(LIMITS)
    for _ in range(20):
        attempts.failed("CP1", "10.0.0.1", 0.0)
    assert not attempts.may_try("CP1", "10.0.0.1", 29.0)
    assert attempts.may_try("CP1", "10.0.0.1", 31.0)


def test_the_last_attempt_is_told_once_a_minute() -> None:
    attempts = Attempts(LIMITS)
    told = [attempts.failed("CP1", "10.0.0.1", float(second)) for second in range(130)]
    assert 2 <= sum(told) <= 6  # both buckets, in each of three minutes


def test_events_of_one_source_are_bounded() -> None:
    attempts = Attempts(LIMITS)
    told = [attempts.may_tell("10.0.0.1", 0.0) for _ in range(1_000)]
    assert sum(told) == 5
    assert attempts.may_tell("10.0.0.2", 0.0)
    assert attempts.may_tell("10.0.0.1", 60.0)


def test_memory_is_bounded_whoever_comes() -> None:
    attempts = Attempts(LIMITS)
    for number in range(5_000):
        address = f"10.{number % 250}.{number // 250}.1"
        attempts.may_tell(address, 0.0)
        attempts.failed(f"CP{number}", address, 0.0)
        attempts.succeeded(f"CP{number}", address)
        attempts.failed(f"CP{number}", address, 0.0)
    assert len(attempts) == 5 * LIMITS.kept
