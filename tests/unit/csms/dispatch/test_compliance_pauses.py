"""A charger may resume after a pause without any limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csms.dispatch.compliance import Cause, Step
from csms.station.model import Connector
from csms.station.state import ConnectorStatus
from tests.unit.csms.dispatch.test_compliance import AC, DC, MAX, Outlet, convicted, outlet


@pytest.mark.parametrize(
    ("connector", "limit_w", "paused"),
    [
        (DC, 999, True),
        (DC, 1_000, False),
        (replace(DC, minimum_w=20_000), 19_999, True),
        (AC, 4_139, True),
        (AC, 4_140, False),
    ],
)
def test_a_limit_nobody_charges_at_is_a_pause(
    connector: Connector, limit_w: int, paused: bool
) -> None:
    assert outlet(limit_w, connector).found.paused is paused


def test_after_a_pause_a_connector_counts_at_its_maximum_until_seen_to_obey() -> None:
    made = outlet(0)
    assert made.draws(10.0, 0, 0).counted_w is None
    found = made.limit(30.0, 50_000)
    assert (found.paused, found.resumed, found.counted_w) == (False, True, MAX)
    assert made.draws(40.0, 0, 50_000).counted_w == MAX
    found = made.draws(60.0, 50_000)
    assert (found.resumed, found.counted_w, found.cause) == (False, None, None)


def test_what_was_seen_before_a_pause_does_not_count_after_it() -> None:
    made = outlet(50_000)
    made.draws(10.0, 50_000, 50_000)
    made.limit(30.0, 0)
    assert made.limit(31.0, 50_000).resumed
    assert made.draws(32.0, 50_000).resumed
    assert made.draws(42.0, 50_000).resumed
    assert not made.draws(52.0, 50_000).resumed


def test_a_second_pause_ends_the_doubt_of_the_first() -> None:
    made = outlet(0)
    made.limit(10.0, 50_000)
    found = made.limit(20.0, 0)
    assert (found.paused, found.resumed, found.counted_w) == (True, False, None)


def test_a_charger_known_to_obey_after_a_pause_counts_at_its_limit() -> None:
    made = outlet(0)
    made.terms = replace(made.terms, trusts_resume=True)
    assert made.limit(10.0, 50_000).counted_w is None


def test_a_new_session_has_not_been_paused() -> None:
    made = outlet(0)
    made.limit(10.0, 50_000)
    made.starts(20.0, "s2")
    assert (made.found.paused, made.found.resumed, made.found.counted_w) == (False, False, None)


def test_a_pause_is_over_when_the_limit_that_ends_it_is_sent() -> None:
    made = outlet(0)
    made.terms = replace(made.terms, sent_w=(50_000,))
    found = made.ask(31.0)
    assert (found.paused, found.resumed, found.counted_w) == (False, True, MAX)
    # It was not sent after all, or has been lowered again: the pause goes on.
    made.terms = replace(made.terms, sent_w=(0,))
    found = made.ask(32.0)
    assert (found.paused, found.resumed, found.counted_w) == (True, False, None)


def test_a_limit_that_may_have_paused_it_is_taken_for_a_pause() -> None:
    made = outlet(50_000)
    made.terms = replace(made.terms, sent_w=(40_000, 0))
    found = made.ask(31.0)
    assert (found.paused, found.resumed, found.counted_w) == (True, False, None)
    made.terms = replace(made.terms, sent_w=(40_000, 0, 30_000))
    found = made.ask(32.0)
    assert (found.paused, found.resumed, found.counted_w) == (False, True, MAX)
    # Another pause that is not confirmed ends no trial.
    made.terms = replace(made.terms, sent_w=(40_000, 0, 30_000, 0))
    found = made.ask(33.0)
    assert (found.paused, found.resumed, found.counted_w) == (False, True, MAX)


def test_a_pause_that_was_never_confirmed_is_over_when_a_later_limit_is() -> None:
    made = outlet(50_000)
    made.terms = replace(made.terms, sent_w=(0,))
    made.ask(31.0)
    made.terms = replace(made.terms, sent_w=())
    found = made.limit(32.0, 20_000)
    assert (found.paused, found.resumed, found.counted_w) == (False, True, MAX)


def test_limits_that_may_have_paused_it_count_before_any_is_confirmed() -> None:
    made = Outlet().starts(0.0)
    assert not made.found.paused
    made.terms = replace(made.terms, sent_w=(0, 0))
    assert made.ask(10.0).paused
    made.terms = replace(made.terms, sent_w=(0, 0, 50_000))
    found = made.ask(20.0)
    assert (found.paused, found.resumed, found.counted_w) == (False, True, MAX)
    made.terms = replace(made.terms, sent_w=())
    assert made.limit(21.0, 50_000).counted_w == MAX


def convicted_and_paused(limit_w: int = 0) -> Outlet:
    """Convicted at 20 s, paused at 25 s, and held back as the charger says at 30 s."""
    made = convicted()
    made.limit(25.0, limit_w)
    made.state.status = ConnectorStatus.SUSPENDED_EVSE
    return made


def test_a_charger_that_says_it_holds_its_vehicle_back_and_shows_it_obeys_its_pause() -> None:
    made = convicted_and_paused()
    assert made.draws(31.0, *[200] * 6).counted_w == MAX
    found = made.draws(91.0, 200)
    assert (found.cause, found.counted_w, found.step) == (Cause.LIMIT, None, Step.RESEND)


def keeps_to_its_pause() -> Outlet:
    """Convicted, and seen until 91 s to keep to the limit that pauses it."""
    made = convicted_and_paused()
    assert made.draws(31.0, *[0] * 7).counted_w is None
    return made


@pytest.mark.parametrize("trusts_resume", [False, True])
def test_what_it_does_at_other_limits_is_not_known_from_that(*, trusts_resume: bool) -> None:
    made = keeps_to_its_pause()
    made.terms = replace(made.terms, trusts_resume=trusts_resume)
    assert made.limit(95.0, 50_000).counted_w == MAX
    assert made.draws(96.0, *[0] * 30).counted_w == MAX


def test_nor_what_it_does_in_another_session() -> None:
    made = keeps_to_its_pause()
    assert made.ends(95.0).counted_w == MAX
    made.starts(96.0, "s2")
    assert (made.found.cause, made.found.counted_w) == (Cause.LIMIT, MAX)


def test_a_pause_that_is_not_seen_any_more_is_not_believed() -> None:
    made = keeps_to_its_pause()
    assert made.ask(125.0).counted_w is None
    assert made.ask(127.0).counted_w == MAX


@pytest.mark.parametrize("power_w", [301, 501])
def test_a_pause_in_which_something_is_drawn_is_not_believed(power_w: int) -> None:
    assert keeps_to_its_pause().draws(101.0, power_w).counted_w == MAX


@pytest.mark.parametrize(
    "status", [status for status in ConnectorStatus if status is not ConnectorStatus.SUSPENDED_EVSE]
)
def test_a_vehicle_that_draws_nothing_of_its_own_shows_nothing(status: ConnectorStatus) -> None:
    made = convicted_and_paused()
    made.state.status = status
    assert made.draws(31.0, *[0] * 20).counted_w == MAX


def test_one_that_is_not_paused_is_not_held_back() -> None:
    assert convicted_and_paused(50_000).draws(31.0, *[0] * 20).counted_w == MAX
    made = convicted_and_paused(50_000)
    made.terms = replace(made.terms, in_force_w=0)
    assert made.draws(35.0, *[0] * 20).counted_w == MAX


def test_one_that_may_still_follow_a_higher_limit_is_not_held_back() -> None:
    made = convicted_and_paused()
    made.terms = replace(made.terms, in_force_w=100_000)
    assert made.draws(31.0, *[0] * 20).counted_w == MAX
