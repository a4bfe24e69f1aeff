from __future__ import annotations

from csms.dispatch.policy import DispatchPolicy
from csms.dispatch.retries import Retries

POLICY = DispatchPolicy(retry_after_s=(1.0, 5.0))


def test_nothing_waits_without_a_failure() -> None:
    retries = Retries(POLICY)
    assert not retries.held("a", 0.0)
    assert retries.next_at(0.0) is None


def test_waits_grow_and_the_last_one_goes_on() -> None:
    retries = Retries(POLICY)
    held_until = []
    for _ in range(4):
        retries.failed("a", 100.0)
        held_until.append(retries.next_at(100.0))
    assert held_until == [101.0, 105.0, 105.0, 105.0]
    assert retries.held("a", 104.9)
    assert not retries.held("a", 105.0)
    assert not retries.held("b", 0.0)


def test_success_forgets() -> None:
    retries = Retries(POLICY)
    retries.failed("a", 0.0)
    retries.succeeded("a")
    retries.succeeded("never failed")
    assert not retries.held("a", 0.0)
    retries.failed("a", 10.0)
    assert retries.next_at(10.0) == 11.0


def test_the_next_repeat_is_the_earliest_still_to_come() -> None:
    retries = Retries(POLICY)
    retries.failed("a", 0.0)
    retries.failed("b", 3.0)
    assert retries.next_at(0.0) == 1.0
    assert retries.next_at(1.0) == 4.0
    assert retries.next_at(4.0) is None
