from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from simulators.charge_point.behaviour import Behaviour
from simulators.charge_point.configuration import Configuration
from simulators.charge_point.hardware import ConnectorHardware, CurrentType, Hardware
from simulators.charge_point.messages import (
    MeterSampled,
    StatusChanged,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.profiles import read_profile
from simulators.charge_point.quirks import Quirks, bent, floored_w, parse_quirks, refusal
from simulators.moment import Moment
from simulators.vehicle.vehicle import ConstantVehicle
from tests.unit.simulators.central import NOON_S, profile

MAX_W = 22_080.0
"""Three phases of 32 A."""


def at(second: float) -> Moment:
    return Moment(NOON_S + second, second)


def plugged_in(max_w: float = MAX_W, **quirks: Any) -> Behaviour:
    """An AC charger with a vehicle that takes everything, and no transaction."""
    hardware = Hardware.uniform("CP001", max_w, 1, CurrentType.AC)
    configuration = Configuration(hardware, meter_interval_s=10)
    behaviour = Behaviour(hardware, configuration, Quirks(**quirks))
    behaviour.advance(at(0))
    behaviour.drain()
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(0))
    return behaviour


def started(behaviour: Behaviour, second: float = 0.0) -> Behaviour:
    """With a transaction whose number is 7."""
    behaviour.authorised(1, "TAG", at(second))
    transaction = behaviour.connector(1).transaction
    if transaction is not None:
        behaviour.start_answered(transaction, 7, valid=True, moment=at(second))
    return behaviour


def charging(**settings: Any) -> Behaviour:
    behaviour = started(plugged_in(**settings))
    behaviour.drain()
    return behaviour


def schedule(*periods: tuple[int, float], duration_s: int | None = None, **kw: Any) -> Any:
    """A profile that began at noon, with these periods of watts."""
    payload = profile(0, **kw)
    payload["chargingSchedule"] |= {
        "startSchedule": "2025-01-01T12:00:00Z",
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": w} for s, w in periods],
    }
    if duration_s is not None:
        payload["chargingSchedule"]["duration"] = duration_s
    return payload


def set_w(behaviour: Behaviour, limit_w: float, second: float) -> str:
    return behaviour.set_profile(1, profile(limit_w, transaction_id=7), at(second))


# ---------------------------------------------------------------------------- the switches


def test_the_default_charge_point_does_as_it_should() -> None:
    switches = dataclasses.asdict(Quirks())
    assert switches.pop("no_boot_on_reconnect") is True
    assert switches.pop("slow_answer_s") == 0.0
    assert switches.pop("habits") == frozenset()
    assert set(switches.values()) == {False}


def test_every_switch_is_explained() -> None:
    assert Quirks.__doc__ is not None
    names = [field.name for field in dataclasses.fields(Quirks)]
    assert [name for name in names if name not in Quirks.__doc__] == []


def test_quirks_do_not_change_while_a_charge_point_runs() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Quirks().deaf = True  # type: ignore[misc]


@pytest.mark.parametrize("slow_answer_s", [-1.0, 600.1, math.nan])
def test_how_slow_an_answer_can_be(slow_answer_s: float) -> None:
    with pytest.raises(ValueError, match="slow_answer_s must be 0 to 600"):
        Quirks(slow_answer_s=slow_answer_s)


def test_quirks_are_read_from_words() -> None:
    assert parse_quirks([]) == Quirks()
    assert parse_quirks(["deaf", "only_watts=true", "no_boot_on_reconnect=false"]) == Quirks(
        deaf=True, only_watts=True, no_boot_on_reconnect=False
    )
    assert parse_quirks(["slow_answer_s=30"]) == Quirks(slow_answer_s=30.0)
    assert parse_quirks(["binary_frames", "deaf", "cut_answers"]) == Quirks(
        deaf=True, habits=frozenset({"binary_frames", "cut_answers"})
    )


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("dumb", "no quirk 'dumb'; there are no_boot_on_reconnect"),
        ("habits", "no quirk 'habits'"),
        ("deaf=1", "deaf must be true or false"),
        ("deaf=", "deaf must be true or false"),
        ("slow_answer_s", "could not convert"),
        ("slow_answer_s=601", "must be 0 to 600"),
    ],
)
def test_words_that_name_no_quirk(word: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_quirks([word])


# ---------------------------------------------------------------------------- refusals

WATTS = profile(10_000)
AMPERES = profile(16, unit="A")
DEFAULT = profile(10_000, purpose="TxDefaultProfile")
CHARGER = profile(10_000, purpose="ChargePointMaxProfile")
HIGHER = profile(10_000) | {"stackLevel": 1}
PERIODS = schedule((0, 10_000), (60, 5_000))


@pytest.mark.parametrize(
    ("quirks", "taken", "refused", "answer"),
    [
        (Quirks(refuse_profiles=True), [], [WATTS, DEFAULT], "Rejected"),
        (Quirks(only_watts=True), [WATTS, DEFAULT], [AMPERES], "Rejected"),
        (Quirks(only_amperes=True), [AMPERES], [WATTS, DEFAULT], "Rejected"),
        (Quirks(tx_default_only=True), [DEFAULT], [WATTS, CHARGER], "NotSupported"),
        (Quirks(stack_level_zero_only=True), [WATTS, PERIODS], [HIGHER], "Rejected"),
        (Quirks(one_period_only=True), [WATTS, HIGHER], [PERIODS], "Rejected"),
        (
            Quirks(one_period_only=True, refuses_with_error=True),
            [WATTS],
            [PERIODS],
            "PropertyConstraintViolation",
        ),
        (Quirks(), [WATTS, AMPERES, DEFAULT, CHARGER, HIGHER, PERIODS], [], ""),
    ],
)
def test_which_profiles_are_refused(
    quirks: Quirks, taken: list[Any], refused: list[Any], answer: str
) -> None:
    assert [refusal(read_profile(p), quirks) for p in taken] == [None] * len(taken)
    assert [refusal(read_profile(p), quirks) for p in refused] == [answer] * len(refused)


def test_a_refused_profile_is_not_obeyed() -> None:
    behaviour = charging(only_amperes=True)
    assert set_w(behaviour, 10_000, 1) == "Rejected"
    assert behaviour.limits_w() == {1: MAX_W}
    assert behaviour.profiles.installed == ()


def test_a_rejected_profile_that_is_obeyed() -> None:
    behaviour = charging(rejects_but_applies=True)
    assert set_w(behaviour, 10_000, 1) == "Rejected"
    assert behaviour.limits_w() == {1: 10_000.0}


# ---------------------------------------------------------------------------- periods


@pytest.mark.parametrize(
    ("quirks", "payload", "limits_w"),
    [
        (Quirks(), schedule((0, 10_000), (60, 5_000)), (10_000, 5_000, 5_000)),
        (Quirks(), schedule((0, 10_000), duration_s=60), (10_000, None, None)),
        (
            Quirks(second_period_ignored=True),
            schedule((0, 10_000), (60, 5_000), duration_s=90),
            (10_000, 10_000, 10_000),
        ),
        (
            Quirks(expiry_to_full_power=True),
            schedule((0, 10_000), (60, 5_000)),
            (10_000, math.inf, math.inf),
        ),
        (
            Quirks(expiry_to_full_power=True),
            schedule((0, 10_000), (90, 5_000), duration_s=60),
            (10_000, math.inf, math.inf),
        ),
        (Quirks(expiry_to_full_power=True), schedule((0, 10_000)), (10_000, 10_000, 10_000)),
    ],
)
def test_what_is_made_of_the_periods(
    quirks: Quirks, payload: Any, limits_w: tuple[float | None, ...]
) -> None:
    understood = bent(read_profile(payload), quirks)
    periods = [understood.period_at(NOON_S + s, NOON_S) for s in (59, 60, 100)]
    assert tuple(None if p is None else p.limit for p in periods) == limits_w


def test_after_the_expiry_a_charger_at_full_power_obeys_no_default_either() -> None:
    behaviour = charging(expiry_to_full_power=True)
    behaviour.set_profile(1, profile(4_200, purpose="TxDefaultProfile", profile_id=2), at(0))
    lease = schedule((0, 10_000), (60, 4_200), transaction_id=7)
    assert behaviour.set_profile(1, lease, at(0)) == "Accepted"
    assert behaviour.limits_w() == {1: 10_000.0}
    behaviour.advance(at(60))
    assert behaviour.limits_w() == {1: MAX_W}
    assert set_w(behaviour, 8_000, 61) == "Accepted"
    assert behaviour.limits_w() == {1: 8_000.0}


# ---------------------------------------------------------------------------- disobedience


@pytest.mark.parametrize("paused_w", [0.0, 4_000.0])
def test_a_transaction_that_was_paused_obeys_nothing_when_it_resumes(paused_w: float) -> None:
    behaviour = charging(ignores_after_pause=True)
    set_w(behaviour, 10_000, 1)
    set_w(behaviour, paused_w, 2)
    behaviour.advance(at(3))
    assert behaviour.limits_w() == {1: paused_w}
    set_w(behaviour, 6_000, 4)
    assert (behaviour.limits_w(), behaviour.powers_w()) == ({1: MAX_W}, {1: MAX_W})
    behaviour.set_profile(0, profile(1, purpose="ChargePointMaxProfile", profile_id=9), at(5))
    assert behaviour.cap_w(at(5)) == MAX_W
    set_w(behaviour, 0, 6)
    assert behaviour.powers_w() == {1: MAX_W}
    behaviour.profiles.clear(profile_id=9)
    behaviour.remote_stop(7, at(7))
    started(behaviour, 8)
    set_w(behaviour, 5_000, 9)
    assert behaviour.limits_w() == {1: 5_000.0}


def test_a_transaction_that_begins_with_nothing_was_not_paused() -> None:
    behaviour = plugged_in(ignores_after_pause=True)
    behaviour.set_profile(1, profile(0, purpose="TxDefaultProfile", profile_id=2), at(0))
    started(behaviour)
    set_w(behaviour, 6_000, 1)
    assert behaviour.limits_w() == {1: 6_000.0}


def test_a_default_that_acts_on_the_next_transaction_only() -> None:
    behaviour = plugged_in(default_next_session_only=True, forgets_on_reconnect=True)
    behaviour.set_profile(1, profile(8_000, purpose="TxDefaultProfile"), at(0))
    started(behaviour)
    behaviour.set_profile(1, profile(5_000, purpose="TxDefaultProfile"), at(1))
    assert behaviour.limits_w() == {1: 8_000.0}
    behaviour.remote_stop(7, at(2))
    started(behaviour, 3)
    assert behaviour.limits_w() == {1: 5_000.0}
    behaviour.link_lost(at(4))
    assert behaviour.limits_w() == {1: MAX_W}


def test_a_limit_of_nothing_that_ends_the_transaction() -> None:
    behaviour = charging(zero_means_stop=True)
    set_w(behaviour, 1_000, 1)
    assert behaviour.connector(1).transaction is not None
    set_w(behaviour, 0, 2)
    (over,) = [m.transaction for m in behaviour.drain() if isinstance(m, TransactionOver)]
    assert (over.reason, over.stopped_at) == ("Other", NOON_S + 2)
    assert behaviour.powers_w() == {1: 0.0}


AC = ConnectorHardware(1, MAX_W, CurrentType.AC)
ONE_PHASE = ConnectorHardware(1, 7_360.0, CurrentType.AC, phases=1)
DC = ConnectorHardware(1, 150_000.0)


@pytest.mark.parametrize(
    ("outlet", "limit_w", "floored"),
    [
        (AC, 13_800.0, 13_800.0),
        (AC, 13_799.0, 13_110.0),
        (AC, 600.0, 0.0),
        (ONE_PHASE, 1_500.0, 1_380.0),
        (DC, 50_100.0, 50_000.0),
        (AC, math.inf, math.inf),
    ],
)
def test_limits_in_whole_amperes(outlet: ConnectorHardware, limit_w: float, floored: float) -> None:
    assert floored_w(limit_w, outlet, Quirks(whole_amperes=True)) == floored
    assert floored_w(limit_w, outlet, Quirks()) == limit_w


def test_whole_amperes_are_what_flows() -> None:
    behaviour = charging(whole_amperes=True)
    set_w(behaviour, 10_000, 1)
    assert behaviour.powers_w() == {1: 9_660.0}


# ---------------------------------------------------------------------------- losses


@pytest.mark.parametrize(("forgets", "limit_w"), [(False, 10_000.0), (True, MAX_W)])
def test_profiles_are_lost_with_the_socket(forgets: bool, limit_w: float) -> None:
    behaviour = charging(forgets_on_reconnect=forgets)
    set_w(behaviour, 10_000, 1)
    behaviour.link_lost(at(2))
    assert behaviour.limits_w() == {1: limit_w}
    assert behaviour.powers_w() == {1: limit_w}


# ---------------------------------------------------------------------------- power and meters


def test_power_without_a_transaction() -> None:
    behaviour = plugged_in(power_without_transaction=True)
    behaviour.set_profile(1, profile(4_200, purpose="TxDefaultProfile"), at(0))
    behaviour.set_profile(0, profile(1, purpose="ChargePointMaxProfile", profile_id=9), at(0))
    assert (behaviour.limits_w(), behaviour.powers_w()) == ({1: MAX_W}, {1: MAX_W})
    assert behaviour.cap_w(at(0)) == MAX_W
    behaviour.profiles.clear(profile_id=9)
    behaviour.advance(at(10))
    told = behaviour.drain()
    assert not [m for m in told if isinstance(m, TransactionBegun)]
    assert [m.status.value for m in told if isinstance(m, StatusChanged)] == ["Charging"]
    samples = [m for m in told if isinstance(m, MeterSampled)]
    assert [m.transaction for m in samples] == [None, None]
    assert samples[-1].reading.power_w == MAX_W
    started(behaviour, 11)
    assert behaviour.limits_w() == {1: 4_200.0}
    behaviour.unplug(1, at(12))
    assert (behaviour.limits_w(), behaviour.powers_w()) == ({1: 0.0}, {1: 0.0})


def readings(behaviour: Behaviour) -> list[tuple[float, int]]:
    return [
        (m.reading.power_w, m.reading.energy_wh)
        for m in behaviour.drain()
        if isinstance(m, MeterSampled)
    ]


@pytest.mark.parametrize(
    ("quirks", "seen"),
    [
        ({}, [(3_600.0, 10), (7_200.0, 30), (7_200.0, 50)]),
        ({"meter_stuck": True}, 3 * [(3_600.0, 10)]),
        ({"meter_zero": True}, 3 * [(0.0, 0)]),
        ({"no_meter_values": True}, []),
    ],
)
def test_what_the_meter_says(quirks: dict[str, bool], seen: list[tuple[float, int]]) -> None:
    behaviour = charging(**quirks)
    set_w(behaviour, 3_600, 0)
    behaviour.advance(at(10))
    set_w(behaviour, 7_200, 10)
    behaviour.advance(at(20))
    behaviour.advance(at(30))
    assert readings(behaviour) == seen
    assert behaviour.powers_w() == {1: 7_200.0}
    behaviour.trigger_samples(1, at(30))
    assert readings(behaviour) == seen[-1:]


def test_a_meter_is_stuck_for_one_transaction() -> None:
    behaviour = charging(meter_stuck=True)
    set_w(behaviour, 3_600, 0)
    behaviour.advance(at(10))
    behaviour.remote_stop(7, at(10))
    started(behaviour, 10)
    set_w(behaviour, 7_200, 10)
    behaviour.advance(at(20))
    assert readings(behaviour) == [(3_600.0, 10), (7_200.0, 30)]
