from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from csms.control.registration import (
    FEATURES_KEY,
    HINT_KEYS,
    INTERVAL_KEY,
    PERIODS_KEY,
    PROFILES_KEY,
    STACK_LEVEL_KEY,
    UNIT_KEY,
    RegistrationSettings,
    ask_for_meter_values,
    ask_for_statuses,
    hints,
    rate_unit,
)
from csms.control.station_loop import Registered
from csms.dispatch.capability import Capability, Proof
from csms.dispatch.commands import Form, Purpose, Scope, SetLimit
from csms.dispatch.standing import Condition
from csms.ports import Answer, Outcome
from csms.station.facts import ConnectorStatusReported
from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Limit,
    LimitSource,
    RateUnit,
)
from csms.station.state import ConnectorState, ConnectorStatus, StationState
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, START, FakeLink, loop_settings, rig

ONE = ConnectorKey("A", 1)
SETTINGS = RegistrationSettings(meter_interval_s=10, status_wait_s=0)


def ac_charger(rate_unit: RateUnit | None = None, first: CurrentType = CurrentType.AC) -> Charger:
    connectors = (
        Connector(ConnectorKey("AC", 1), 22_000, first),
        Connector(ConnectorKey("AC", 2), 22_000, CurrentType.AC),
    )
    return Charger("AC", 44_000, connectors, rate_unit=rate_unit)


@pytest.mark.parametrize("configured", list(RateUnit))
async def test_the_configured_unit_is_taken_without_asking(configured: RateUnit) -> None:
    link = FakeLink()
    assert await rate_unit(ac_charger(configured), link) is configured
    assert link.requests == []


async def test_dc_is_given_watts_without_asking() -> None:
    link = FakeLink()
    assert await rate_unit(charger(), link) is RateUnit.WATTS
    assert link.requests == []


@pytest.mark.parametrize(
    ("said", "unit"),
    [
        ("Power", RateUnit.WATTS),
        ("W", RateUnit.WATTS),
        (" power ", RateUnit.WATTS),
        ("Current", RateUnit.AMPERES),
        ("A", RateUnit.AMPERES),
        ("Current,Power", RateUnit.AMPERES),
        ("Power, A", RateUnit.AMPERES),
        ("", RateUnit.AMPERES),
        ("Wh", RateUnit.AMPERES),
        (None, RateUnit.AMPERES),
    ],
)
async def test_an_ac_charger_is_asked(said: str | None, unit: RateUnit) -> None:
    link = FakeLink()
    if said is not None:
        link.configuration[UNIT_KEY] = said
    assert await rate_unit(ac_charger(), link) is unit
    assert link.named("get_configuration") == [("AC", UNIT_KEY)]


async def test_a_charger_with_one_ac_connector_is_asked_too() -> None:
    link = FakeLink()
    link.configuration[UNIT_KEY] = "Power"
    assert await rate_unit(ac_charger(first=CurrentType.DC), link) is RateUnit.WATTS
    assert link.named("get_configuration") == [("AC", UNIT_KEY)]


async def test_a_charger_that_does_not_answer_gets_amperes() -> None:
    link = FakeLink()
    link.answers["get_configuration"] = Answer(Outcome.TIMEOUT)
    assert await rate_unit(ac_charger(), link) is RateUnit.AMPERES


async def test_a_charger_that_says_nothing_of_itself_gives_no_hint() -> None:
    link = FakeLink()
    assert await hints(ac_charger(), link) == Capability()
    assert link.named("get_configuration") == [("AC", key) for key in HINT_KEYS]


async def test_what_a_charger_says_of_itself_becomes_hints() -> None:
    link = FakeLink()
    link.configuration |= {
        FEATURES_KEY: "Core, SmartCharging ,RemoteTrigger",
        STACK_LEVEL_KEY: " 8 ",
        PERIODS_KEY: "24",
        PROFILES_KEY: "4",
    }
    assert await hints(charger(), link) == Capability(
        smart_charging=Proof.YES, max_stack_level=8, max_periods=24, max_profiles=4
    )


@pytest.mark.parametrize(
    ("key", "said", "hint"),
    [
        (FEATURES_KEY, "Core", Capability(smart_charging=Proof.NO)),
        (FEATURES_KEY, "core,smartcharging", Capability(smart_charging=Proof.YES)),
        (FEATURES_KEY, " , ", Capability()),
        (STACK_LEVEL_KEY, "0", Capability(max_stack_level=0)),
        (STACK_LEVEL_KEY, "-1", Capability()),
        (STACK_LEVEL_KEY, "2147483647", Capability()),
        (STACK_LEVEL_KEY, "1000001", Capability()),
        (STACK_LEVEL_KEY, "8.0", Capability()),
        (STACK_LEVEL_KEY, "²", Capability()),
        (STACK_LEVEL_KEY, "٣", Capability()),
        (PERIODS_KEY, "1", Capability(max_periods=1)),
        (PERIODS_KEY, "0", Capability()),
        (PROFILES_KEY, "0", Capability()),
        (PROFILES_KEY, "many", Capability()),
        (PROFILES_KEY, "", Capability()),
    ],
)
async def test_a_hint_is_read_with_care(key: str, said: str, hint: Capability) -> None:
    link = FakeLink()
    link.configuration[key] = said
    assert await hints(charger(), link) == hint


async def test_a_charger_that_refuses_one_key_is_asked_for_the_others() -> None:
    link = FakeLink()
    link.configuration[PERIODS_KEY] = "2"
    link.answers["get_configuration"] = NO
    assert await hints(charger(), link) == Capability()
    assert len(link.named("get_configuration")) == len(HINT_KEYS)


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.DISCONNECTED])
async def test_a_charger_that_does_not_answer_is_asked_once(outcome: Outcome) -> None:
    link = FakeLink()
    link.configuration[FEATURES_KEY] = "SmartCharging"
    link.answers["get_configuration"] = Answer(outcome)
    assert await hints(charger(), link) == Capability()
    assert len(link.named("get_configuration")) == 1


async def test_an_interval_that_is_right_is_not_written() -> None:
    link = FakeLink()
    link.configuration[INTERVAL_KEY] = " 10 "
    assert await ask_for_meter_values(charger(), link, SETTINGS) is True
    assert link.requests == [("get_configuration", "CP001", INTERVAL_KEY)]


async def test_another_interval_is_changed() -> None:
    link = FakeLink()
    link.configuration[INTERVAL_KEY] = "900"
    assert await ask_for_meter_values(charger(), link, SETTINGS) is True
    assert link.named("change_configuration") == [("CP001", INTERVAL_KEY, "10")]


async def test_a_charger_that_will_not_change_its_interval_keeps_it() -> None:
    link = FakeLink()
    link.configuration[INTERVAL_KEY] = "900"
    link.answers["change_configuration"] = NO
    assert await ask_for_meter_values(charger(), link, SETTINGS) is False


async def test_a_charger_that_does_not_know_the_key_is_left_alone() -> None:
    link = FakeLink()
    link.configuration.clear()
    assert await ask_for_meter_values(charger(), link, SETTINGS) is False
    assert link.named("change_configuration") == []


async def test_a_charger_that_does_not_answer_is_left_alone() -> None:
    link = FakeLink()
    link.configuration[INTERVAL_KEY] = "900"
    link.answers["get_configuration"] = Answer(Outcome.TIMEOUT)
    assert await ask_for_meter_values(charger(), link, SETTINGS) is False
    assert link.named("change_configuration") == []


async def test_connectors_that_have_not_reported_are_asked_for_their_status() -> None:
    link = FakeLink()
    built = charger(connectors=3)
    state = StationState.of(station(built))
    state.connectors[ConnectorKey("CP001", 2)].status = ConnectorStatus.AVAILABLE
    await ask_for_statuses(built, link, state, SETTINGS)
    assert link.named("trigger") == [
        ("CP001", "StatusNotification", 1),
        ("CP001", "StatusNotification", 3),
    ]


async def test_a_connector_that_was_removed_meanwhile_is_not_asked() -> None:
    link = FakeLink()
    built = charger(connectors=2)
    state = StationState.of(station(built))
    state.connectors = {ConnectorKey("CP001", 1): ConnectorState()}
    await ask_for_statuses(built, link, state, SETTINGS)
    assert link.named("trigger") == [("CP001", "StatusNotification", 1)]


# ------------------------------------------------------------------- when the loop does it


async def test_a_limit_says_everything_the_wire_needs() -> None:
    connector = Connector(ONE, 22_000, CurrentType.AC, phases=1, voltage_v=240)
    async with rig(station(Charger("A", 22_000, (connector,))), "A") as site:
        await site.start(ONE, 5_000)
        assert site.link.last(ONE) == SetLimit(
            token=2,
            connector=ONE,
            scope=Scope.SESSION,
            limit=Limit(4_992, LimitSource.VEHICLE),
            form=Form(Purpose.SESSION, RateUnit.AMPERES),
            session_id="s1",
            transaction_id=101,
            current_type=CurrentType.AC,
            phases=1,
            voltage_v=240,
        )


async def test_the_dc_connector_of_a_charger_with_both_is_given_watts() -> None:
    async with rig(station(ac_charger(first=CurrentType.DC)), "AC") as site:
        assert {str(c.connector): c.form.unit for c in site.link.limits} == {
            "AC/1": RateUnit.WATTS,
            "AC/2": RateUnit.AMPERES,
        }


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
        assert site.loop.contacts == {}
        assert site.link.limits == []


async def test_a_charger_is_set_up_after_it_has_its_fallbacks_on_the_way() -> None:
    settings = loop_settings(registration=RegistrationSettings(60, 0))
    async with rig(station(charger("A")), settings=settings) as site:
        site.loop.post(ConnectorStatusReported(ONE, START, ConnectorStatus.AVAILABLE))
        await site.connect("A")
        assert site.link.requests == [
            ("get_configuration", "A", INTERVAL_KEY),
            ("change_configuration", "A", INTERVAL_KEY, "60"),
            *(("get_configuration", "A", key) for key in HINT_KEYS),
            ("trigger", "A", "StatusNotification", 2),
        ]


async def test_a_charger_has_time_to_report_its_connectors_by_itself() -> None:
    settings = loop_settings(registration=RegistrationSettings(status_wait_s=3_600.0))
    async with rig(station(charger("A")), "A", settings=settings) as site:
        assert [r[0] for r in site.link.requests] == ["get_configuration"] * 5


async def test_a_charger_that_cannot_be_set_up_does_not_stop_the_station() -> None:
    async with rig(station(charger("A"), ac_charger()), "A") as site:
        site.link.configuration = None  # type: ignore[assignment]
        with capture_logs() as logs:
            await site.connect("AC")
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["registration_failed"]
        await site.start(ONE, 50_000)
        assert site.limits() == {"A/1": 50_000}


async def test_a_charger_of_another_station_is_not_set_up() -> None:
    async with rig(station(charger("A")), "Z") as site:
        assert site.loop.contacts == {}
        assert site.link.requests == []
        assert site.link.limits == []
