"""The loop and the chargers that connect: what they are asked, and when limits may follow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from csms.control.contacts import Registered
from csms.control.registration import HINT_KEYS, UNIT_KEY, RegistrationSettings
from csms.control.wanted_settings import INTERVAL_KEY, MEASURANDS_KEY
from csms.dispatch.capability import Capability
from csms.dispatch.standing import Condition
from csms.ports import Answer, Outcome
from csms.station.facts import ChargerBooted, ConnectorStatusReported
from csms.station.model import ConnectorKey, RateUnit
from csms.station.state import ConnectorStatus
from tests.stations import charger, station
from tests.unit.csms.control.fakes import START, ac_charger, loop_settings, rig

ONE = ConnectorKey("A", 1)


async def test_no_limit_is_sent_before_the_unit_is_known() -> None:
    async with rig(station(ac_charger())) as site:
        site.link.configuration_ready.clear()
        await site.connect("AC")
        assert site.link.limits == []
        assert site.conditions() == [Condition.REGISTERING]
        # The grace does not run out while the charger has not said which unit it takes.
        assert site.conditions() == [Condition.REGISTERING]
        # It counts at its maximum all the while, and after a time the others make room for it.
        await site.later(20.0)
        assert site.conditions() == [Condition.UNCONTROLLED]
        site.link.configuration[UNIT_KEY] = "Power"
        site.link.configuration_ready.set()
        await site.quiet()
        assert [c.form.unit for c in site.link.limits] == [RateUnit.WATTS] * 2
        assert site.conditions() == [Condition.CONTROLLED]


async def test_an_answer_to_an_older_connection_says_nothing_of_this_one() -> None:
    async with rig(station(ac_charger())) as site:
        site.link.configuration_ready.clear()
        await site.connect("AC")
        site.loop.post(Registered("AC", START - 1, Capability(unit=RateUnit.WATTS)))
        await site.quiet()
        assert site.link.limits == []
        await site.disconnect("AC")
        site.link.configuration_ready.set()
        await site.quiet()
        assert "AC" not in site.loop.contacts
        assert site.link.limits == []


async def test_a_charger_is_set_up_after_it_has_its_fallbacks_on_the_way() -> None:
    settings = loop_settings(registration=RegistrationSettings(60, 0))
    async with rig(station(charger("A")), settings=settings) as site:
        site.link.configuration[INTERVAL_KEY] = "900"
        site.loop.post(ConnectorStatusReported(ONE, START, ConnectorStatus.AVAILABLE))
        await site.connect("A")
        assert site.link.requests == [
            ("get_configuration", "A", INTERVAL_KEY),
            ("change_configuration", "A", INTERVAL_KEY, "60"),
            ("get_configuration", "A", MEASURANDS_KEY),
            *(("get_configuration", "A", key) for key in HINT_KEYS),
            ("trigger", "A", "StatusNotification", 2),
        ]


async def test_a_charger_has_time_to_report_its_connectors_by_itself() -> None:
    settings = loop_settings(registration=RegistrationSettings(status_wait_s=3_600.0))
    async with rig(station(charger("A")), "A", settings=settings) as site:
        assert [r[0] for r in site.link.requests] == ["get_configuration"] * 6


async def test_a_charger_that_cannot_be_set_up_does_not_stop_the_station() -> None:
    async with rig(station(charger("A"), ac_charger()), "A") as site:
        site.link.configuration = None  # type: ignore[assignment]
        with capture_logs() as logs:
            await site.connect("AC")
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["registration_failed"]
        await site.start(ONE, 50_000)
        assert site.limits() == {"A/1": 50_000}


async def test_a_quiet_charger_is_asked_nothing_and_counts_at_its_maximum() -> None:
    quiet = replace(charger("Q", max_power_w=50_000, connectors=1), quiet=True)
    async with rig(station(charger("A"), quiet, grid_limit_w=100_000), "A", "Q") as site:
        await site.start(ConnectorKey("Q", 1))
        await site.start(ONE)
        await site.later(20.0)
        site.loop.post(ChargerBooted("Q", site.clock.now()))
        await site.quiet()
        assert [r for r in site.link.requests if r[1] == "Q"] == []
        assert [c for c in site.link.limits if c.connector.charger_id == "Q"] == []
        assert site.link.last(ONE).limit.value_w == 50_000
        assert site.counted()["Q/1"] == 50_000
        assert site.conditions()[1] is Condition.UNCONTROLLED
        spoken_to = replace(quiet, quiet=False)
        built = station(charger("A"), spoken_to, grid_limit_w=100_000)
        assert await site.loop.change(built, {"A", "Q"}) == []
        await site.quiet()
        assert site.conditions()[1] is Condition.CONTROLLED
        assert await site.loop.change(station(charger("A"), quiet), {"A", "Q"}) == []
        site.link.requests.clear()
        await site.connect("Q")
        await site.later(20.0)
        assert [r for r in site.link.requests if r[1] == "Q"] == []


async def test_a_charger_that_boots_is_set_up_anew_but_written_only_once() -> None:
    async with rig(station(charger("A"))) as site:
        site.link.configuration[INTERVAL_KEY] = "900"
        await site.connect("A")
        await site.later(3_600.0)
        site.link.requests.clear()
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        assert [r[2] for r in site.link.requests] == [MEASURANDS_KEY, *HINT_KEYS]


async def test_a_question_that_a_boot_has_lost_is_asked_anew() -> None:
    async with rig(station(charger("A"))) as site:
        site.link.configuration_ready.clear()
        await site.connect("A")
        assert [r[2] for r in site.link.requests] == [INTERVAL_KEY]
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        site.link.configuration_ready.set()
        await site.quiet()
        keys = [r[2] for r in site.link.requests]
        assert keys == [INTERVAL_KEY, INTERVAL_KEY, MEASURANDS_KEY, *HINT_KEYS]


async def test_limits_go_before_the_first_question() -> None:
    async with rig(station(charger("A"))) as site:
        site.link.before_limit = lambda c: site.link.requests.append(("set_limit", c.connector))
        site.link.configuration_ready.clear()
        await site.connect("A")
        two = ConnectorKey("A", 2)
        asked = ("get_configuration", "A", INTERVAL_KEY)
        assert site.link.requests == [("set_limit", ONE), ("set_limit", two), asked]


async def test_a_question_that_was_never_sent_is_asked_again_while_it_is_connected() -> None:
    settings = loop_settings(registration=RegistrationSettings(10, 3_600.0, again_s=0.0))
    async with rig(station(charger("A")), settings=settings) as site:
        site.link.configuration[INTERVAL_KEY] = "900"
        site.link.answers["get_configuration"] = Answer(Outcome.NOT_SENT)
        await site.connect("A")
        assert len(site.link.named("get_configuration")) > 1
        assert {r[2] for r in site.link.requests} == {INTERVAL_KEY}
        site.link.answers["change_configuration"] = Answer(Outcome.NOT_SENT)
        del site.link.answers["get_configuration"]
        await site.quiet()
        assert len(site.link.named("change_configuration")) > 1
        site.link.requests.clear()
        await site.disconnect("A")
        assert len(site.link.named("change_configuration")) <= 1


async def test_a_charger_that_is_removed_is_asked_no_more() -> None:
    settings = loop_settings(registration=RegistrationSettings(10, 3_600.0, again_s=0.0))
    async with rig(station(charger("A"), charger("B")), settings=settings) as site:
        site.link.answers["get_configuration"] = Answer(Outcome.NOT_SENT)
        await site.connect("A")
        await site.renew(station(charger("B")))
        site.link.requests.clear()
        await site.quiet()
        assert site.link.requests == []


async def test_a_charger_that_is_told_to_boot_again_is_in_no_loop() -> None:
    async with rig(station(charger("A"))) as site:
        await site.connect("A")
        for pending in (True, True, True, False):
            site.loop.post(ChargerBooted("A", site.clock.now(), pending=pending))
            await site.quiet()
        assert "boot_loop" not in site.kinds()
        site.link.requests.clear()
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        assert len(site.link.named("get_configuration")) == 6


async def test_a_charger_in_a_loop_of_boots_gets_limits_and_no_questions() -> None:
    async with rig(station(ac_charger())) as site:
        for _ in range(3):
            site.loop.post(ChargerBooted("AC", site.clock.now()))
        site.loop.post(ChargerBooted("Z", site.clock.now()))
        await site.connect("AC")
        assert site.link.requests == []
        assert len(site.link.limits) == 2
        assert site.conditions() == [Condition.CONTROLLED]


async def test_a_connection_that_takes_the_place_of_another_is_told() -> None:
    async with rig(station(charger("A")), "A") as site:
        assert "connection_replaced" not in site.kinds()
        await site.disconnect("A")
        await site.connect("A")
        assert "connection_replaced" not in site.kinds()
        await site.connect("A")
        assert site.kinds().count("connection_replaced") == 1


async def test_a_charger_of_another_station_is_not_set_up() -> None:
    async with rig(station(charger("A")), "Z") as site:
        assert "Z" not in site.loop.contacts
        assert site.link.requests == []
        assert site.link.limits == []


@pytest.mark.parametrize(
    ("answer", "silent"),
    [
        (Answer(Outcome.TIMEOUT), True),
        (Answer(Outcome.NOT_SENT, in_vain=True), True),
        (Answer(Outcome.NOT_SENT, "connection lost before it was sent"), False),
        (Answer(Outcome.NOT_SENT, "not sent: it cannot be written"), False),
        (Answer(Outcome.REJECTED), False),
    ],
)
async def test_only_a_charger_that_leaves_something_unanswered_is_silent(
    answer: Answer, silent: bool
) -> None:
    async with rig(station(charger("A")), "A") as site:
        contact = site.loop.contacts.get("A")
        assert contact is not None
        site.loop.contacts.answered("A", answer)
        assert contact.silent is silent
        contact.silent = True
        site.loop.contacts.answered("A", answer)
        assert contact.silent is (answer.outcome is not Outcome.REJECTED)
        site.loop.contacts.answered("ELSEWHERE", answer)
