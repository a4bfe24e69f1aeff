"""What csms asks of chargers: the payload of each outward action, and the check each must pass.

We are strict with what we send: every payload is held against the standard's JSON schema, with the
errata's corrections, before it goes out. The schemas come with the `ocpp` package.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError
from ocpp.v16.enums import (
    Action,
    ChargingProfileKindType,
    ChargingProfilePurposeType,
)

from csms.errors import ProtocolError
from csms.protocol.ocpp16 import locations

CANCEL_RESERVATION = str(Action.cancel_reservation.value)
CHANGE_AVAILABILITY = str(Action.change_availability.value)
CHANGE_CONFIGURATION = str(Action.change_configuration.value)
CLEAR_CHARGING_PROFILE = str(Action.clear_charging_profile.value)
GET_COMPOSITE_SCHEDULE = str(Action.get_composite_schedule.value)
GET_CONFIGURATION = str(Action.get_configuration.value)
GET_DIAGNOSTICS = str(Action.get_diagnostics.value)
GET_LOCAL_LIST_VERSION = str(Action.get_local_list_version.value)
GET_LOG = str(Action.get_log.value)
REMOTE_START_TRANSACTION = str(Action.remote_start_transaction.value)
REMOTE_STOP_TRANSACTION = str(Action.remote_stop_transaction.value)
RESERVE_NOW = str(Action.reserve_now.value)
RESET = str(Action.reset.value)
SEND_LOCAL_LIST = str(Action.send_local_list.value)
SET_CHARGING_PROFILE = str(Action.set_charging_profile.value)
SIGNED_UPDATE_FIRMWARE = str(Action.signed_update_firmware.value)
TRIGGER_MESSAGE = str(Action.trigger_message.value)
UNLOCK_CONNECTOR = str(Action.unlock_connector.value)
UPDATE_FIRMWARE = str(Action.update_firmware.value)

SENT = frozenset(
    str(action.value)
    for action in (
        Action.cancel_reservation,
        Action.certificate_signed,
        Action.change_availability,
        Action.change_configuration,
        Action.clear_cache,
        Action.clear_charging_profile,
        Action.data_transfer,
        Action.delete_certificate,
        Action.extended_trigger_message,
        Action.get_composite_schedule,
        Action.get_configuration,
        Action.get_diagnostics,
        Action.get_installed_certificate_ids,
        Action.get_local_list_version,
        Action.get_log,
        Action.install_certificate,
        Action.remote_start_transaction,
        Action.remote_stop_transaction,
        Action.reserve_now,
        Action.reset,
        Action.send_local_list,
        Action.set_charging_profile,
        Action.signed_update_firmware,
        Action.trigger_message,
        Action.unlock_connector,
        Action.update_firmware,
    )
)
"""The outward actions csms sends."""

_TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_URL_PATTERN = r"^[A-Za-z][A-Za-z0-9+.-]*://[^\s/]+(/\S*)?$"

# What the published schemas leave open although the text or the errata close it. Times: §3.15, and
# the one form every charger reads. Locations: §6.25, §6.55 (a URI). Periods: errata 3.45 wants a
# first one, so there must be one.
_CORRECTIONS: Mapping[str, Mapping[str, Any]] = {
    "chargingProfileId": {"minimum": 1},
    "chargingSchedulePeriod": {"minItems": 1},
    "connectorId": {"minimum": 0},
    "duration": {"minimum": 1},
    "idTag": {"minLength": 1},
    "key": {"minLength": 1},
    "limit": {"minimum": 0},
    "listVersion": {"minimum": 1},
    "location": {"pattern": _URL_PATTERN},
    "minChargingRate": {"minimum": 0},
    "numberPhases": {"minimum": 1, "maximum": 3},
    "remoteLocation": {"pattern": _URL_PATTERN},
    "retries": {"minimum": 0},
    "retryInterval": {"minimum": 0},
    "stackLevel": {"minimum": 0},
    "startPeriod": {"minimum": 0},
}

_CODES: Mapping[str, str] = {
    "additionalProperties": "FormationViolation",
    "required": "OccurenceConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "type": "TypeConstraintViolation",
}


# ---------------------------------------------------------------------- payloads


def change_availability(connector_id: int, *, operative: bool) -> dict[str, Any]:
    """ChangeAvailability.req (§6.7). Connector 0 is the charger with all its connectors."""
    return {"connectorId": connector_id, "type": "Operative" if operative else "Inoperative"}


def change_configuration(key: str, value: str) -> dict[str, Any]:
    """ChangeConfiguration.req (§6.9). Every value is text, numbers too."""
    return {"key": key, "value": value}


def clear_charging_profile(connector_id: int | None = None) -> dict[str, Any]:
    """ClearChargingProfile.req (§6.13): every profile of the charger, or of one connector."""
    return {} if connector_id is None else {"connectorId": connector_id}


def get_composite_schedule(connector_id: int, duration_s: int) -> dict[str, Any]:
    """GetCompositeSchedule.req (§6.21), in whatever unit the charger prefers."""
    return {"connectorId": connector_id, "duration": duration_s}


def get_configuration(keys: Sequence[str] = ()) -> dict[str, Any]:
    """GetConfiguration.req (§6.23). No keys asks for all: `key` is then absent, not empty."""
    return {"key": list(keys)} if keys else {}


def remote_start_transaction(connector_id: int, id_tag: str) -> dict[str, Any]:
    """RemoteStartTransaction.req (§6.33).

    Always with a connector, since some chargers demand one, and never with a profile, since some
    chargers refuse one.
    """
    return {"connectorId": connector_id, "idTag": id_tag}


def remote_stop_transaction(transaction_id: int) -> dict[str, Any]:
    """RemoteStopTransaction.req (§6.35)."""
    return {"transactionId": transaction_id}


def reset(*, hard: bool) -> dict[str, Any]:
    """Reset.req (§6.37): a soft one ends sessions in good order first."""
    return {"type": "Hard" if hard else "Soft"}


def trigger_message(message: str, connector_id: int | None = None) -> dict[str, Any]:
    """TriggerMessage.req (§6.51). Without a connector it is meant for all of them."""
    payload: dict[str, Any] = {"requestedMessage": message}
    if connector_id is not None:
        payload["connectorId"] = connector_id
    return payload


# ---------------------------------------------------------------------- the check


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of an outgoing payload.

    `field` is its path, `payload` for the whole; `code` what a charger would answer with.
    """

    field: str
    code: str
    what: str
    value: Any = None


def check(action: str, payload: Mapping[str, Any]) -> None:
    """Hold an outgoing payload against the corrected schema of its action.

    Raises ProtocolError naming the first field that is wrong, with the OCPP-J code a charger would
    answer with.
    """
    if action not in SENT:
        raise ProtocolError("NotSupported", f"{action} is not sent")
    found = faults(action, payload)
    if found:
        first = found[0]
        raise ProtocolError(first.code, f"{action}.{first.field}: {first.what}"[:200])


def faults(action: str, payload: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with the payload of an action in `SENT`, in order of its fields."""
    if reason := not_json(payload):
        return [Fault("payload", "FormationViolation", reason)]
    # Decimals, because 21.4 as a float is not a multiple of 0.1.
    exact = json.loads(json.dumps(payload), parse_float=Decimal)
    errors = sorted(_validator(action).iter_errors(exact), key=lambda e: _path(e.absolute_path))
    if errors:
        return [_fault(error) for error in errors]
    rule = _RULES.get(action)
    broken = rule(exact) if rule is not None else None
    if broken is None:
        return []
    field, what = broken
    return [Fault(field, "PropertyConstraintViolation", what, _at(payload, field))]


def unlisted_place(action: str, payload: Mapping[str, Any], hosts: Collection[str]) -> Fault | None:
    """What is wrong with the place for files that this names, where only `hosts` are allowed.

    Also of a payload that is not as the standard has it. None when no host is listed at all.
    """
    field = _PLACES.get(action)
    if field is None or not hosts:
        return None
    location = _at(payload, field)
    why = locations.unlisted(location if isinstance(location, str) else "", hosts)
    return Fault(field, "PropertyConstraintViolation", why, location) if why else None


def not_json(payload: Mapping[str, Any]) -> str:
    """Why a payload cannot be written as JSON, empty when it can."""
    try:
        json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return str(error)
    return ""


def _fault(error: ValidationError) -> Fault:
    value = error.instance
    return Fault(
        _path(error.absolute_path) or "payload",
        _CODES.get(str(error.validator), "PropertyConstraintViolation"),
        error.message,
        float(value) if isinstance(value, Decimal) else value,
    )


def _at(payload: Mapping[str, Any], field: str) -> Any:
    """The value of a field, None where there is none."""
    value: Any = payload
    for step in field.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _path(parts: Sequence[Any]) -> str:
    return ".".join(str(part) for part in parts)


@lru_cache(maxsize=len(SENT))
def _validator(action: str) -> Draft4Validator:
    schema = files("ocpp.v16").joinpath("schemas", f"{action}.json").read_text("utf-8-sig")
    return Draft4Validator(_corrected(json.loads(schema, parse_float=Decimal)))


def _corrected(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with every property tightened as `_CORRECTIONS` and the form of times have it."""
    corrected = dict(schema)
    if "definitions" in schema:
        corrected["definitions"] = {k: _corrected(d) for k, d in schema["definitions"].items()}
    if schema.get("format") == "date-time":
        corrected["pattern"] = _TIME_PATTERN
    if "items" in schema:
        corrected["items"] = _corrected(schema["items"])
    if "properties" in schema:
        corrected["properties"] = {
            name: {**_corrected(inner), **_correction(name, inner)}
            for name, inner in schema["properties"].items()
        }
    return corrected


def _correction(name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    # GetConfiguration has a list called `key`: the length of text is no matter for it.
    return {} if name == "key" and schema.get("type") == "array" else _CORRECTIONS.get(name, {})


_Rule = Callable[[Mapping[str, Any]], "tuple[str, str] | None"]
"""What is wrong with a payload that has the right shape: field and reason."""


def _profile_rule(payload: Mapping[str, Any]) -> tuple[str, str] | None:
    """What §3.13 and the errata say of a profile beyond the shape of its fields."""
    profile = payload["csChargingProfiles"]
    purpose = profile["chargingProfilePurpose"]
    session = purpose == ChargingProfilePurposeType.tx_profile.value
    if broken := _kind_rule(profile, "csChargingProfiles"):
        return broken
    if session and payload["connectorId"] == 0:
        return "connectorId", "a TxProfile belongs to one connector (§3.13.1)"
    if session and "transactionId" not in profile:
        return (
            "csChargingProfiles.transactionId",
            "a TxProfile needs its transaction (§5.16)",
        )
    if not session and "transactionId" in profile:
        return "csChargingProfiles.transactionId", f"not in a {purpose} (§7.8)"
    if payload["connectorId"] != 0 and (
        purpose == ChargingProfilePurposeType.charge_point_max_profile.value
    ):
        return "connectorId", "a ChargePointMaxProfile belongs to connector 0 (§3.13.1)"
    return None


def _kind_rule(profile: Mapping[str, Any], where: str) -> tuple[str, str] | None:
    """When a profile begins, and when it begins again."""
    kind = profile["chargingProfileKind"]
    schedule = profile["chargingSchedule"]
    relative = kind == ChargingProfileKindType.relative.value
    recurring = kind == ChargingProfileKindType.recurring.value
    if schedule["chargingSchedulePeriod"][0]["startPeriod"] != 0:
        return f"{where}.chargingSchedule", "the first period starts at 0 (errata 3.45)"
    if relative is ("startSchedule" in schedule):
        what = "begins with its transaction" if relative else "needs its start"
        return f"{where}.chargingSchedule.startSchedule", f"what is {kind} {what} (§7.9)"
    if recurring is not ("recurrencyKind" in profile):
        return f"{where}.recurrencyKind", "for a Recurring profile, and only there (§7.8)"
    return None


def _start_rule(payload: Mapping[str, Any]) -> tuple[str, str] | None:
    if payload.get("connectorId") == 0:
        return "connectorId", "a session starts on a connector, counted from 1 (§5.11)"
    profile = payload.get("chargingProfile")
    if profile is None:
        return None
    if profile["chargingProfilePurpose"] != ChargingProfilePurposeType.tx_profile.value:
        return (
            "chargingProfile.chargingProfilePurpose",
            "a remote start takes a TxProfile only (§5.16.2)",
        )
    if "transactionId" in profile:
        return (
            "chargingProfile.transactionId",
            "there is no transaction yet (errata 3.41)",
        )
    return _kind_rule(profile, "chargingProfile")


def _unlock_rule(payload: Mapping[str, Any]) -> tuple[str, str] | None:
    if payload["connectorId"] == 0:
        return "connectorId", "one connector is unlocked, counted from 1 (§6.53)"
    return None


def _place_rule(field: str) -> _Rule:
    """The rule for a message that names a place for files in this field."""

    def rule(payload: Mapping[str, Any]) -> tuple[str, str] | None:
        why = locations.unsafe(str(_at(payload, field)))
        return (field, why) if why else None

    return rule


_PLACES: Mapping[str, str] = {
    GET_DIAGNOSTICS: "location",
    UPDATE_FIRMWARE: "location",
    GET_LOG: "log.remoteLocation",
    SIGNED_UPDATE_FIRMWARE: "firmware.location",
}
"""The messages that name a place for files, and the field that does."""

_RULES: Mapping[str, _Rule] = {
    **{action: _place_rule(field) for action, field in _PLACES.items()},
    SET_CHARGING_PROFILE: _profile_rule,
    REMOTE_START_TRANSACTION: _start_rule,
    UNLOCK_CONNECTOR: _unlock_rule,
}
