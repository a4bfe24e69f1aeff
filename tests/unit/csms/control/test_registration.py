from __future__ import annotations

import pytest

from csms.control.registration import (
    FEATURES_KEY,
    HINT_KEYS,
    PERIODS_KEY,
    PROFILES_KEY,
    STACK_LEVEL_KEY,
    UNIT_KEY,
    RegistrationSettings,
    ask_for_statuses,
    hints,
    rate_unit,
    settings_of,
)
from csms.control.wanted_settings import INTERVAL_KEY, MEASURANDS_KEY, OFFLINE_KEY
from csms.dispatch.capability import Capability, Proof
from csms.ports import Answer, Outcome
from csms.station.model import (
    Charger,
    ConnectorKey,
    CurrentType,
    RateUnit,
)
from csms.station.state import ConnectorState, ConnectorStatus, StationState
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, FakeLink, ac_charger

ONE = ConnectorKey("A", 1)
SETTINGS = RegistrationSettings(meter_interval_s=10, status_wait_s=0)


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


@pytest.mark.parametrize(
    ("settings", "built", "keys"),
    [
        (RegistrationSettings(), charger(), [INTERVAL_KEY, MEASURANDS_KEY]),
        (
            RegistrationSettings(tokens_offline=False),
            charger(),
            [INTERVAL_KEY, MEASURANDS_KEY, OFFLINE_KEY],
        ),
    ],
)
def test_few_settings_are_wanted(
    settings: RegistrationSettings, built: Charger, keys: list[str]
) -> None:
    assert [setting.key for setting in settings_of(built, settings)] == keys


def test_the_interval_is_the_configured_one() -> None:
    interval, _ = settings_of(charger(), RegistrationSettings(meter_interval_s=60))
    assert interval.ladder("900") == ["60"]


@pytest.mark.parametrize(
    ("built", "first"),
    [
        (charger(), "Power.Active.Import,Energy.Active.Import.Register,SoC"),
        (ac_charger(first=CurrentType.DC), "Power.Active.Import,Energy.Active.Import.Register,SoC"),
        (ac_charger(), "Power.Active.Import,Energy.Active.Import.Register"),
    ],
)
def test_only_dc_is_asked_for_the_state_of_charge(built: Charger, first: str) -> None:
    _, measurands = settings_of(built, SETTINGS)
    assert measurands.ladder("")[0] == first


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


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.INVALID])
async def test_a_charger_that_refuses_to_tell_of_one_connector_is_asked_for_all(
    outcome: Outcome,
) -> None:
    link = FakeLink()
    link.answers["trigger"] = Answer(outcome)
    built = charger(connectors=3)
    await ask_for_statuses(built, link, StationState.of(station(built)), SETTINGS)
    assert link.named("trigger") == [
        ("CP001", "StatusNotification", 1),
        ("CP001", "StatusNotification", None),
    ]


async def test_a_connector_that_was_removed_meanwhile_is_not_asked() -> None:
    link = FakeLink()
    built = charger(connectors=2)
    state = StationState.of(station(built))
    state.connectors = {ConnectorKey("CP001", 1): ConnectorState()}
    await ask_for_statuses(built, link, state, SETTINGS)
    assert link.named("trigger") == [("CP001", "StatusNotification", 1)]
