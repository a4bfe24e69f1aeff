"""What charge points do not bear to hear, and what they refuse of what they are asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from simulators.charge_point.habits.habit import (
    CALL,
    RESULT,
    Habit,
    Hears,
    Message,
    Reaction,
    Says,
    hanging_up,
    saying,
)

BUFFER_CHARS = 700
HASTE_S = 0.03
SLOTS = 2
_PLAIN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_TIME_FIELDS = ("currentTime", "startSchedule", "validFrom", "validTo", "expiryDate")

Profile = dict[str, Any]


def _leaves(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Every scalar of a payload with the key it stands under."""
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, name)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner, key)]
    return [(key, value)]


def _has_null(message: Message) -> bool:
    return any(value is None for _, value in _leaves(message.payload))


def _has_odd_time(message: Message) -> bool:
    return any(
        key in _TIME_FIELDS and _PLAIN_TIME.fullmatch(str(value)) is None
        for key, value in _leaves(message.payload)
    )


def _too_long(message: Message) -> bool:
    return len(json.dumps(message.frame, separators=(",", ":"))) > BUFFER_CHARS


def _too_soon(message: Message) -> bool:
    """Whether a call comes right after the one before."""
    if message.kind != CALL:
        return False
    before = message.memory.get("called_at", message.at - HASTE_S)
    message.memory["called_at"] = message.at
    return bool(message.at - before < HASTE_S)


def _asks_for_a_boot(message: Message) -> bool:
    named = message.payload.get("requestedMessage") if message.calls("TriggerMessage") else None
    return named == "BootNotification"


def _asks_for_other_than_one_key(message: Message) -> bool:
    return message.calls("GetConfiguration") and len(message.payload.get("key", ())) != 1


def _clears(message: Message) -> bool:
    return message.calls("ClearChargingProfile")


def _number_zero(message: Message) -> bool:
    return message.answers("StartTransaction") and message.payload.get("transactionId", 0) < 1


def _start_without_connector(message: Message) -> Reaction | None:
    """A remote start must name a connector and must not bring a profile."""
    if not message.calls("RemoteStartTransaction"):
        return None
    good = message.payload.get("connectorId", 0) >= 1 and "chargingProfile" not in message.payload
    return None if good else message.result(status="Rejected")


def _interval_read_only(message: Message) -> Reaction | None:
    return message.result(status="Rejected") if message.calls("ChangeConfiguration") else None


def _settings_without(*keys: str) -> Hears:
    """GetConfiguration that knows none of these keys."""

    def hears(message: Message) -> Reaction | None:
        asked = message.payload.get("key", []) if message.calls("GetConfiguration") else []
        if not set(asked) & set(keys):
            return None
        return message.result(unknownKey=asked)

    return hears


def _settings_fail(message: Message) -> Reaction | None:
    return message.error("InternalError", "", {}) if message.calls("GetConfiguration") else None


def _unit_said(value: str) -> Says:
    key = "ChargingScheduleAllowedChargingRateUnit"

    def change(payload: dict[str, Any]) -> dict[str, Any]:
        items = [
            item | {"value": value} if item["key"].lower() == key.lower() else item
            for item in payload["configurationKey"]
        ]
        return payload | {"configurationKey": items}

    return saying(change, "GetConfiguration")


def _profiles(bad: Callable[[Message, int, Profile], bool]) -> Hears:
    """SetChargingProfile is Rejected where the connector and the profile are bad."""

    def hears(message: Message) -> Reaction | None:
        if not message.calls("SetChargingProfile"):
            return None
        profile = message.payload["csChargingProfiles"]
        refused = bad(message, message.payload["connectorId"], profile)
        return message.result(status="Rejected") if refused else None

    return hears


def _purpose(profile: Profile) -> str:
    return str(profile["chargingProfilePurpose"])


def _periods(profile: Profile) -> list[dict[str, Any]]:
    periods: list[dict[str, Any]] = profile["chargingSchedule"]["chargingSchedulePeriod"]
    return periods


def _without_number(_message: Message, _connector_id: int, profile: Profile) -> bool:
    return _purpose(profile) == "TxProfile" and "transactionId" not in profile


def _absolute(_message: Message, _connector_id: int, profile: Profile) -> bool:
    return str(profile["chargingProfileKind"]) == "Absolute"


def _start_to_come(message: Message, _connector_id: int, profile: Profile) -> bool:
    """An absolute schedule must say when it began: before the charge point last booted."""
    if not _absolute(message, 0, profile):
        return False
    start = profile["chargingSchedule"].get("startSchedule")
    booted = message.memory["booted_at"]
    return start is None or datetime.fromisoformat(start) > datetime.fromisoformat(booted)


def _past_starts_only(message: Message) -> Reaction | None:
    if message.answers("BootNotification"):
        message.memory["booted_at"] = message.payload["currentTime"]
    return _profiles(_start_to_come)(message)


def _names_phases(_message: Message, _connector_id: int, profile: Profile) -> bool:
    return any("numberPhases" in period for period in _periods(profile))


def _names_no_phases(_message: Message, _connector_id: int, profile: Profile) -> bool:
    return not all("numberPhases" in period for period in _periods(profile))


def _finer_than_tenths(_message: Message, _connector_id: int, profile: Profile) -> bool:
    return any(round(p["limit"], 1) != p["limit"] for p in _periods(profile))


def _no_slot(message: Message, _connector_id: int, profile: Profile) -> bool:
    """Two ids have a place; whatever else comes finds none."""
    slots: set[int] = message.memory.setdefault("slots", set())
    if len(slots) < SLOTS:
        slots.add(profile["chargingProfileId"])
    return profile["chargingProfileId"] not in slots


def _on_connector_zero(_message: Message, connector_id: int, _profile: Profile) -> bool:
    return connector_id == 0


def _idle(message: Message, _connector_id: int, _profile: Profile) -> bool:
    return not message.memory.get("runs", False)


def _busy_only(message: Message) -> Reaction | None:
    """No limit is taken while no transaction runs."""
    if message.kind == RESULT and message.action in ("StartTransaction", "StopTransaction"):
        message.memory["runs"] = message.action == "StartTransaction"
    return _profiles(_idle)(message)


HABITS: Mapping[str, Habit] = {
    "small_buffer": Habit(
        "A14", f"hangs up on frames above {BUFFER_CHARS} characters", hears=hanging_up(_too_long)
    ),
    "hates_haste": Habit(
        "B13", "hangs up on calls in quick succession", hears=hanging_up(_too_soon)
    ),
    "reboots_when_asked_to_boot": Habit(
        "C2", "reboots on TriggerMessage(BootNotification)", hears=hanging_up(_asks_for_a_boot)
    ),
    "features_unsaid": Habit(
        "C4",
        "does not know the key of its feature profiles",
        hears=_settings_without("SupportedFeatureProfiles", "ChargeProfileMaxStackLevel"),
    ),
    "one_key_at_a_time": Habit(
        "C5",
        "hangs up when asked for other than one key",
        hears=hanging_up(_asks_for_other_than_one_key),
    ),
    "settings_fail": Habit("C5", "answers GetConfiguration with an error", hears=_settings_fail),
    "settings_read_only": Habit("C6", "takes no setting", hears=_interval_read_only),
    "start_needs_connector": Habit(
        "E11", "takes remote starts with a connector only", hears=_start_without_connector
    ),
    "no_number_zero": Habit("E14", "hangs up on transaction 0", hears=hanging_up(_number_zero)),
    "plain_times_only": Habit(
        "E16", "reads no times but whole seconds and Z", hears=hanging_up(_has_odd_time)
    ),
    "needs_number": Habit(
        "G4", "takes no TxProfile without number", hears=_profiles(_without_number)
    ),
    "relative_only": Habit("G5", "takes no absolute schedule", hears=_profiles(_absolute)),
    "needs_past_start": Habit("G6", "takes no schedule that begins later", hears=_past_starts_only),
    "unit_in_own_words": Habit("G7", "calls its unit ` power `", says=_unit_said(" power ")),
    "unit_unknown": Habit(
        "G7",
        "does not know the key of its unit",
        hears=_settings_without("ChargingScheduleAllowedChargingRateUnit"),
    ),
    "no_phases": Habit("G8", "takes no number of phases", hears=_profiles(_names_phases)),
    "phases_always": Habit("G8", "wants the number of phases", hears=_profiles(_names_no_phases)),
    "tenths_only": Habit("G9", "takes one decimal at most", hears=_profiles(_finer_than_tenths)),
    "few_slots": Habit("G15", f"has room for {SLOTS} profile ids", hears=_profiles(_no_slot)),
    "no_connector_zero": Habit(
        "G18", "takes no profile on connector 0", hears=_profiles(_on_connector_zero)
    ),
    "busy_only": Habit("G26", "takes no profile while it is idle", hears=_busy_only),
    "hangs_up_on_clear": Habit(
        "G24", "is unlimited once it was cleared, so hangs up on it", hears=hanging_up(_clears)
    ),
    "hangs_up_on_null": Habit("G25", "hangs up on null", hears=hanging_up(_has_null)),
}
