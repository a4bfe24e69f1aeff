from __future__ import annotations

import pytest

from simulators.charge_point.configuration import ChangeStatus, Configuration
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.charge_point.profiles import RateUnit

HARDWARE = Hardware.uniform("CP001", 150_000.0, 2)


def configuration() -> Configuration:
    return Configuration(HARDWARE, meter_interval_s=7)


def value(key: str) -> str:
    known, _ = configuration().get([key])
    return known[0].value


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("NumberOfConnectors", "2"),
        ("MeterValueSampleInterval", "7"),
        ("HeartbeatInterval", "300"),
        ("ConnectionTimeOut", "60"),
        ("ChargeProfileMaxStackLevel", "8"),
        ("ChargingScheduleAllowedChargingRateUnit", "Current,Power"),
        (
            "SupportedFeatureProfiles",
            (
                "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,"
                "RemoteTrigger"
            ),
        ),
        ("AuthorizeRemoteTxRequests", "false"),
    ],
)
def test_values_to_begin_with(key: str, expected: str) -> None:
    assert value(key) == expected


@pytest.mark.parametrize(
    ("unit", "text"), [(RateUnit.AMPERES, "Current"), (RateUnit.WATTS, "Power")]
)
def test_the_unit_it_takes_is_told(unit: RateUnit, text: str) -> None:
    hardware = Hardware(
        "CP001",
        22_000.0,
        Hardware.uniform("CP001", 22_000.0, 1, CurrentType.AC).connectors,
        rate_units=frozenset({unit}),
    )
    known, _ = Configuration(hardware).get(["ChargingScheduleAllowedChargingRateUnit"])
    assert known[0].value == text
    assert known[0].readonly


def test_all_keys_are_given_when_none_is_asked_for() -> None:
    known, unknown = configuration().get()
    assert len(known) == 28
    assert unknown == []
    assert [item.key for item in known if item.readonly] == [
        "NumberOfConnectors",
        "SupportedFeatureProfiles",
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargingScheduleMaxPeriods",
        "MaxChargingProfilesInstalled",
        "GetConfigurationMaxKeys",
        "LocalAuthListMaxLength",
        "SendLocalListMaxLength",
    ]


def test_keys_are_found_without_regard_to_case_and_unknown_ones_named() -> None:
    known, unknown = configuration().get(["heartbeatINTERVAL", "Nonsense"])
    assert [item.key for item in known] == ["HeartbeatInterval"]
    assert unknown == ["Nonsense"]


@pytest.mark.parametrize(
    ("key", "text", "status"),
    [
        ("MeterValueSampleInterval", "15", ChangeStatus.ACCEPTED),
        ("metervaluesampleinterval", "0", ChangeStatus.ACCEPTED),
        ("MeterValueSampleInterval", "-1", ChangeStatus.REJECTED),
        ("MeterValueSampleInterval", "1.5", ChangeStatus.REJECTED),
        ("MeterValueSampleInterval", "", ChangeStatus.REJECTED),
        ("MeterValueSampleInterval", "9" * 501, ChangeStatus.REJECTED),
        ("NumberOfConnectors", "3", ChangeStatus.REJECTED),
        ("StopTransactionOnInvalidId", "False", ChangeStatus.ACCEPTED),
        ("StopTransactionOnInvalidId", "maybe", ChangeStatus.REJECTED),
        ("MeterValuesSampledData", "SoC,Power.Active.Import", ChangeStatus.ACCEPTED),
        ("MeterValuesSampledData", "SoC, Voltage", ChangeStatus.ACCEPTED),
        ("MeterValuesSampledData", "SoC,Temperature", ChangeStatus.REJECTED),
        ("Nonsense", "1", ChangeStatus.NOT_SUPPORTED),
    ],
)
def test_changing_a_key(key: str, text: str, status: ChangeStatus) -> None:
    assert configuration().change(key, text) is status


def test_a_change_is_kept_and_a_refused_one_is_not() -> None:
    settings = configuration()
    settings.change("MeterValueSampleInterval", "15")
    settings.change("MeterValueSampleInterval", "often")
    settings.change("LocalAuthorizeOffline", "FALSE")
    settings.change("MeterValuesSampledData", "SoC, Voltage")
    assert settings.number("MeterValueSampleInterval") == 15
    assert settings.flag("LocalAuthorizeOffline") is False
    assert settings.measurands == ["SoC", "Voltage"]
