from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from csms.balancing.allocation import Node, Share
from csms.control.sender import LimitAnswered
from csms.dispatch.commands import SetLimit
from csms.dispatch.ledger import Entry, EntryState
from csms.dispatch.policy import DispatchPolicy
from csms.dispatch.standing import Condition
from csms.ports import Answer
from csms.station.facts import (
    ConnectorStatusReported,
    MeterSample,
    VehicleMaximumDeclared,
)
from csms.station.model import (
    ConnectorKey,
)
from csms.station.state import ConnectorStatus
from tests.stations import charger, station, two_chargers
from tests.unit.csms.control.fakes import (
    GONE,
    NO,
    SILENCE,
    START,
    YES,
    Rig,
    answering,
    keeping_back,
    loop_settings,
    refusing,
    rig,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1, B2 = ConnectorKey("B", 1), ConnectorKey("B", 2)


# ------------------------------------------------------------------------- scenarios


async def test_s1_two_vehicles_share_one_charger() -> None:
    async with rig(station(charger("A")), "A") as site:
        await site.start(A1, 150_000)
        assert site.limits() == {"A/1": 150_000}
        await site.start(A2, 150_000)
        assert site.limits() == {"A/1": 100_000, "A/2": 100_000}
        assert site.loop.settled
        assert site.link.peak_w == 200_000


async def test_s2_vehicles_arrive_one_by_one_and_one_leaves() -> None:
    built = two_chargers(400_000, max_power_w=300_000)
    async with rig(built, "A", "B") as site:
        await site.start(A1, 150_000)
        await site.start(A2, 150_000)
        assert site.limits() == {"A/1": 150_000, "A/2": 150_000}
        await site.start(B1, 150_000)
        assert site.limits() == {"A/1": 133_334, "A/2": 133_333, "B/1": 133_333}
        await site.start(B2, 150_000)
        assert site.limits() == {"A/1": 100_000, "A/2": 100_000, "B/1": 100_000, "B/2": 100_000}
        await site.end(A1)
        assert site.limits() == {"A/2": 133_334, "B/1": 133_333, "B/2": 133_333}
        assert site.loop.settled
        assert site.link.peak_w == 400_000
        assert site.counted() == {"A/2": 133_334, "B/1": 133_333, "B/2": 133_333}


async def test_fallbacks_are_installed_when_a_charger_connects() -> None:
    async with rig(two_chargers(fallback_w=4_000)) as site:
        assert site.conditions() == [Condition.NEVER_SEEN, Condition.NEVER_SEEN]
        await site.connect("A")
        assert site.link.wire == [
            "A/1 default 4000",
            "A/2 default 4000",
            "A/1 default 4000 ok",
            "A/2 default 4000 ok",
        ]
        assert site.conditions() == [Condition.CONTROLLED, Condition.NEVER_SEEN]
        assert [(c.session_id, c.transaction_id) for c in site.link.limits] == [(None, None)] * 2


# ------------------------------------------------------------------------- lower first


async def test_a_raise_never_leaves_before_the_lower_s_answer() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1)
        site.link.script = keeping_back(A1)
        site.link.wire.clear()
        await site.start(B1)
        assert site.link.wire == ["A/1 100000"]
        assert site.counted() == {"A/1": 200_000}
        site.link.release()
        await site.quiet()
        assert site.link.wire == ["A/1 100000", "A/1 100000 ok", "B/1 100000", "B/1 100000 ok"]
        assert site.loop.settled
        assert site.link.peak_w == 200_000


async def test_lowers_leave_together_and_the_raise_waits_for_the_last() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1)
        await site.start(A2)
        site.link.script = keeping_back(A1, A2)
        site.link.wire.clear()
        await site.start(B1)
        assert site.link.wire == ["A/1 66667", "A/2 66667"]
        site.link.release(connector=A1)
        await site.quiet()
        assert site.link.wire[2:] == ["A/1 66667 ok"]
        site.link.release(connector=A2)
        await site.quiet()
        assert site.link.wire[3:] == ["A/2 66667 ok", "B/1 66666", "B/1 66666 ok"]


async def test_after_a_while_a_raise_takes_the_room_there_is() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 150_000)
        site.link.script = keeping_back(A1)
        await site.start(B1)
        assert "B/1 50000" not in site.link.wire
        await site.later(1.9)
        assert "B/1 50000" not in site.link.wire
        await site.later(0.2)
        assert site.limits() == {"A/1": 100_000, "B/1": 50_000}
        assert not site.loop.settled


async def test_one_limit_of_a_connector_is_out_at_a_time() -> None:
    async with rig(two_chargers(), "A") as site:
        site.link.script = keeping_back(A1)
        await site.start(A1, 50_000)
        site.loop.post(VehicleMaximumDeclared(A1, site.clock.now(), 80_000))
        await site.quiet()
        assert site.link.last(A1).limit.value_w == 50_000
        site.link.release()
        await site.quiet()
        site.link.release()
        assert site.link.last(A1).limit.value_w == 80_000


async def test_a_lower_does_not_wait_for_the_answer_to_a_higher_limit() -> None:
    async with rig(two_chargers(), "A") as site:
        site.link.script = keeping_back(A1)
        await site.start(A1, 50_000)
        site.loop.post(VehicleMaximumDeclared(A1, site.clock.now(), 30_000))
        await site.quiet()
        assert site.link.last(A1).limit.value_w == 30_000
        # Both may be in force, until the lower one is confirmed.
        assert site.counted() == {"A/1": 50_000}
        site.link.release()
        await site.quiet()
        assert site.counted() == {"A/1": 30_000}


# ------------------------------------------------------------------- refusal and silence


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (NO, EntryState.REFUSED),
        (SILENCE, EntryState.UNANSWERED),
        (GONE, EntryState.UNANSWERED),
    ],
)
async def test_what_is_not_confirmed_keeps_its_place(answer: Answer, state: EntryState) -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 150_000)
        site.link.script = refusing(answer, A1)
        await site.start(B1)
        # A/1 refused to be lowered: it counts at its 150 kW, and B/1 gets what is left.
        assert site.limits() == {"A/1": 100_000, "B/1": 50_000}
        assert site.counted() == {"A/1": 150_000, "B/1": 50_000}
        assert site.newest(A1).state is state
        words = [e.text for e in site.events.after(0) if e.kind == f"limit_{state.value}"]
        detail = "" if answer.detail.lower() == answer.outcome.value else f" {answer.detail}"
        assert set(words) == {f"A/1 100.0 kW: {answer.outcome.value}{detail}".rstrip()}
        assert not site.loop.settled


async def test_a_refused_limit_is_tried_again_after_growing_waits() -> None:
    settings = loop_settings(dispatch=DispatchPolicy(retry_after_s=(1.0, 5.0)))
    async with rig(two_chargers(), "A", settings=settings) as site:
        site.link.script = refusing(NO, A1)
        await site.start(A1)
        tries = []
        for _ in range(12):
            tries.append(len([c for c in site.link.limits if c.limit.value_w > 0]))
            await site.later(1.0)
        # Refused at once in every form there is, again after 1 s, and then every 5 s.
        rungs = tries[0]
        assert [n / rungs for n in tries] == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]
        forms = [c.form for c in site.link.limits if c.limit.value_w > 0]
        assert len(set(forms[:rungs])) == rungs > 3
        entries = [e for e in site.loop.ledger.entries() if e.limit.value_w > 0]
        assert len(entries) <= rungs
        assert site.counted() == {"A/1": 200_000}


async def test_a_retry_that_succeeds_gives_every_vehicle_its_share() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 150_000)
        site.link.script = answering(SILENCE, A1)
        await site.start(B1)
        site.link.script = lambda _: YES
        await site.later(0.29)
        assert site.counted() == {"A/1": 150_000, "B/1": 50_000}
        await site.later(0.02)
        assert site.counted() == {"A/1": 100_000, "B/1": 100_000}
        assert site.loop.settled
        assert site.link.peak_w == 200_000


async def test_a_charger_is_silent_from_an_unanswered_limit_to_its_next_answer() -> None:
    def seen(site: Rig) -> tuple[bool, dict[str, int]]:
        goals = {str(key): goal.value_w for key, goal in site.loop.balancer.goals.items()}
        return site.loop.standing(site.clock.now())["A"].silent, goals

    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 150_000)
        assert seen(site) == (False, {"A/1": 150_000})
        site.link.script = answering(SILENCE, A1)
        await site.start(B1)
        # While the repeat is under way, too, nobody waits to see whether it is heard.
        site.link.script = keeping_back(A1)
        await site.later(0.31)
        assert seen(site) == (True, {"A/1": 100_000, "B/1": 50_000})
        site.link.release()
        await site.quiet()
        assert seen(site) == (False, {"A/1": 100_000, "B/1": 100_000})


async def test_the_loop_wakes_by_itself_for_a_retry_and_for_its_tick() -> None:
    settings = loop_settings(dispatch=DispatchPolicy(retry_after_s=(0.25,)), tick_s=0.75)
    async with rig(two_chargers(), settings=settings) as site:
        assert site.loop._pause_s() == 0.75  # noqa: SLF001
        await site.connect("A")
        site.link.script = refusing(NO, A1)
        await site.start(A1)
        assert site.loop._pause_s() == 0.25  # noqa: SLF001


async def test_without_anything_to_do_the_loop_still_ticks() -> None:
    async with rig(two_chargers(), "A", settings=loop_settings(tick_s=0.0)) as site:
        site.link.script = answering(NO, A1)
        await site.start(A1)
        site.link.script = lambda _: YES
        site.clock.advance(0.5)
        for _ in range(20):
            await asyncio.sleep(0)
        assert site.counted() == {"A/1": 200_000}
        assert site.loop.settled


async def test_a_late_confirmation_counts() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 150_000)
        site.link.script = answering(SILENCE, A1)
        await site.start(B1)
        site.loop.post(LimitAnswered(site.link.last(A1), YES, late=True))
        await site.quiet()
        assert site.counted() == {"A/1": 100_000, "B/1": 100_000}
        assert site.loop._pause_s() == 1.0  # noqa: SLF001


async def test_a_late_refusal_changes_nothing() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 150_000)
        site.link.script = answering(SILENCE, A1)
        await site.start(B1)
        before = (site.counted(), len(site.link.limits), len(site.kinds()))
        site.loop.post(LimitAnswered(site.link.last(A1), NO, late=True))
        await site.quiet()
        assert (site.counted(), len(site.link.limits), len(site.kinds())) == before


async def test_a_late_answer_leaves_the_newer_limit_out() -> None:
    async with rig(two_chargers(), "A") as site:
        site.link.script = answering(SILENCE, A1)
        await site.start(A1, 150_000)
        old = site.link.last(A1)
        site.link.script = keeping_back(A1)
        await site.later(0.4)
        assert len(site.link.limits) == 4
        site.loop.post(LimitAnswered(old, YES, late=True))
        await site.quiet()
        assert len(site.link.limits) == 4
        assert not site.loop.settled


async def test_an_answer_that_comes_after_the_session_says_nothing_of_the_next_one() -> None:
    async with rig(two_chargers(), "A") as site:
        site.link.script = keeping_back(A1)
        await site.start(A1, 50_000)
        await site.end(A1)
        site.link.script = lambda _: YES
        site.link.release(NO)
        await site.start(A1, 40_000)
        assert site.limits() == {"A/1": 40_000}
        assert site.loop.settled


async def test_a_link_that_raises_counts_as_silence() -> None:
    async with rig(two_chargers(), "A") as site:

        def breaks(command: SetLimit) -> Answer:
            raise RuntimeError("bug")

        site.link.script = breaks
        with capture_logs() as logs:
            await site.start(A1)
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["set_limit_failed"]
        assert site.counted() == {"A/1": 200_000}
        assert site.newest(A1).state is EntryState.UNANSWERED


# --------------------------------------------------------------------- durable before sent


async def test_a_limit_is_kept_before_it_is_on_the_wire() -> None:
    async with rig(two_chargers()) as site:
        unkept: list[SetLimit] = []

        def is_kept(command: SetLimit) -> None:
            kept = [entry for entries in site.store.writes for entry in entries]
            if (
                Entry(
                    command.token,
                    command.connector,
                    command.scope,
                    command.limit,
                    EntryState.SENT,
                    site.clock.now(),
                    session_id=command.session_id,
                )
                not in kept
            ):
                unkept.append(command)

        site.link.before_limit = is_kept
        await site.connect("A", "B")
        await site.start(A1)
        await site.start(B1)
        assert (len(site.link.limits), unkept) == (7, [])
        assert [] not in site.store.writes


async def test_what_is_kept_is_what_counts() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1)
        await site.start(B1)
        assert await site.store.load("SITE") == sorted(
            site.loop.ledger.entries(), key=lambda entry: entry.token
        )
        await site.end(A1)
        assert [e.session_id for e in await site.store.load("SITE") if e.session_id] == ["s2"]


async def test_without_a_database_lowers_go_out_and_raises_are_held_back() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1)
        site.store.broken = True
        await site.start(B1)
        assert site.link.last(A1).limit.value_w == 100_000
        assert site.counted() == {"A/1": 100_000}
        assert [e for e in site.loop.ledger.entries() if e.session_id == "s2"] == []
        assert "B/1 100000" not in site.link.wire
        assert not site.loop.settled
        assert [e.text for e in site.events.after(0) if e.kind == "ledger_not_written"] == [
            "disk full"
        ]
        site.store.broken = False
        await site.quiet()
        assert site.counted() == {"A/1": 100_000, "B/1": 100_000}
        assert site.loop.settled


@pytest.mark.parametrize(("takes_s", "sent"), [(0.9, True), (1.1, False)])
async def test_a_raise_worked_out_too_long_ago_is_dropped(takes_s: float, sent: bool) -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1)
        site.store.write_takes_s = takes_s
        await site.start(B1)
        assert site.link.last(A1).limit.value_w == 100_000
        assert ("B/1 100000" in site.link.wire) is sent
        assert site.loop.settled is sent
        assert bool([e for e in site.loop.ledger.entries() if e.session_id == "s2"]) is sent
        assert [e for e in await site.store.load("SITE") if e.state is EntryState.SENT] == []
        site.store.write_takes_s = 0.0
        await site.quiet()
        assert site.counted() == {"A/1": 100_000, "B/1": 100_000}


# ----------------------------------------------------------------------------- the loop itself


async def test_one_failing_fact_does_not_stop_the_loop() -> None:
    async with rig(two_chargers(), "A") as site:
        with capture_logs() as logs:
            site.loop.post("no fact at all")  # type: ignore[arg-type]
            await site.start(A1, 50_000)
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["fact_failed"]
        assert site.limits() == {"A/1": 50_000}


async def test_one_failing_cycle_does_not_stop_the_loop() -> None:
    async with rig(two_chargers(), "A") as site:

        def breaks(root: Node, now: float) -> dict[ConnectorKey, Share]:
            raise ZeroDivisionError

        works, site.loop.balancer._allocator = site.loop.balancer._allocator, breaks  # noqa: SLF001
        site.plug_in(A1, 50_000)
        with capture_logs() as logs:
            await site.loop.caught_up()
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["cycle_failed"]
        site.loop.balancer._allocator = works  # noqa: SLF001
        await site.quiet()
        assert site.limits() == {"A/1": 50_000}


async def test_everything_posted_before_has_been_acted_on_when_it_has_caught_up() -> None:
    async with rig(two_chargers(), "A") as site:
        site.plug_in(A1, 50_000)
        site.loop.post(ConnectorStatusReported(A2, START, ConnectorStatus.PREPARING))
        assert site.loop.state.connectors[A1].session is None
        await site.loop.caught_up()
        assert site.loop.state.connectors[A1].session is not None
        assert site.loop.state.connectors[A2].status is ConnectorStatus.PREPARING
        assert site.loop.balancer.goals[A1].value_w == 50_000


async def test_somebody_who_no_longer_waits_is_no_error() -> None:
    async with rig(two_chargers(), "A") as site:
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(site.loop.caught_up())
            await asyncio.sleep(0)
            waiting.cancel()
        await site.start(A1, 50_000)
        assert site.limits() == {"A/1": 50_000}


async def test_of_samples_that_wait_only_the_newest_of_their_kind_counts() -> None:
    async with rig(two_chargers(), "A") as site:
        await site.start(A1)
        for number in (1, 2, 3):
            site.loop.post(MeterSample(A1, START + number, power_w=1_000 * number))
        site.loop.post(MeterSample(A1, START, energy_wh=500))
        site.loop.post(MeterSample(A1, START, soc_pct=40.0))
        site.loop.post(MeterSample(A2, START, power_w=9_000))
        await site.quiet()
        session = site.loop.state.connectors[A1].session
        assert session is not None
        assert [r.power_w for r in session.readings] == [3_000]
        assert (session.energy_wh, session.soc_pct) == (500, 40.0)
