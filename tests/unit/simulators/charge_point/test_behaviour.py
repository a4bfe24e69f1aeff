from __future__ import annotations

from typing import Any

import pytest

from simulators.charge_point.behaviour import Behaviour, NotPossibleError
from simulators.charge_point.configuration import Configuration
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.charge_point.messages import (
    Message,
    MeterSampled,
    Status,
    StatusChanged,
    TokenPresented,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.profiles import RunningTransaction
from simulators.charge_point.quirks import Quirks
from simulators.moment import Moment
from simulators.vehicle.battery import PowerCurve, TractionBattery
from simulators.vehicle.vehicle import AcVehicle, ConstantVehicle, DcVehicle
from tests.unit.simulators.central import NOON_S, profile

FLAT = PowerCurve(((0.0, 1.0), (100.0, 1.0)))


def at(second: float, speed: float = 1.0) -> Moment:
    return Moment(NOON_S + second, second * speed)


def charger(
    max_w: float = 200_000.0,
    connectors: int = 2,
    kind: CurrentType = CurrentType.DC,
    quirks: Quirks | None = None,
) -> Behaviour:
    hardware = Hardware.uniform("CP001", max_w, connectors, kind)
    configuration = Configuration(hardware, meter_interval_s=10)
    behaviour = Behaviour(hardware, configuration, quirks or Quirks())
    behaviour.advance(at(0))
    behaviour.drain()
    return behaviour


def charging(vehicle_w: float = 150_000.0, **settings: Any) -> Behaviour:
    """A charger with a vehicle on connector 1 whose transaction is number 7."""
    behaviour = charger(**settings)
    behaviour.plug_in(1, ConstantVehicle(vehicle_w), at(0))
    behaviour.authorised(1, "TAG", at(0))
    number(behaviour, 1, 7)
    behaviour.drain()
    return behaviour


def number(behaviour: Behaviour, connector_id: int, transaction_id: int) -> None:
    transaction = behaviour.connector(connector_id).transaction
    assert transaction is not None
    behaviour.start_answered(transaction, transaction_id, valid=True, moment=at(0))


def told(messages: list[Message]) -> list[tuple[str, int, str]]:
    """The messages in short: what, connector, and status or reason."""
    short = []
    for message in messages:
        match message:
            case StatusChanged(connector_id=connector_id, status=status):
                short.append(("status", connector_id, status.value))
            case TransactionBegun(transaction=transaction):
                short.append(("begun", transaction.connector_id, transaction.id_tag))
            case TransactionOver(transaction=transaction):
                short.append(("over", transaction.connector_id, transaction.reason))
            case MeterSampled(connector_id=connector_id, context=context):
                short.append(("sample", connector_id, context))
            case TokenPresented(connector_id=connector_id, id_tag=id_tag):
                short.append(("token", connector_id, id_tag))
            case _:
                raise AssertionError(message)
    return short


# ---------------------------------------------------------------------------- coming and going


def test_every_connector_reports_itself_at_first() -> None:
    hardware = Hardware.uniform("CP001", 200_000.0, 2)
    behaviour = Behaviour(hardware, Configuration(hardware))
    behaviour.advance(at(0))
    assert told(behaviour.drain()) == [("status", 1, "Available"), ("status", 2, "Available")]
    behaviour.advance(at(1))
    assert behaviour.drain() == []


def test_plug_then_token_then_unplug() -> None:
    behaviour = charger()
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(0))
    behaviour.present_token(1, "TAG", online=True, moment=at(1))
    assert told(behaviour.drain()) == [("status", 1, "Preparing"), ("token", 1, "TAG")]
    behaviour.authorised(1, "TAG", at(2))
    assert told(behaviour.drain()) == [("begun", 1, "TAG"), ("status", 1, "Charging")]
    assert behaviour.powers_w() == {1: 50_000.0, 2: 0.0}
    behaviour.unplug(1, at(5))
    assert told(behaviour.drain()) == [
        ("over", 1, "EVDisconnected"),
        ("status", 1, "Finishing"),
        ("status", 1, "Available"),
    ]
    assert behaviour.powers_w() == {1: 0.0, 2: 0.0}


def test_token_then_plug() -> None:
    behaviour = charger()
    behaviour.authorised(1, "TAG", at(0))
    assert told(behaviour.drain()) == [("status", 1, "Preparing")]
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(59))
    assert told(behaviour.drain()) == [("begun", 1, "TAG"), ("status", 1, "Charging")]


def test_a_start_waits_only_so_long_for_a_vehicle() -> None:
    behaviour = charger()
    assert behaviour.remote_start(1, "TAG", at(0)) is True
    behaviour.advance(at(59.9))
    assert told(behaviour.drain()) == [("status", 1, "Preparing")]
    behaviour.advance(at(60))
    assert told(behaviour.drain()) == [("status", 1, "Available")]
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(61))
    assert told(behaviour.drain()) == [("status", 1, "Preparing")]


def test_a_vehicle_that_leaves_before_charging_leaves_nothing_behind() -> None:
    behaviour = charger()
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(0))
    behaviour.unplug(1, at(1))
    assert told(behaviour.drain()) == [("status", 1, "Preparing"), ("status", 1, "Available")]
    assert list(behaviour.ended) == []


def test_a_taken_connector_takes_no_second_vehicle() -> None:
    behaviour = charging()
    with pytest.raises(NotPossibleError, match="CP001/1 is taken"):
        behaviour.plug_in(1, ConstantVehicle(1.0), at(1))


def test_a_token_at_a_charging_connector_is_not_possible() -> None:
    behaviour = charging()
    with pytest.raises(NotPossibleError, match="is charging"):
        behaviour.present_token(1, "OTHER", online=True, moment=at(1))
    behaviour.authorised(1, "OTHER", at(1))
    assert behaviour.drain() == []


def test_a_connector_that_is_not_there() -> None:
    with pytest.raises(NotPossibleError, match="no connector 3"):
        charger().plug_in(3, ConstantVehicle(1.0), at(0))


def test_offline_the_charger_decides_itself() -> None:
    behaviour = charger()
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(0))
    behaviour.present_token(1, "TAG", online=False, moment=at(0))
    assert ("begun", 1, "TAG") in told(behaviour.drain())


def test_offline_a_cautious_charger_refuses() -> None:
    behaviour = charger()
    behaviour.configuration.change("AllowOfflineTxForUnknownId", "false")
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(0))
    behaviour.present_token(1, "TAG", online=False, moment=at(0))
    assert told(behaviour.drain()) == [("status", 1, "Preparing")]


# ---------------------------------------------------------------------------- from afar


def test_a_remote_start_begins_with_the_plugged_vehicle() -> None:
    behaviour = charger()
    behaviour.plug_in(2, ConstantVehicle(50_000.0), at(0))
    behaviour.drain()
    assert behaviour.remote_start(2, "REMOTE", at(1)) is True
    assert told(behaviour.drain()) == [("begun", 2, "REMOTE"), ("status", 2, "Charging")]


def test_a_remote_start_without_a_connector_goes_where_a_vehicle_waits() -> None:
    behaviour = charger()
    behaviour.plug_in(2, ConstantVehicle(50_000.0), at(0))
    behaviour.remote_start(None, "REMOTE", at(1))
    assert behaviour.connector(2).transaction is not None
    assert behaviour.remote_start(None, "REMOTE", at(1)) is True
    assert behaviour.connector(1).waiting is not None
    assert behaviour.remote_start(None, "REMOTE", at(1)) is False


def test_a_remote_start_on_a_busy_or_unknown_connector_is_rejected() -> None:
    behaviour = charging()
    assert behaviour.remote_start(1, "REMOTE", at(1)) is False
    assert behaviour.remote_start(9, "REMOTE", at(1)) is False
    assert behaviour.remote_start(2, "REMOTE", at(1)) is True
    assert behaviour.remote_start(2, "REMOTE", at(1)) is False


def test_a_remote_stop_ends_the_transaction_and_the_vehicle_stays() -> None:
    behaviour = charging()
    assert behaviour.remote_stop(7, at(5)) is True
    assert told(behaviour.drain()) == [("over", 1, "Remote"), ("status", 1, "Finishing")]
    assert behaviour.remote_stop(7, at(6)) is False
    behaviour.unplug(1, at(7))
    assert told(behaviour.drain()) == [("status", 1, "Available")]


def test_a_vehicle_can_charge_again_after_a_stop() -> None:
    behaviour = charging()
    behaviour.remote_stop(7, at(5))
    behaviour.drain()
    assert behaviour.remote_start(1, "AGAIN", at(6)) is True
    assert told(behaviour.drain()) == [("begun", 1, "AGAIN"), ("status", 1, "Charging")]


def test_an_invalid_token_ends_what_it_began() -> None:
    behaviour = charging()
    transaction = behaviour.connector(1).transaction
    assert transaction is not None
    behaviour.start_answered(transaction, 7, valid=False, moment=at(1))
    assert told(behaviour.drain()) == [("over", 1, "DeAuthorized"), ("status", 1, "Finishing")]


def test_an_invalid_token_may_be_let_go_on() -> None:
    behaviour = charging()
    behaviour.configuration.change("StopTransactionOnInvalidId", "false")
    transaction = behaviour.connector(1).transaction
    assert transaction is not None
    behaviour.start_answered(transaction, 7, valid=False, moment=at(1))
    assert behaviour.connector(1).transaction is transaction


def test_an_answer_for_a_transaction_that_is_over_only_numbers_it() -> None:
    behaviour = charging()
    transaction = behaviour.connector(1).transaction
    assert transaction is not None
    behaviour.unplug(1, at(1))
    behaviour.drain()
    behaviour.start_answered(transaction, 8, valid=False, moment=at(2))
    assert behaviour.drain() == []
    assert transaction.transaction_id == 8


# ---------------------------------------------------------------------------- limits and power


def test_without_a_profile_only_the_hardware_limits() -> None:
    behaviour = charging(250_000.0)
    assert behaviour.limits_w() == {1: 200_000.0, 2: 0.0}
    assert behaviour.powers_w() == {1: 200_000.0, 2: 0.0}


def test_a_default_profile_says_nothing_of_an_idle_connector() -> None:
    behaviour = charger()
    assert behaviour.set_profile(0, profile(4_000, purpose="TxDefaultProfile"), at(0)) == "Accepted"
    assert behaviour.limits_w() == {1: 0.0, 2: 0.0}


def test_a_profile_is_obeyed_at_once() -> None:
    behaviour = charging()
    assert behaviour.set_profile(1, profile(80_000, transaction_id=7), at(1)) == "Accepted"
    assert behaviour.limits_w() == {1: 80_000.0, 2: 0.0}
    assert behaviour.powers_w() == {1: 80_000.0, 2: 0.0}


def test_a_transaction_begins_under_the_default_profile() -> None:
    behaviour = charger()
    behaviour.set_profile(0, profile(0, purpose="TxDefaultProfile"), at(0))
    behaviour.plug_in(1, ConstantVehicle(150_000.0), at(0))
    behaviour.authorised(1, "TAG", at(0))
    assert behaviour.limits_w()[1] == 0.0
    assert told(behaviour.drain())[-1] == ("status", 1, "SuspendedEVSE")


def test_a_profile_ends_with_its_transaction() -> None:
    behaviour = charging()
    behaviour.set_profile(1, profile(80_000, transaction_id=7), at(1))
    behaviour.unplug(1, at(2))
    assert behaviour.profiles.installed == ()


@pytest.mark.parametrize(
    ("connector_id", "payload"),
    [
        (1, profile(80_000, transaction_id=8)),
        (2, profile(80_000, transaction_id=7)),
        (9, profile(80_000, purpose="TxDefaultProfile")),
        (1, profile(-1, transaction_id=7)),
        (1, {}),
    ],
)
def test_a_profile_that_does_not_fit_is_rejected(
    connector_id: int, payload: dict[str, Any]
) -> None:
    behaviour = charging()
    assert behaviour.set_profile(connector_id, payload, at(1)) == "Rejected"
    assert behaviour.limits_w() == {1: 200_000.0, 2: 0.0}


def test_clearing_profiles() -> None:
    behaviour = charging()
    behaviour.set_profile(1, profile(80_000, transaction_id=7), at(1))
    assert behaviour.clear_profiles(at(2), purpose="TxDefaultProfile") == "Unknown"
    assert behaviour.clear_profiles(at(2), connector_id=1, purpose="TxProfile") == "Accepted"
    assert behaviour.limits_w()[1] == 200_000.0


def test_a_profile_that_runs_out_is_noticed_as_time_passes() -> None:
    behaviour = charging()
    behaviour.set_profile(0, profile(10_000, purpose="TxDefaultProfile", profile_id=2), at(0))
    short = profile(80_000, transaction_id=7)
    short["chargingSchedule"] |= {"startSchedule": "2025-01-01T12:00:00Z", "duration": 60}
    behaviour.set_profile(1, short, at(1))
    behaviour.advance(at(59))
    assert behaviour.limits_w()[1] == 80_000.0
    behaviour.advance(at(60))
    assert behaviour.limits_w()[1] == 10_000.0


def test_connectors_share_the_chargers_power() -> None:
    behaviour = charging(150_000.0)
    behaviour.plug_in(2, ConstantVehicle(150_000.0), at(0))
    behaviour.authorised(2, "TAG", at(0))
    assert behaviour.limits_w() == {1: 200_000.0, 2: 200_000.0}
    assert behaviour.powers_w() == {1: 100_000.0, 2: 100_000.0}
    assert behaviour.cap_w(at(0)) == 200_000.0


def test_a_charge_points_maximum_is_shared_too() -> None:
    behaviour = charging(150_000.0)
    behaviour.plug_in(2, ConstantVehicle(20_000.0), at(0))
    behaviour.authorised(2, "TAG", at(0))
    behaviour.set_profile(0, profile(90_000, purpose="ChargePointMaxProfile"), at(1))
    assert behaviour.powers_w() == {1: 70_000.0, 2: 20_000.0}
    assert behaviour.cap_w(at(1)) == 90_000.0


def test_a_charger_that_ignores_profiles_accepts_them() -> None:
    behaviour = charging(quirks=Quirks(ignore_profiles=True))
    assert behaviour.set_profile(1, profile(80_000, transaction_id=7), at(1)) == "Accepted"
    behaviour.set_profile(0, profile(1, purpose="ChargePointMaxProfile", profile_id=2), at(1))
    assert behaviour.limits_w()[1] == 200_000.0
    assert behaviour.powers_w()[1] == 150_000.0


def test_a_charger_that_refuses_profiles_keeps_none() -> None:
    behaviour = charging(quirks=Quirks(refuse_profiles=True))
    assert behaviour.set_profile(1, profile(80_000, transaction_id=7), at(1)) == "Rejected"
    assert behaviour.profiles.installed == ()


def test_a_profile_for_a_transaction_without_a_number_must_not_name_one() -> None:
    behaviour = charger()
    behaviour.plug_in(1, ConstantVehicle(150_000.0), at(0))
    behaviour.authorised(1, "TAG", at(0))
    running = behaviour.connector(1).transaction
    assert running is not None
    assert running.as_running() == RunningTransaction(None, NOON_S)
    assert behaviour.set_profile(1, profile(80_000, transaction_id=7), at(1)) == "Rejected"
    assert behaviour.set_profile(1, profile(80_000), at(1)) == "Accepted"


# ---------------------------------------------------------------------------- statuses


def test_a_limit_of_nothing_suspends_and_a_new_one_resumes() -> None:
    behaviour = charging()
    behaviour.set_profile(1, profile(0, transaction_id=7), at(1))
    behaviour.set_profile(1, profile(50_000, transaction_id=7), at(2))
    assert told(behaviour.drain()) == [
        ("status", 1, "SuspendedEVSE"),
        ("status", 1, "Charging"),
    ]


def test_a_vehicle_that_takes_nothing_suspends_itself() -> None:
    behaviour = charger()
    vehicle = DcVehicle(TractionBattery(1_000.0, 90.0), 36_000.0, curve=FLAT, wake_s=5, ramp_s=0)
    behaviour.plug_in(1, vehicle, at(0))
    behaviour.authorised(1, "TAG", at(0))
    assert behaviour.connector(1).status() is Status.SUSPENDED_EV
    for second in range(1, 30):
        behaviour.advance(at(second))
    assert [entry for entry in told(behaviour.drain()) if entry[0] == "status"] == [
        ("status", 1, "Preparing"),
        ("status", 1, "SuspendedEV"),
        ("status", 1, "Charging"),
        ("status", 1, "SuspendedEV"),
    ]
    assert vehicle.soc_pct == 100.0


@pytest.mark.parametrize(("limit_w", "status"), [(4_139, "SuspendedEVSE"), (4_140, "Charging")])
def test_an_ac_connector_pauses_below_six_amperes(limit_w: float, status: str) -> None:
    behaviour = charger(22_080.0, 1, CurrentType.AC)
    vehicle = AcVehicle(TractionBattery(50_000.0, 20.0), wake_s=0.0, ramp_s=0.0)
    behaviour.plug_in(1, vehicle, at(0))
    behaviour.set_profile(1, profile(limit_w, purpose="TxDefaultProfile"), at(0))
    behaviour.authorised(1, "TAG", at(0))
    assert behaviour.connector(1).status().value == status


# ---------------------------------------------------------------------------- meter


def test_energy_is_metered_over_scenario_time() -> None:
    behaviour = charger()
    behaviour.plug_in(1, ConstantVehicle(36_000.0), at(0, speed=10))
    behaviour.authorised(1, "TAG", at(0, speed=10))
    behaviour.advance(at(10, speed=10))
    assert behaviour.connector(1).meter.register_wh == 1_000
    behaviour.unplug(1, at(20, speed=10))
    (ended,) = behaviour.ended
    assert (ended.meter_start_wh, ended.meter_stop_wh) == (0, 2_000)
    assert (ended.started_at, ended.stopped_at) == (NOON_S, NOON_S + 20)


def test_the_register_goes_on_over_transactions() -> None:
    behaviour = charging(36_000.0)
    behaviour.unplug(1, at(100))
    behaviour.plug_in(1, ConstantVehicle(36_000.0), at(200))
    behaviour.authorised(1, "TAG", at(200))
    behaviour.unplug(1, at(300))
    assert [(t.meter_start_wh, t.meter_stop_wh) for t in behaviour.ended] == [
        (0, 1_000),
        (1_000, 2_000),
    ]


def test_the_vehicle_gets_what_the_meter_counts() -> None:
    behaviour = charger()
    vehicle = DcVehicle(TractionBattery(10_000.0, 50.0), 36_000.0, curve=FLAT, wake_s=0, ramp_s=0)
    behaviour.plug_in(1, vehicle, at(0))
    behaviour.authorised(1, "TAG", at(0))
    behaviour.advance(at(50))
    assert vehicle.soc_pct == pytest.approx(55.0)
    behaviour.remote_start(1, "TAG", at(50))
    behaviour.unplug(1, at(100))
    assert vehicle.soc_pct == pytest.approx(60.0)


def samples(behaviour: Behaviour) -> list[MeterSampled]:
    return [m for m in behaviour.drain() if isinstance(m, MeterSampled)]


def test_samples_come_at_their_interval_while_charging() -> None:
    behaviour = charging(36_000.0)
    for second in range(36):
        behaviour.advance(at(second))
    taken = samples(behaviour)
    assert [sample.at - NOON_S for sample in taken] == [10, 20, 30]
    assert [sample.reading.energy_wh for sample in taken] == [100, 200, 300]
    assert {sample.reading.power_w for sample in taken} == {36_000.0}
    assert {sample.reading.offered_w for sample in taken} == {200_000.0}
    assert {sample.transaction for sample in taken} == {behaviour.connector(1).transaction}


def test_samples_that_were_missed_are_not_made_up() -> None:
    behaviour = charging()
    behaviour.advance(at(45))
    assert len(samples(behaviour)) == 1
    behaviour.advance(at(49.9))
    assert samples(behaviour) == []
    behaviour.advance(at(50))
    assert len(samples(behaviour)) == 1


def test_no_samples_when_none_are_wanted_or_nothing_runs() -> None:
    behaviour = charging()
    behaviour.configuration.change("MeterValueSampleInterval", "0")
    behaviour.advance(at(100))
    assert samples(behaviour) == []
    idle = charger()
    idle.advance(at(100))
    assert samples(idle) == []


def test_samples_on_demand() -> None:
    behaviour = charging()
    behaviour.trigger_samples(None, at(1))
    assert told(behaviour.drain()) == [("sample", 1, "Trigger"), ("sample", 2, "Trigger")]
    behaviour.trigger_samples(2, at(1))
    assert [(s.connector_id, s.transaction) for s in samples(behaviour)] == [(2, None)]


def test_a_charger_cut_short_offers_what_is_left() -> None:
    behaviour = charging(150_000.0)
    behaviour.plug_in(2, ConstantVehicle(150_000.0), at(0))
    behaviour.authorised(2, "TAG", at(0))
    assert behaviour.connector(1).reading().offered_w == 100_000.0


def test_statuses_on_demand() -> None:
    behaviour = charging()
    behaviour.trigger_status(None, at(1))
    assert told(behaviour.drain()) == [
        ("status", 0, "Available"),
        ("status", 1, "Charging"),
        ("status", 2, "Available"),
    ]
    behaviour.trigger_status(2, at(1))
    assert told(behaviour.drain()) == [("status", 2, "Available")]


# ---------------------------------------------------------------------------- reboots


@pytest.mark.parametrize(("hard", "reason"), [(True, "HardReset"), (False, "SoftReset")])
def test_a_reboot_ends_everything_that_runs(hard: bool, reason: str) -> None:
    behaviour = charging()
    behaviour.remote_start(2, "TAG", at(0))
    behaviour.drain()
    behaviour.reboot(at(1), hard=hard)
    assert told(behaviour.drain()) == [
        ("over", 1, reason),
        ("status", 1, "Finishing"),
        ("status", 2, "Available"),
    ]


@pytest.mark.parametrize(("forgets", "kept"), [(False, 1), (True, 0)])
def test_profiles_are_kept_over_a_reboot_unless_forgotten(forgets: bool, kept: int) -> None:
    behaviour = charger(quirks=Quirks(forget_profiles_on_reboot=forgets))
    behaviour.set_profile(0, profile(5_000, purpose="TxDefaultProfile"), at(0))
    behaviour.reboot(at(1), hard=True)
    assert len(behaviour.profiles.installed) == kept
