from __future__ import annotations

from csms.control.reconnects import Coming, ReconnectLimits, Reconnects

HERE, THERE = "10.0.0.1", "10.0.0.2"
FINE, COLD, QUARANTINED, KEPT_OUT = Coming


def come(them: Reconnects, now: float, *, address: str = HERE, charging: bool = False) -> Coming:
    return them.comes("CP1", address, now, charging=charging)


def test_the_defaults_are_those_of_the_reference() -> None:
    assert ReconnectLimits() == ReconnectLimits(10, 60.0, 60, 3_600.0)


def test_more_than_ten_in_a_minute_are_kept_out_for_a_minute() -> None:
    them = Reconnects(ReconnectLimits())
    assert [come(them, float(n)) for n in range(11)] == [FINE] * 10 + [COLD]
    assert come(them, 69.9) is KEPT_OUT
    assert come(them, 71.0) is FINE


def test_slow_redialling_is_fine_up_to_sixty_an_hour() -> None:
    them = Reconnects(ReconnectLimits())
    found = [come(them, 30.0 * n) for n in range(61)]
    assert found == [FINE] * 60 + [QUARANTINED]
    assert come(them, 1_800.0 + 3_599.0) is KEPT_OUT
    assert come(them, 1_800.0 + 3_601.0) is FINE


def test_old_connections_do_not_count() -> None:
    them = Reconnects(ReconnectLimits())
    assert {come(them, 61.0 * n) for n in range(300)} == {FINE}


def test_one_that_is_charging_is_never_in_quarantine() -> None:
    them = Reconnects(ReconnectLimits())
    assert {come(them, 30.0 * n, charging=True) for n in range(200)} == {FINE}


def test_nobody_keeps_out_a_charger_that_comes_from_elsewhere() -> None:
    them = Reconnects(ReconnectLimits())
    for number in range(20):
        come(them, float(number), address=THERE)
    assert come(them, 20.0) is FINE


def test_only_those_that_came_last_are_known() -> None:
    them = Reconnects(ReconnectLimits(kept=3))
    for number in range(10):
        them.comes(f"CP{number}", HERE, 0.0, charging=False)
    assert len(them) == 3
