"""How charge points fill fields: nulls, extras, other types, other words, other times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from simulators.charge_point.habits.habit import Frame, Habit, Message, Says, everywhere, saying

REPORTS = (
    "BootNotification",
    "Authorize",
    "StatusNotification",
    "StartTransaction",
    "MeterValues",
    "StopTransaction",
)
LONG = "0123456789" * 8
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")


def _nulls(payload: dict[str, Any]) -> dict[str, Any]:
    optional = ("info", "vendorId", "vendorErrorCode", "iccid", "reservationId", "idTag", "reason")
    return dict.fromkeys(optional) | payload


def _extras(payload: Any) -> Any:
    if isinstance(payload, dict):
        return {key: _extras(value) for key, value in payload.items()} | {"x-vendor": {"a": [1]}}
    if isinstance(payload, list):
        return [_extras(value) for value in payload]
    return payload


def _long_texts(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"chargePointSerialNumber": LONG, "chargePointModel": LONG * 4}


def _nothing(_payload: dict[str, Any]) -> dict[str, Any]:
    return {}


def _nobody(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"chargePointVendor": "", "chargePointModel": None}


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _number_as_fraction(value: Any) -> Any:
    return value + 0.2 if isinstance(value, int) else value


def _text_as_number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9.]+", value) else value


def _typed_settings(payload: dict[str, Any]) -> dict[str, Any]:
    """Values as numbers and `readonly` as 0 or 1."""

    def typed(item: dict[str, Any]) -> dict[str, Any]:
        value = item["value"]
        number = int(value) if value.isdigit() else value
        return {"key": item["key"], "readonly": int(item["readonly"]), "value": number}

    return payload | {"configurationKey": [typed(i) for i in payload["configurationKey"]]}


def _settings_in_lower_case(payload: dict[str, Any]) -> dict[str, Any]:
    known = [item | {"key": item["key"].lower()} for item in payload["configurationKey"]]
    return payload | {"configurationKey": known, "unknownKey": None}


def _own_words(payload: dict[str, Any]) -> dict[str, Any]:
    words = {"errorCode": "Error", "reason": "PulledOut"}
    changed = {key: words.get(key, value) for key, value in payload.items()}
    if "status" in changed:
        changed["status"] = re.sub("(?<=[a-z])(?=[A-Z])", "_", changed["status"]).upper()
    return changed


def _statuses_with_errors(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"errorCode": "OtherError", "info": "door open"}


def _reservation_zero(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"reservationId": 0}


def _rubbish_behind_tag(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"idTag": payload["idTag"] + "\x10\x0e"} if "idTag" in payload else payload


def _tag_too_long(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"idTag": payload["idTag"].ljust(30, "X")} if "idTag" in payload else payload


def _no_tag(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"idTag": ""}


def _status_in_1970(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"timestamp": "1970-01-01T00:00:00Z"}


def _times(write: Callable[[datetime], str]) -> Says:
    """Write every time in another way."""

    def change(value: Any) -> Any:
        if not isinstance(value, str) or _TIME.fullmatch(value) is None:
            return value
        return write(datetime.fromisoformat(value))

    def says(message: Message) -> Sequence[Frame | str]:
        return [everywhere(change)(message.frame)]

    return says


def _without_zone(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _with_offset(at: datetime) -> str:
    there = timezone(timedelta(hours=5, minutes=30))
    return at.astimezone(there).strftime("%Y-%m-%dT%H:%M:%S%z")


def _with_short_offset(at: datetime) -> str:
    return at.astimezone(timezone(timedelta(hours=2))).strftime("%Y-%m-%dT%H:%M:%S+02")


def _with_fraction(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


def _with_space(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


HABITS: Mapping[str, Habit] = {
    "null_fields": Habit("B3", "sends null for what it leaves out", says=saying(_nulls, *REPORTS)),
    "extra_fields": Habit("B4", "adds fields of its own", says=saying(_extras, *REPORTS)),
    "long_texts": Habit(
        "B5", "sends texts that are too long", says=saying(_long_texts, "BootNotification")
    ),
    "long_tags": Habit(
        "B5", "sends idTags that are too long", says=saying(_tag_too_long, *REPORTS)
    ),
    "no_vendor": Habit("B6", "has no vendor and model", says=saying(_nobody, "BootNotification")),
    "says_nothing_of_itself": Habit(
        "B6", "boots with an empty payload", says=saying(_nothing, "BootNotification")
    ),
    "numbers_as_text": Habit(
        "B7", "sends numbers as text", says=saying(everywhere(_number_as_text), *REPORTS[2:])
    ),
    "numbers_as_fractions": Habit(
        "B7",
        "sends fractions for whole numbers",
        says=saying(everywhere(_number_as_fraction), "StatusNotification", "StartTransaction"),
    ),
    "readings_as_numbers": Habit(
        "B7", "sends readings as numbers", says=saying(everywhere(_text_as_number), "MeterValues")
    ),
    "typed_settings": Habit(
        "B7", "answers settings as numbers", says=saying(_typed_settings, "GetConfiguration")
    ),
    "own_words": Habit(
        "B8",
        "uses words the standard does not have",
        says=saying(_own_words, "StatusNotification", "StopTransaction"),
    ),
    "settings_in_lower_case": Habit(
        "C5",
        "answers with keys in lower case",
        says=saying(_settings_in_lower_case, "GetConfiguration"),
    ),
    "statuses_in_1970": Habit(
        "D1", "dates its statuses in 1970", says=saying(_status_in_1970, "StatusNotification")
    ),
    "statuses_with_errors": Habit(
        "D4",
        "has an error with every status",
        says=saying(_statuses_with_errors, "StatusNotification"),
    ),
    "no_tag": Habit(
        "E8", "starts with an empty idTag", says=saying(_no_tag, "Authorize", "StartTransaction")
    ),
    "rubbish_behind_tag": Habit(
        "E9", "sends idTags with rubbish behind", says=saying(_rubbish_behind_tag, *REPORTS)
    ),
    "reservation_zero": Habit(
        "E12", "sends reservation 0 for none", says=saying(_reservation_zero, "StartTransaction")
    ),
    "times_without_zone": Habit("E15", "writes times without zone", says=_times(_without_zone)),
    "times_with_offset": Habit("E16", "writes times with +0530", says=_times(_with_offset)),
    "times_with_short_offset": Habit(
        "E16", "writes times with +02", says=_times(_with_short_offset)
    ),
    "times_with_fraction": Habit("E16", "writes nanoseconds", says=_times(_with_fraction)),
    "times_with_space": Habit("E16", "writes a space for the T", says=_times(_with_space)),
}
