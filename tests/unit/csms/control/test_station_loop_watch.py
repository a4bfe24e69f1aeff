"""What the loop does about connectors that do not do what they were told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from csms.dispatch.commands import Purpose, Scope, SetLimit
from csms.dispatch.compliance import Cause, Step
from csms.dispatch.standing import Condition
from csms.ports import Answer
from csms.station.facts import ConnectorStatusReported, GridLimitGiven, MeterSample
from csms.station.model import ConnectorKey, Station, Told
from csms.station.state import ConnectorStatus
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, SILENCE, YES, Rig, answering, rig

A1, B1, C1 = ConnectorKey("A", 1), ConnectorKey("B", 1), ConnectorKey("C", 1)


def singles(*names: str, grid_limit_w: int = 200_000, told: Told | None = None) -> Station:
    """Chargers of 100 kW with one connector each."""
    built = (charger(name, max_power_w=100_000, connectors=1) for name in names)
    chargers = (c if told is None else replace(c, capabilities=told) for c in built)
    return station(*chargers, grid_limit_w=grid_limit_w)


async def draws(site: Rig, powers: dict[ConnectorKey, int], times: int = 1) -> None:
    """Readings of these connectors every 10 s, and all that follows from them."""
    for _ in range(times):
        site.clock.advance(10.0)
        for key, power_w in powers.items():
            now = site.clock.now()
            site.loop.post(MeterSample(key, now, measured_at=now, power_w=power_w))
        await site.quiet()


def told_of(site: Rig) -> list[str]:
    return [e.text for e in site.events.after(0) if e.kind == "not_obeying"]


async def crowded(site: Rig) -> None:
    """Three vehicles that want more than there is; every one draws what it may."""
    for key in (A1, B1, C1):
        await site.start(key)
    await draws(site, dict.fromkeys((A1, B1, C1), 66_666), 2)
    assert sum(site.counted().values()) == 200_000


# -------------------------------------------------------------------------- draws too much


async def test_a_connector_that_draws_too_much_counts_at_its_maximum_and_others_make_room() -> None:
    async with rig(singles("A", "B", "C"), "A", "B", "C") as site:
        await crowded(site)
        site.link.wire.clear()
        await draws(site, {A1: 90_000, B1: 66_666, C1: 66_666}, 2)
        assert site.loop.watch.of(A1).cause is Cause.LIMIT
        assert site.counted() == {"A/1": 100_000, "B/1": 50_000, "C/1": 50_000}
        # Only a limit clearly below what it could draw shows whether it obeys.
        assert site.limits()["A/1"] == 50_000
        assert site.conditions()[0] is Condition.UNCONTROLLED
        assert told_of(site) == [f"A/1 {Cause.LIMIT}: 90.0 kW observed; step resend"]
        # Its own limit is sent again.
        assert [words for words in site.link.wire if words.startswith("A/1")]


async def test_a_connector_that_goes_on_is_stopped_and_then_out_of_service() -> None:
    async with rig(singles("A", "B", "C"), "A", "B", "C") as site:
        await crowded(site)
        site.link.answers["remote_stop"] = NO
        await draws(site, {A1: 90_000}, 4)
        assert site.link.named("remote_stop") == []
        await draws(site, {A1: 90_000}, 12)
        assert site.link.named("remote_stop") == [("A", 101)]
        assert [text.rpartition(" ")[2] for text in told_of(site)] == [
            "resend",
            "stop",
            "unavailable",
        ]
        assert site.loop.watch.of(A1).step is Step.UNAVAILABLE
        assert site.counted()["A/1"] == 100_000


async def test_a_stop_that_breaks_does_not_stop_the_loop() -> None:
    async with rig(singles("A", "B", "C"), "A", "B", "C") as site:
        await crowded(site)

        async def breaks(charger_id: str, transaction_id: int) -> None:
            raise RuntimeError("bug")

        site.link.on_remote_stop = breaks
        with capture_logs() as logs:
            await draws(site, {A1: 90_000}, 12)
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["remote_stop_failed"]
        assert site.counted()["A/1"] == 100_000


async def test_a_connector_that_is_held_down_again_gets_its_share_back() -> None:
    async with rig(singles("A", "B", "C"), "A", "B", "C") as site:
        await crowded(site)
        await draws(site, {A1: 90_000, B1: 66_666, C1: 66_666}, 2)
        limit_w = site.limits()["A/1"]
        assert limit_w == 50_000
        await draws(site, {A1: limit_w, B1: 50_000, C1: 50_000}, 6)
        assert site.loop.watch.of(A1).cause is None
        assert site.counted()["A/1"] < 100_000
        await site.later(60.0)
        assert sum(site.counted().values()) <= 200_000


def defaults_only(command: SetLimit) -> Answer:
    return NO if command.form.purpose is Purpose.SESSION else YES


@pytest.mark.parametrize(
    ("script", "scope"), [(lambda _: YES, Scope.SESSION), (defaults_only, Scope.DEFAULT)]
)
async def test_its_limit_is_sent_again_whatever_it_is_written_as(
    script: Callable[[SetLimit], Answer], scope: Scope
) -> None:
    async with rig(singles("A"), "A") as site:
        site.link.script = script
        await site.start(A1, 50_000)
        await draws(site, {A1: 50_000}, 2)
        site.link.limits.clear()
        await draws(site, {A1: 70_000}, 2)
        assert site.loop.watch.of(A1).step is Step.RESEND
        assert (scope, 50_000) in [(c.scope, c.limit.value_w) for c in site.link.limits]
        sent = len(site.link.limits)
        await site.quiet()
        assert len(site.link.limits) == sent


# ------------------------------------------------------------------- power without a session


async def test_power_without_a_session_counts_and_ends_with_it() -> None:
    async with rig(singles("A", "B", grid_limit_w=150_000), "A", "B") as site:
        await site.start(B1)
        assert site.counted() == {"B/1": 100_000}
        site.link.limits.clear()
        await draws(site, {A1: 30_000})
        assert site.loop.watch.of(A1).cause is Cause.NO_SESSION
        assert site.counted() == {"A/1": 100_000, "B/1": 50_000}
        assert told_of(site) == [f"A/1 {Cause.NO_SESSION}: 30.0 kW observed; step resend"]
        assert (A1, Scope.DEFAULT) in [(c.connector, c.scope) for c in site.link.limits]
        await draws(site, {A1: 30_000}, 20)
        # There is no session to stop.
        assert site.link.named("remote_stop") == []
        assert site.loop.watch.of(A1).step is Step.UNAVAILABLE
        await draws(site, {A1: 0})
        assert site.loop.watch.of(A1).cause is None
        assert site.counted() == {"B/1": 100_000}


# --------------------------------------------------------------------------------- pauses


async def paused_pair(site: Rig) -> None:
    """A and B charge, are paused by a cut of the grid limit, and draw nothing."""
    for key in (A1, B1):
        await site.start(key)
    await draws(site, {A1: 100_000, B1: 100_000}, 2)
    await site.renew(replace(site.loop.state.station, grid_limit_w=0))
    await draws(site, {A1: 0, B1: 0}, 4)
    assert site.counted() == {}
    assert site.loop.watch.watched().paused == {A1, B1}


async def test_paused_connectors_resume_one_at_a_time_with_their_whole_maximum_kept_free() -> None:
    async with rig(singles("A", "B"), "A", "B") as site:
        await paused_pair(site)
        await site.renew(replace(site.loop.state.station, grid_limit_w=120_000))
        assert site.loop.watch.watched().paused == {B1}
        assert site.loop.watch.watched().on_probation == {A1}
        assert site.limits() == {"A/1": 50_000, "B/1": 0}
        assert site.counted() == {"A/1": 100_000}
        await draws(site, {A1: 50_000, B1: 0})
        assert site.limits() == {"A/1": 50_000, "B/1": 0}
        # It is seen to be held down by its limit: now the other may, in the room that it leaves.
        await draws(site, {A1: 50_000, B1: 0})
        assert site.loop.watch.watched().paused == frozenset()
        assert site.loop.watch.watched().on_probation == {B1}
        assert site.limits() == {"A/1": 20_000, "B/1": 50_000}
        assert site.counted() == {"A/1": 20_000, "B/1": 100_000}
        await draws(site, {A1: 20_000, B1: 50_000}, 2)
        assert site.limits() == {"A/1": 60_000, "B/1": 60_000}


async def test_nobody_resumes_without_room_for_its_maximum() -> None:
    async with rig(singles("A", "B"), "A", "B") as site:
        await paused_pair(site)
        await site.renew(replace(site.loop.state.station, grid_limit_w=99_000))
        await draws(site, {A1: 0, B1: 0}, 3)
        assert site.counted() == {}
        assert site.limits() == {"A/1": 0, "B/1": 0}


async def test_two_that_did_not_obey_resume_when_they_are_seen_to_keep_to_a_pause() -> None:
    async with rig(singles("A", "B", grid_limit_w=150_000), "A", "B") as site:
        for key in (A1, B1):
            await site.start(key)
        await draws(site, {A1: 100_000, B1: 100_000}, 2)
        assert {site.loop.watch.of(key).cause for key in (A1, B1)} == {Cause.LIMIT}
        await site.renew(replace(site.loop.state.station, grid_limit_w=0))
        await draws(site, {A1: 0, B1: 0}, 4)
        await site.renew(replace(site.loop.state.station, grid_limit_w=150_000))
        await draws(site, {A1: 0, B1: 0}, 20)
        # All that both may draw does not fit, so neither is let go on.
        assert site.limits() == {"A/1": 0, "B/1": 0}
        for key in (A1, B1):
            site.loop.post(
                ConnectorStatusReported(key, site.clock.now(), ConnectorStatus.SUSPENDED_EVSE)
            )
        await draws(site, {A1: 0, B1: 0}, 8)
        assert {site.loop.watch.of(key).cause for key in (A1, B1)} == {Cause.LIMIT}
        assert site.limits() == {"A/1": 50_000, "B/1": 0}
        assert site.counted() == {"A/1": 100_000}
        # It does not obey again: the other goes on waiting.
        await draws(site, {A1: 100_000, B1: 0}, 4)
        assert site.limits()["B/1"] == 0
        assert site.counted() == {"A/1": 100_000}


async def test_chargers_shown_to_obey_resume_together() -> None:
    built = singles("A", "B", told=Told(lease=True))
    async with rig(built, "A", "B") as site:
        for key in (A1, B1):
            await site.start(key)
        await draws(site, {A1: 100_000, B1: 100_000}, 2)
        await site.renew(replace(site.loop.state.station, grid_limit_w=0))
        await draws(site, {A1: 0, B1: 0}, 4)
        assert site.loop.watch.watched().paused == frozenset()
        await site.renew(replace(site.loop.state.station, grid_limit_w=99_000))
        assert site.limits() == {"A/1": 49_500, "B/1": 49_500}


async def test_nobody_resumes_where_its_maximum_does_not_fit_beside_the_others() -> None:
    async with rig(singles("A", "B", grid_limit_w=155_000), "A", "B") as site:
        await site.start(B1)
        await draws(site, {B1: 100_000}, 2)
        await site.start(A1)
        await draws(site, {A1: 77_000, B1: 77_000}, 2)
        # B keeps its limit through a cut that pauses A.
        site.link.script = answering(SILENCE, B1)
        await site.renew(replace(site.loop.state.station, grid_limit_w=50_000))
        await draws(site, {A1: 0}, 2)
        assert site.loop.watch.watched().paused == {A1}
        await site.disconnect("B")
        kept_w = site.counted()["B/1"]
        assert site.counted() == {"B/1": kept_w}
        site.link.wire.clear()
        await site.renew(replace(site.loop.state.station, grid_limit_w=155_000))
        assert (kept_w > 55_000, site.link.wire) == (True, [])
        assert site.loop.ledger.overdrawn() == {}


async def test_the_maximum_counts_before_the_limit_that_ends_the_pause_is_on_the_wire() -> None:
    async with rig(singles("A", "B"), "A", "B") as site:
        await paused_pair(site)
        counted: list[int] = []
        site.link.before_limit = lambda command: counted.append(
            site.loop.ledger.worst_case_w(command.connector)
        )
        site.link.script = answering(SILENCE, A1)
        await site.renew(replace(site.loop.state.station, grid_limit_w=120_000))
        assert set(counted) == {100_000}
        # Nobody knows whether it is in force: it counts as if it were.
        await draws(site, {A1: 0, B1: 0}, 2)
        assert site.counted() == {"A/1": 100_000}
        assert site.loop.watch.watched().on_probation == {A1}
        assert site.limits()["B/1"] == 0


# -------------------------------------------------------------------------- a limit of 0


async def test_what_a_charger_goes_on_with_at_zero_is_kept_for_it_before_a_session_is_known() -> (
    None
):
    built = singles("A", "B", grid_limit_w=105_000, told=Told(at_zero="minimum"))
    async with rig(built, "A", "B") as site:
        assert site.counted() == {"A/1": 10_000, "B/1": 10_000}
        await site.start(A1)
        assert site.counted() == {"A/1": 95_000, "B/1": 10_000}
        await site.start(B1)
        assert site.counted() == {"A/1": 52_500, "B/1": 52_500}


async def test_after_a_cut_a_session_has_what_is_left_beside_a_connector_that_may_forget() -> None:
    odd = replace(
        charger("A", max_power_w=100_000, fallback_w=5_000),
        capabilities=Told(survives_reboot=False),
    )
    async with rig(station(odd, grid_limit_w=100_000), "A") as site:
        await site.start(A1)
        assert site.limits()["A/1"] == 95_000
        site.loop.post(GridLimitGiven(site.clock.now(), 60_000))
        await site.quiet()
        assert site.limits()["A/1"] == 55_000
        assert sum(site.counted().values()) >= 100_000


async def test_what_goes_on_at_zero_counts_from_the_start() -> None:
    built = singles("A", "B", told=Told(at_zero="minimum"))
    async with rig(built) as site:
        assert site.loop.settled  # No cycle yet.
        assert site.counted() == {"A/1": 10_000, "B/1": 10_000}
