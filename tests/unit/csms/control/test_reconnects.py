from __future__ import annotations

from csms.control.reconnects import Coming, ReconnectLimits, Reconnects

HERE, THERE = "10.0.0.1", "10.0.0.2"
FINE, COLD, QUARANTINED, KEPT_OUT = Coming


def come(them: Reconnects, now: float, *, address: str = HERE, charging: bool = False) -> Coming:
    """A charger comes, and is let in when it may be."""
    coming = them.comes("CP1", address, now, charging=charging)
    if coming is FINE:
        them.came("CP1", address, now)
    return coming


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


def test_one_that_is_charging_is_let_in_from_quarantine() -> None:
    them = Reconnects(ReconnectLimits())
    assert [come(them, 30.0 * n) for n in range(61)][-1] is QUARANTINED
    assert come(them, 1_860.0) is KEPT_OUT
    assert come(them, 1_890.0, charging=True) is FINE
    assert come(them, 1_920.0) is KEPT_OUT


def test_one_that_is_charging_and_comes_too_often_waits_a_minute() -> None:
    them = Reconnects(ReconnectLimits())
    found = [come(them, float(n), charging=True) for n in range(12)]
    assert found == [FINE] * 10 + [COLD, KEPT_OUT]


def test_one_that_was_not_let_in_after_all_has_not_come() -> None:
    them = Reconnects(ReconnectLimits())
    found = [them.comes("CP1", HERE, float(n), charging=False) for n in range(1_000)]
    assert set(found) == {FINE}
    assert len(them) == 0


def test_that_csms_closes_it_and_it_dials_again_is_no_fault() -> None:
    them = Reconnects(ReconnectLimits())
    for number in range(400):
        assert come(them, 30.0 * number) is FINE
        them.sent_away("CP1", HERE)
    # Each excuses one visit, also when it came after many others.
    now = 30.0 * 400
    found = [come(them, now + number) for number in range(12)]
    assert found == [FINE] * 11 + [COLD]


def test_one_that_is_kept_out_stays_out_when_csms_closes_it() -> None:
    them = Reconnects(ReconnectLimits())
    for number in range(11):
        come(them, float(number))
    them.sent_away("CP1", HERE)
    assert come(them, 20.0) is KEPT_OUT


def test_nobody_keeps_out_a_charger_that_comes_from_elsewhere() -> None:
    them = Reconnects(ReconnectLimits())
    for number in range(20):
        come(them, float(number), address=THERE)
    assert come(them, 20.0) is FINE


def test_only_those_that_came_last_are_known() -> None:
    them = Reconnects(ReconnectLimits(kept=3))
    for number in range(10):
        them.came(f"CP{number}", HERE, 0.0)
    assert len(them) == 3
