"""What is done about connectors that do not obey, step by step, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from csms.control.enforcement import Pardoned
from csms.dispatch.commands import Purpose
from csms.dispatch.compliance import Cause, Step
from csms.dispatch.conviction import Conviction
from csms.ports import Answer
from csms.station.facts import ChargerBooted, MeterSample
from csms.station.model import ConnectorKey, CurrentType, Station, Told
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, SILENCE, YES, FaultyStore, Rig, rig

A1, B1 = ConnectorKey("A", 1), ConnectorKey("B", 1)
NOT_TOLD = Told()
OUT, BACK = ("A", 1, False), ("A", 1, True)
GUILTY = Conviction(A1, Cause.LIMIT, 100_000, 90_000, 50_000, Step.RESEND, 900.0)


def singles(*names: str) -> Station:
    """Chargers of 100 kW with one connector each, on 150 kW."""
    chargers = (charger(name, max_power_w=100_000, connectors=1) for name in names)
    return station(*chargers, grid_limit_w=150_000)


async def draws(site: Rig, power_w: int, times: int = 1) -> None:
    """Readings of A every 10 s, and all that follows from them."""
    for _ in range(times):
        site.clock.advance(10.0)
        now = site.clock.now()
        site.loop.post(MeterSample(A1, now, measured_at=now, power_w=power_w))
        await site.quiet()


async def defiant(site: Rig) -> None:
    """A session on A draws 90 kW of 50 kW, whatever is done about it, and is out of service."""
    await site.start(A1, 50_000)
    await draws(site, 50_000, 2)
    await draws(site, 90_000, 14)
    assert site.loop.watch.of(A1).step is Step.UNAVAILABLE


def told(site: Rig) -> list[tuple[object, ...]]:
    return site.link.named("change_availability")


def happened(site: Rig) -> list[str]:
    return [e.text for e in site.events.after(0) if e.kind == "availability"]


async def kept(site: Rig) -> list[Conviction]:
    return await site.store.convictions("SITE")


# ------------------------------------------------------------------------ out of service


async def test_the_last_step_takes_the_connector_out_of_service_once() -> None:
    async with rig(singles("A"), "A") as site:
        await defiant(site)
        await draws(site, 90_000, 5)
        assert told(site) == [OUT]
        assert happened(site) == ["A/1 out of service (Accepted)"]


async def test_one_that_obeys_again_is_put_into_service() -> None:
    async with rig(singles("A"), "A") as site:
        await defiant(site)
        await draws(site, site.limits()["A/1"], 4)
        assert site.loop.watch.of(A1).cause is None
        assert told(site) == [OUT, BACK]
        assert await kept(site) == []


async def test_a_pardon_puts_it_into_service_but_it_counts_until_it_obeys() -> None:
    async with rig(singles("A"), "A") as site:
        await defiant(site)
        site.loop.post(Pardoned(A1))
        await site.quiet()
        assert told(site) == [OUT, BACK]
        assert site.counted() == {"A/1": 100_000}
        assert site.loop.watch.of(A1).step is Step.ALARM
        await draws(site, 90_000, 12)
        assert told(site) == [OUT, BACK, OUT]


async def test_a_pardon_reaches_a_charger_whatever_csms_knows_of_it_and_no_stranger() -> None:
    async with rig(singles("A"), "A") as site:
        site.loop.post(Pardoned(ConnectorKey("Z", 1)))
        await site.quiet()
        assert told(site) == []
        site.loop.post(Pardoned(A1))
        await site.quiet()
        assert told(site) == [BACK]


@pytest.mark.parametrize("answer", [NO, SILENCE])
async def test_a_charger_that_does_not_say_yes_is_asked_again_after_a_while(
    answer: Answer,
) -> None:
    async with rig(singles("A"), "A") as site:
        site.link.answers["change_availability"] = answer
        await defiant(site)
        assert len(told(site)) > 1
        assert happened(site)[0] == f"A/1 not out of service: {answer.detail}"
        site.link.answers["change_availability"] = YES
        await site.later(400.0)
        asked = len(told(site))
        assert happened(site)[-1] == "A/1 out of service (Accepted)"
        await site.later(400.0)
        assert len(told(site)) == asked


async def test_a_request_that_breaks_does_not_stop_the_loop() -> None:
    async with rig(singles("A"), "A") as site:
        site.link.breaks.add("change_availability")
        with capture_logs() as logs:
            await defiant(site)
        assert "change_availability_failed" in [e["event"] for e in logs]
        assert site.counted() == {"A/1": 100_000}


async def test_a_charger_that_is_away_is_told_when_it_is_back_and_again_when_it_has_booted() -> (
    None
):
    bad = replace(GUILTY, step=Step.UNAVAILABLE)
    async with rig(singles("A", "B"), convictions=[bad], seen=["A"]) as site:
        await site.connect("B")
        assert told(site) == []
        await site.connect("A")
        assert told(site) == [OUT]
        site.loop.post(ChargerBooted("B", site.clock.now()))
        await site.quiet()
        assert told(site) == [OUT]
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        assert told(site) == [OUT, OUT]


async def test_an_answer_for_a_connector_that_is_gone_is_dropped() -> None:
    bad = replace(GUILTY, step=Step.UNAVAILABLE)
    async with rig(singles("A", "B"), convictions=[bad]) as site:
        site.link.held.add("change_availability")
        await site.connect("A")
        assert told(site) == [OUT]
        await site.renew(singles("B"))
        site.link.let_go.set()
        await site.quiet()
        assert happened(site) == []
        assert await kept(site) == []


# ------------------------------------------------------------------------ another form


def ac(told: Told = NOT_TOLD) -> Station:
    (connector,) = (built := charger("A", max_power_w=22_000, connectors=1)).connectors
    connectors = (replace(connector, current_type=CurrentType.AC),)
    built = replace(built, connectors=connectors, capabilities=told)
    return station(built, grid_limit_w=22_000)


async def convicted(site: Rig) -> int:
    """A session on A draws 20 kW of some 10 kW; how many limits had been sent before."""
    await site.start(A1, 10_000)
    await draws(site, 10_000, 2)
    sent = len(site.link.limits)
    await draws(site, 20_000, 2)
    assert site.loop.watch.of(A1).step is Step.RESEND
    return sent


async def test_a_limit_that_is_not_obeyed_is_sent_in_another_form_and_learned_when_obeyed() -> None:
    async with rig(ac(), "A") as site:
        sent = await convicted(site)
        first, again = site.link.limits[sent - 1], site.link.limits[-1]
        assert first.form.purpose is again.form.purpose is Purpose.SESSION
        assert (first.form.periods, again.form.periods) == (2, 1)
        learned = site.loop.capability(site.loop.state.station.chargers[0])
        assert learned.session_form == first.form
        while site.loop.watch.of(A1).cause is not None:
            await draws(site, site.limits()["A/1"])
        assert site.loop.watch.of(A1).cause is None
        learned = site.loop.capability(site.loop.state.station.chargers[0])
        assert learned.session_form == again.form


async def test_a_form_that_was_tried_without_a_session_is_not_learned() -> None:
    async with rig(ac(), "A") as site:
        before = site.loop.capability(site.loop.state.station.chargers[0])
        await draws(site, 20_000, 2)
        assert site.loop.watch.of(A1).step is Step.RESEND
        await draws(site, 0, 2)
        assert site.loop.watch.of(A1).cause is None
        assert site.loop.capability(site.loop.state.station.chargers[0]) == before


async def test_another_form_that_is_refused_gives_way_to_the_old_one() -> None:
    async with rig(ac(), "A") as site:
        site.link.script = lambda c: NO if c.form.periods == 1 and c.session_id else YES
        sent = await convicted(site)
        assert [c.form.periods for c in site.link.limits[sent:] if c.session_id] == [1, 2]


async def test_a_commissioned_charger_is_told_in_the_same_form() -> None:
    async with rig(ac(Told(lease=True)), "A") as site:
        sent = await convicted(site)
        assert {c.form for c in site.link.limits[sent:] if c.session_id} == {
            site.link.limits[sent - 1].form
        }


# ------------------------------------------------------------------------ after a restart


async def test_a_conviction_is_kept_as_it_grows_and_goes_when_it_ends() -> None:
    async with rig(singles("A"), "A") as site:
        await site.start(A1, 50_000)
        await draws(site, 50_000, 2)
        assert await kept(site) == []
        await draws(site, 90_000, 2)
        (record,) = await kept(site)
        assert (record.cause, record.counted_w, record.step) == (Cause.LIMIT, 100_000, Step.RESEND)
        assert (record.observed_w, record.allowed_w) == (90_000, 50_000)
        await draws(site, 120_000)
        (record,) = await kept(site)
        assert (record.counted_w, record.observed_w) == (120_000, 120_000)
        await draws(site, site.limits()["A/1"], 8)
        assert await kept(site) == []


async def test_after_a_restart_the_first_cycle_counts_it_as_before() -> None:
    async with rig(singles("A", "B"), "B", convictions=[GUILTY], seen=["A"]) as site:
        assert site.loop.watch.of(A1).cause is Cause.LIMIT
        await site.connect("A")
        await site.start(B1)
        assert site.counted() == {"A/1": 100_000, "B/1": 50_000}
        assert site.limits()["B/1"] == 50_000


async def test_what_was_seen_above_the_maximum_counts_after_a_restart_too() -> None:
    worse = replace(GUILTY, counted_w=130_000, observed_w=130_000)
    async with rig(singles("A", "B"), convictions=[worse]) as site:
        assert site.loop.ledger.worst_case_w(A1) == 130_000


async def test_what_was_out_of_service_and_obeyed_is_put_back_after_a_restart() -> None:
    bad = Conviction(A1, None, 0, 0, 0, Step.NONE, 0.0, out_of_service=True)
    async with rig(singles("A"), "A", convictions=[bad]) as site:
        assert told(site) == [BACK]
        assert await kept(site) == []


async def test_a_connector_removed_takes_its_record_with_it() -> None:
    async with rig(singles("A", "B"), "A", "B") as site:
        await draws(site, 30_000)
        assert [c.cause for c in await kept(site)] == [Cause.NO_SESSION]
        await site.renew(singles("B"))
        assert await kept(site) == []


async def test_a_record_of_a_connector_the_station_lacks_is_deleted() -> None:
    stranger = replace(GUILTY, connector=ConnectorKey("Z", 1))
    store = FaultyStore()
    store.convict_later("SITE", {stranger.connector: stranger})
    async with rig(singles("A"), store=store, convictions=[stranger]) as site:
        await site.quiet()
        assert await kept(site) == []


async def test_a_station_removed_takes_its_records_with_it() -> None:
    async with rig(singles("A"), "A") as site:
        await draws(site, 30_000)
        assert len(await kept(site)) == 1
        site.loop.enforcement.forget()
        assert await kept(site) == []
