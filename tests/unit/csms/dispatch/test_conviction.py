from __future__ import annotations

from dataclasses import replace

import pytest

from csms.dispatch.compliance import Cause, Compliance, Memory, Step
from csms.dispatch.conviction import Conviction, recorded, restored
from csms.station.model import ConnectorKey

A1 = ConnectorKey("A", 1)
GUILTY = Compliance(
    counted_w=120_000,
    cause=Cause.LIMIT,
    observed_w=120_000,
    allowed_w=50_000,
    step=Step.STOP,
    step_at=90.0,
    since=60.0,
)


def test_nothing_is_kept_of_one_that_obeys() -> None:
    seen = Compliance(counted_w=100_000, observed_w=90_000, allowed_w=50_000)
    assert recorded(A1, seen, out_of_service=False) is None


@pytest.mark.parametrize(
    "known", [Compliance(paused=True), Compliance(counted_w=5_000, resumed=True)]
)
def test_one_that_was_paused_is_on_trial_after_a_restart_too(known: Compliance) -> None:
    kept = recorded(A1, known, out_of_service=False)
    assert kept == Conviction(A1, None, 0, 0, 0, Step.NONE, 0.0, resumes=True)
    assert restored(kept, "s1") == Compliance(resumed=True, memory=Memory("s1"))
    # Its session has ended meanwhile.
    assert restored(kept, None) == Compliance()


def test_a_conviction_is_kept_whole() -> None:
    assert recorded(A1, GUILTY, out_of_service=True) == Conviction(
        A1, Cause.LIMIT, 120_000, 120_000, 50_000, Step.STOP, 60.0, out_of_service=True
    )


@pytest.mark.parametrize(
    ("known", "out_of_service"),
    [(Compliance(step=Step.UNAVAILABLE), False), (Compliance(counted_w=7_000), True)],
)
def test_what_is_out_of_service_is_kept_though_it_counts_no_more(
    known: Compliance, out_of_service: bool
) -> None:
    kept = recorded(A1, known, out_of_service=out_of_service)
    assert kept == Conviction(A1, None, 0, 0, 0, known.step, 0.0, out_of_service=out_of_service)
    assert restored(kept, "s1") == Compliance(step=known.step)


def test_what_an_operator_took_out_of_service_is_kept_though_it_obeys() -> None:
    kept = recorded(A1, Compliance(), out_of_service=False, by_hand=True)
    assert kept == Conviction(A1, None, 0, 0, 0, Step.NONE, 0.0, by_hand=True)


def test_after_a_restart_it_stands_as_before() -> None:
    kept = recorded(A1, GUILTY, out_of_service=False)
    assert kept is not None
    assert restored(kept, "s1") == replace(GUILTY, step_at=60.0)


def test_a_conviction_of_which_nothing_is_counted_yet() -> None:
    kept = recorded(A1, replace(GUILTY, counted_w=None), out_of_service=False)
    assert kept is not None
    assert kept.counted_w == 0
