"""The configuration keys of a charge point (pure). OCPP 1.6 §5.3, §5.8 and §9."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from simulators.charge_point.hardware import Hardware
from simulators.charge_point.local_list import LocalList
from simulators.charge_point.meter import SUPPORTED_MEASURANDS
from simulators.charge_point.profiles import RateUnit, StackLimits

LONGEST_VALUE = 500
FLAGS = {
    "AuthorizationCacheEnabled": True,
    "AuthorizeRemoteTxRequests": False,
    "LocalAuthListEnabled": True,
    "LocalAuthorizeOffline": True,
    "LocalPreAuthorize": False,
    "AllowOfflineTxForUnknownId": True,
    "StopTransactionOnInvalidId": True,
    "StopTransactionOnEVSideDisconnect": True,
    "UnlockConnectorOnEVSideDisconnect": True,
}
"""The keys that are true or false, as they are at first."""


class ChangeStatus(StrEnum):
    """OCPP 1.6 §7.22 ConfigurationStatus."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    NOT_SUPPORTED = "NotSupported"


@dataclass(frozen=True, slots=True)
class KeyValue:
    """OCPP 1.6 §7.29."""

    key: str
    value: str
    readonly: bool


@dataclass(slots=True)
class _Entry:
    key: str
    value: str
    valid: Callable[[str], bool] | None

    def shown(self) -> KeyValue:
        return KeyValue(self.key, self.value, readonly=self.valid is None)


def _count(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _flag(text: str) -> bool:
    return text.lower() in {"true", "false"}


def _measurands(text: str) -> bool:
    return all(part.strip() in SUPPORTED_MEASURANDS for part in text.split(","))


def _rate_units(hardware: Hardware) -> str:
    names = {RateUnit.AMPERES: "Current", RateUnit.WATTS: "Power"}
    return ",".join(name for unit, name in names.items() if unit in hardware.rate_units)


class Configuration:
    """Every key with its value. Keys are compared without regard to case, as CiString50 says.

    `take_key` is told AuthorizationKey, which can be written and not read (security white paper).
    """

    def __init__(
        self,
        hardware: Hardware,
        limits: StackLimits | None = None,
        *,
        meter_interval_s: int = 10,
        take_key: Callable[[str], bool] | None = None,
    ) -> None:
        self._take_key = take_key
        limits = limits or StackLimits()
        tokens = LocalList()
        readonly = {
            "NumberOfConnectors": str(len(hardware.connectors)),
            "SupportedFeatureProfiles": (
                "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,"
                "RemoteTrigger"
            ),
            "ChargeProfileMaxStackLevel": str(limits.max_stack_level),
            "ChargingScheduleAllowedChargingRateUnit": _rate_units(hardware),
            "ChargingScheduleMaxPeriods": str(limits.max_periods),
            "MaxChargingProfilesInstalled": str(limits.max_installed),
            "GetConfigurationMaxKeys": "50",
            "LocalAuthListMaxLength": str(tokens.most),
            "SendLocalListMaxLength": str(tokens.part),
        }
        counts = {
            "HeartbeatInterval": 300,
            "MeterValueSampleInterval": meter_interval_s,
            "ClockAlignedDataInterval": 0,
            "ConnectionTimeOut": 60,
            "TransactionMessageAttempts": 1000,
            "TransactionMessageRetryInterval": 5,
            "WebSocketPingInterval": 30,
            "ResetRetries": 1,
            "SecurityProfile": 0,
        }
        lists = {
            "MeterValuesSampledData": (
                "Energy.Active.Import.Register,Power.Active.Import,Current.Import,SoC"
            ),
        }
        self._entries: dict[str, _Entry] = {}
        for key, text in readonly.items():
            self._add(_Entry(key, text, None))
        for key, number in counts.items():
            self._add(_Entry(key, str(number), _count))
        for key, on in FLAGS.items():
            self._add(_Entry(key, str(on).lower(), _flag))
        for key, text in lists.items():
            self._add(_Entry(key, text, _measurands))

    def _add(self, entry: _Entry) -> None:
        self._entries[entry.key.lower()] = entry

    def get(self, keys: Sequence[str] = ()) -> tuple[list[KeyValue], list[str]]:
        """(known, unknown) of these keys, of all keys when there are none (§5.8)."""
        if not keys:
            return [entry.shown() for entry in self._entries.values()], []
        known = [self._entries[k.lower()].shown() for k in keys if k.lower() in self._entries]
        return known, [key for key in keys if key.lower() not in self._entries]

    def change(self, key: str, value: str) -> ChangeStatus:
        """Set a key (§5.3)."""
        if key.lower() == "authorizationkey" and self._take_key is not None:
            return ChangeStatus.ACCEPTED if self._take_key(value) else ChangeStatus.REJECTED
        entry = self._entries.get(key.lower())
        if entry is None:
            return ChangeStatus.NOT_SUPPORTED
        if entry.valid is None or len(value) > LONGEST_VALUE or not entry.valid(value):
            return ChangeStatus.REJECTED
        entry.value = value
        return ChangeStatus.ACCEPTED

    def text(self, key: str) -> str:
        """The value of a key that exists."""
        return self._entries[key.lower()].value

    def number(self, key: str) -> int:
        """The value of a numeric key."""
        return int(self.text(key))

    def flag(self, key: str) -> bool:
        """The value of a true/false key."""
        return self.text(key).lower() == "true"

    @property
    def measurands(self) -> list[str]:
        """What a periodic sample carries."""
        return [part.strip() for part in self.text("MeterValuesSampledData").split(",")]
