"""A commissioning test, trial by trial, on chargers that obey and on others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from csms.control.trials import Patience, Progress, Report
from csms.dispatch.capability import AtZero, Proof
from csms.dispatch.commissioning import Lessons, Trial
from csms.ports import Answer, Outcome
from csms.station.model import ConnectorKey, RateUnit, Told
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, site
from tests.unit.csms.control.plant import A1, LEASE_S, MAX_W, Plant

ALONE = station(charger("A", max_power_w=MAX_W, connectors=1), grid_limit_w=MAX_W)
YES = Proof.YES
PATIENCE = Patience(back_s=100.0, boot_s=100.0)


async def commissioned(built: Any = ALONE, **wrong: Any) -> tuple[Report, Plant]:
    async with site(built, remote_timeout_s=0.01, commissioning=PATIENCE) as at:
        plant = Plant(at, **wrong)
        await plant.begin()
        return await plant.commissioned(), plant


def verdicts(report: Report) -> dict[str, str]:
    return {r.trial.value: r.finding.verdict.value for r in report.results}


def why(report: Report, trial: Trial) -> str:
    return next(r.finding.why for r in report.results if r.trial is trial)


async def test_a_charger_that_obeys_passes_everything() -> None:
    report, plant = await commissioned()
    assert report.progress is Progress.DONE
    assert verdicts(report) == dict.fromkeys([t.value for t in Trial], "passed")
    assert report.lessons == Lessons(AtZero.PAUSE, YES, YES, YES)
    assert (report.connector, report.lease_s, report.trial) == (A1, LEASE_S, None)
    assert report.capability.lease is YES
    # Two limits had an end to be obeyed. Afterwards its limits are leases.
    told = [c.limit for c in plant.at.link.limits if c.limit.expires_at is not None]
    assert [limit.source.value for limit in told[:2]] == ["commissioning"] * 2
    assert "commissioning" not in {limit.source.value for limit in told[2:]}


@pytest.mark.parametrize(("after", "power_w"), [("goes on", 20_000), ("full", MAX_W)])
async def test_a_charger_whose_limits_do_not_end(after: str, power_w: int) -> None:
    report, _ = await commissioned(after=after)
    assert verdicts(report)["lease"] == "failed"
    lease = next(r.finding for r in report.results if r.trial is Trial.LEASE)
    assert lease.measured_w == power_w
    # Its limits are never told an end again: the link is cut under one that has none.
    assert verdicts(report)["link cut"] == "passed"
    assert report.lessons == Lessons(AtZero.PAUSE, Proof.NO, YES, YES)


async def test_a_charger_that_forgets_without_a_link_and_at_a_reboot() -> None:
    report, _ = await commissioned(forgets=True)
    assert verdicts(report)["lease"] == "passed"
    assert verdicts(report)["link cut"] == "failed"
    assert verdicts(report)["reboot"] == "failed"
    assert report.lessons == Lessons(AtZero.PAUSE, Proof.NO, Proof.NO, Proof.NO)


async def test_a_charger_that_obeys_nothing_after_a_pause() -> None:
    report, _ = await commissioned(overshoots=True)
    assert verdicts(report)["resume"] == "failed"
    assert report.lessons.lease in {Proof.NO, Proof.UNKNOWN}


async def test_a_charger_that_ends_the_session_at_zero_is_started_again() -> None:
    report, _ = await commissioned(
        station(charger("A", max_power_w=MAX_W, connectors=1, fallback_w=5_000)),
        stops_at_zero=True,
    )
    assert verdicts(report) == dict.fromkeys([t.value for t in Trial], "passed")
    assert report.lessons.at_zero is AtZero.STOP


async def test_without_a_session_nothing_more_is_shown() -> None:
    report, _ = await commissioned(
        station(charger("A", max_power_w=MAX_W, connectors=1, fallback_w=5_000)),
        stops_at_zero=True,
        refuses_start=True,
    )
    assert set(list(verdicts(report).values())[3:]) == {"not shown"}
    assert "no other could be started" in why(report, Trial.RESUME)
    assert report.lessons == Lessons(at_zero=AtZero.STOP)


async def test_a_vehicle_that_takes_little_shows_little() -> None:
    report, _ = await commissioned(takes_w=4_000)
    shown = verdicts(report)
    assert (shown["low limit"], shown["minimum"], shown["zero"]) == (
        "not shown",
        "not shown",
        "passed",
    )
    assert report.lessons.lease is None


async def test_a_fallback_that_leaves_no_room_for_a_lease() -> None:
    full = station(charger("A", max_power_w=MAX_W, connectors=1, fallback_w=99_000))
    report, _ = await commissioned(full)
    assert why(report, Trial.LEASE) == why(report, Trial.OFFLINE)
    assert "no limit is well above it" in why(report, Trial.LEASE)


async def test_a_form_that_tells_no_end() -> None:
    one = charger("A", max_power_w=MAX_W, connectors=1)
    built = station(replace(one, capabilities=Told(periods=1)))
    report, _ = await commissioned(built)
    assert "none can tell its end" in why(report, Trial.LEASE)
    assert verdicts(report)["link cut"] == "passed"
    assert report.lessons.lease is None
    assert report.lessons.survives_reconnect is YES


async def test_a_meter_without_a_register_shows_nothing_good_of_a_cut() -> None:
    report, _ = await commissioned(tells_energy=False)
    assert verdicts(report)["link cut"] == "not shown"
    report, _ = await commissioned(tells_energy=False, forgets=True)
    assert verdicts(report)["link cut"] == "failed"


async def test_a_charger_that_does_not_come_back_ends_the_test() -> None:
    report, _ = await commissioned(comes_back=False)
    assert "did not come back" in why(report, Trial.OFFLINE)
    assert "did not come back" in why(report, Trial.REBOOT)


async def test_a_reset_that_is_refused_or_does_nothing() -> None:
    async with site(ALONE, commissioning=PATIENCE) as at:
        plant = Plant(at, reboots=False)
        await plant.begin()
        report = await plant.commissioned()
        assert "no boot within" in why(report, Trial.REBOOT)
        at.link.answers["reset"] = NO
        report = await plant.commissioned()
        assert why(report, Trial.REBOOT) == "the reset was answered with Rejected"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"unit": "W", "limit": 0.0}, "passed"),
        ({"unit": "A", "limit": 16.0}, "failed"),
        ({"unit": "A", "limit": 0.4, "phases": 1}, "passed"),
        ({}, "not shown"),
    ],
)
async def test_without_a_session_after_the_reboot_its_schedule_is_believed(
    told: dict[str, Any], expected: str
) -> None:
    async with site(ALONE, remote_timeout_s=0.01, commissioning=PATIENCE) as at:
        plant = Plant(at, refuses_start=True)
        at.link.answers["composite_schedule"] = Answer(Outcome.ACCEPTED, "Accepted", told)
        await plant.begin()
        report = await plant.commissioned()
        assert verdicts(report)["reboot"] == expected
        assert at.link.named("composite_schedule") == [(A1, 60)]


async def test_a_limit_that_is_never_confirmed_is_not_shown() -> None:
    async with site(ALONE, commissioning=PATIENCE) as at:
        plant = Plant(at)
        await plant.begin()
        at.link.script = lambda _: NO
        report = await plant.commissioned()
        assert verdicts(report)["low limit"] == "not shown"
        assert "was not confirmed within 60 s" in why(report, Trial.LOW)
        assert report.lessons.lease is None


async def test_amperes_are_judged_as_such() -> None:
    one = replace(charger("A", max_power_w=MAX_W, connectors=1), rate_unit=RateUnit.AMPERES)
    report, _ = await commissioned(station(one))
    assert verdicts(report)["lease"] == "passed"


async def test_the_session_that_ends_in_the_middle_ends_the_test() -> None:
    async with site(ALONE, commissioning=PATIENCE) as at:
        plant = Plant(at)
        await plant.begin()
        tests = at.supervisor.commissioning()
        tests.start(A1, LEASE_S)
        await plant.tick()
        await plant.stop()
        report = tests.report("A")
        while report.ended_at is None:
            await plant.tick()
            report = tests.report("A")
        assert why(report, Trial.REBOOT) == "the session has ended"


async def test_another_session_on_the_charger_spares_it_the_reboot() -> None:
    built = station(charger("A", max_power_w=MAX_W), grid_limit_w=2 * MAX_W)
    async with site(built) as at:
        plant = Plant(at)
        await plant.begin()
        tests = at.supervisor.commissioning()
        tests.start(A1, LEASE_S)
        await plant.tick()
        await at.start(ConnectorKey("A", 2), meter_wh=5)
        report = tests.report("A")
        while report.ended_at is None:
            await plant.tick()
            report = tests.report("A")
        assert why(report, Trial.REBOOT) == "another session has begun on the charger"
        assert at.link.named("reset") == []
