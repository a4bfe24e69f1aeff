"""Reading a charger's answer to what csms asked.

The status comes first: a charger that says Accepted has accepted, whatever else in its answer is
missing, extra or misspelt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ocpp.v16.enums import ConfigurationKey

from csms.ports import Answer, Outcome
from csms.protocol.ocpp16 import fields
from csms.protocol.ocpp16.requests import (
    CHANGE_AVAILABILITY,
    CLEAR_CHARGING_PROFILE,
    GET_COMPOSITE_SCHEDULE,
    GET_CONFIGURATION,
    GET_DIAGNOSTICS,
    GET_LOCAL_LIST_VERSION,
    UNLOCK_CONNECTOR,
    UPDATE_FIRMWARE,
)

KEYS_READ = 500
"""Configuration keys read from one answer."""

VALUE_LIMIT = 2000
"""Characters kept of a configuration value. §6.24 allows 500; lists of measurands exceed that."""

_DETAIL_LIMIT = 200

_STATUSES: Mapping[str, Outcome] = {
    "accepted": Outcome.ACCEPTED,
    "acceptedcanceled": Outcome.ACCEPTED,  # white paper §5: in place of the one before
    "rebootrequired": Outcome.ACCEPTED,
    "notsupported": Outcome.UNSUPPORTED,
    "notimplemented": Outcome.UNSUPPORTED,
}

# §5.5: no profile matched, so there is none left. §5.2: a session runs; done when that is over.
# §5.18 has a word of its own for yes.
_YES = frozenset(
    {
        (CLEAR_CHARGING_PROFILE, "unknown"),
        (CHANGE_AVAILABILITY, "scheduled"),
        (UNLOCK_CONNECTOR, "unlocked"),
    }
)

_WITHOUT_STATUS = frozenset({GET_DIAGNOSTICS, UPDATE_FIRMWARE})

# "Occurrence" and "Format" are the spellings of later versions; some chargers use them in 1.6.
_ERRORS: Mapping[str, Outcome] = {
    "notsupported": Outcome.UNSUPPORTED,
    "notimplemented": Outcome.UNSUPPORTED,
    "protocolerror": Outcome.INVALID,
    "formationviolation": Outcome.INVALID,
    "formatviolation": Outcome.INVALID,
    "propertyconstraintviolation": Outcome.INVALID,
    "occurenceconstraintviolation": Outcome.INVALID,
    "occurrenceconstraintviolation": Outcome.INVALID,
    "typeconstraintviolation": Outcome.INVALID,
}


def result(action: str, payload: Any, asked: Sequence[str] = ()) -> Answer:
    """What a CALLRESULT says. `asked` are the configuration keys that were asked for.

    An unknown status counts as a refusal and an absent one as an invalid answer: neither is proof
    that the charger did as it was told. The answer to GetConfiguration has no status; its payload
    is made regular by `configuration`. Others have none by the standard: any answer is a yes.
    """
    answer = fields.mapping(payload)
    status = fields.text(answer.get("status"), _DETAIL_LIMIT)
    if action == GET_CONFIGURATION and ("configurationKey" in answer or not status):
        return Answer(Outcome.ACCEPTED, status, configuration(answer, asked))
    if action == GET_LOCAL_LIST_VERSION:
        return list_version(answer)
    if action in _WITHOUT_STATUS:
        return Answer(Outcome.ACCEPTED, status, answer)
    if not status:
        return Answer(Outcome.INVALID, "an answer without a status", answer)
    folded = fields.fold(status)
    if action == GET_COMPOSITE_SCHEDULE and folded == "accepted":
        answer = schedule(answer)
    if (action, folded) in _YES:
        return Answer(Outcome.ACCEPTED, status, answer)
    return Answer(_STATUSES.get(folded, Outcome.REJECTED), status, answer)


def error(code: Any, description: Any = "") -> Answer:
    """What a CALLERROR says. Any code is taken; one that is not about the payload is a refusal."""
    name = fields.text(code, _DETAIL_LIMIT)
    words = fields.text(description, _DETAIL_LIMIT)
    outcome = _ERRORS.get(fields.fold(name), Outcome.REJECTED)
    return Answer(outcome, f"{name}: {words}" if words else name)


def configuration(payload: Mapping[str, Any], asked: Sequence[str] = ()) -> dict[str, Any]:
    """A GetConfiguration.conf made regular: each key with its value as text, "" for none.

    `unknownKey`, present when the charger named any, lists the keys it does not have. Keys have the
    spelling that was asked for, else the standard's, whatever case the charger wrote them in.
    """
    spelling = {fields.fold(str(key.value)): str(key.value) for key in ConfigurationKey}
    spelling |= {fields.fold(key): key for key in asked}

    def spelt(value: Any) -> str:
        sent = fields.text(value)
        return spelling.get(fields.fold(sent), sent)

    regular: dict[str, Any] = {}
    for sent in fields.items(payload.get("configurationKey"))[:KEYS_READ]:
        entry = fields.mapping(sent)
        key = spelt(entry.get("key"))
        if key:
            regular[key] = fields.text(entry.get("value"), VALUE_LIMIT)
    unknown = [key for key in map(spelt, _texts(payload.get("unknownKey"))) if key]
    return {**regular, "unknownKey": unknown} if unknown else regular


def schedule(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A GetCompositeSchedule.conf made regular: the highest limit of its periods, and its unit.

    Empty when it tells none.
    """
    told = fields.mapping(payload.get("chargingSchedule"))
    unit = fields.text(told.get("chargingRateUnit")).upper()
    periods = [fields.mapping(p) for p in fields.items(told.get("chargingSchedulePeriod"))]
    limits = [(limit, p) for p in periods if (limit := fields.number(p.get("limit"))) is not None]
    if unit not in {"W", "A"} or not limits:
        return {}
    limit, highest = max(limits, key=lambda found: found[0])
    phases = fields.number(highest.get("numberPhases"))
    return {"unit": unit, "limit": limit} | ({"phases": int(phases)} if phases else {})


def list_version(payload: Mapping[str, Any]) -> Answer:
    """A GetLocalListVersion.conf: the version as {"version": n}; -1 is no list at all (§5.10)."""
    version = fields.integer(payload.get("listVersion"))
    if version is None:
        return Answer(Outcome.INVALID, "an answer without a version", payload)
    if version < 0:
        return Answer(Outcome.UNSUPPORTED, f"version {version}", payload)
    return Answer(Outcome.ACCEPTED, "", {"version": version})


def _texts(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else fields.items(value)[:KEYS_READ]
