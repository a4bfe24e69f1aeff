"""What a request that somebody sends by hand changes: the limits of a charger, or its availability.

The check of the schema can be overridden. Whatever is not as the standard has it, or is not known
to be in force from now on and for good, counts as the worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csms.dispatch.by_hand import Availability, NewKey, Reach
from csms.dispatch.commands import PHASES_ASSUMED
from csms.ports import AUTHORIZATION_KEY
from csms.protocol.ocpp16 import fields, requests
from csms.protocol.ocpp16.smart_charging import PROFILE_IDS
from csms.station.model import RateUnit

_AUTHORIZATION_KEY = fields.fold(AUTHORIZATION_KEY)
BEGUN_BEFORE_S = 60.0
"""So long a schedule must have begun to be in force by any clock that is nearly right."""
_ENDS = frozenset({"validFrom", "validTo", "recurrencyKind"})
_START_FIELDS = frozenset({"connectorId", "idTag"})
_OWN_ID = (
    f"chargingProfileId must be a number from {PROFILE_IDS} on: those below are csms's own, and a "
    "charger would drop the limit that has it"
)


def availability(action: str, payload: Mapping[str, Any]) -> Availability | None:
    """What this request puts into or out of service; None when it is not about that.

    What is not as the standard has it may do the most there is: put all into service.
    """
    if action != requests.CHANGE_AVAILABILITY:
        return None
    told = payload.get("connectorId")
    connector_id = told if type(told) is int and told > 0 else 0
    out = fields.fold(fields.text(payload.get("type"))) == "inoperative"
    return Availability(connector_id, operative=not out)


def new_key(action: str, payload: Mapping[str, Any]) -> NewKey | None:
    """The key this request tells (security white paper §3.3); None when it tells none.

    Names of configuration keys are compared without case (OCPP 1.6 §9).
    """
    if action != requests.CHANGE_CONFIGURATION:
        return None
    if fields.fold(fields.text(payload.get("key"))) != _AUTHORIZATION_KEY:
        return None
    told = payload.get("value")
    return NewKey(told if isinstance(told, str) else "")


def reach(action: str, payload: Mapping[str, Any], now: float, *, valid: bool) -> Reach | None:
    """What this request may change; None when it is not about limits.

    `valid`: it is as the standard has it. `now` is UTC epoch seconds.
    """
    if action == requests.CLEAR_CHARGING_PROFILE:
        return Reach(clears=True, clears_all=not payload)
    if action == requests.SET_CHARGING_PROFILE:
        profile = payload.get("csChargingProfiles")
    elif action == requests.REMOTE_START_TRANSACTION and payload.keys() - _START_FIELDS:
        profile = payload.get("chargingProfile")
    else:
        return None
    told = fields.mapping(profile)
    profile_id = told.get("chargingProfileId")
    if not isinstance(profile_id, int) or profile_id < PROFILE_IDS:
        return Reach(refused=_OWN_ID)
    return _of_profile(payload, told, now) if valid else Reach()


def _of_profile(payload: Mapping[str, Any], profile: Mapping[str, Any], now: float) -> Reach:
    """What a profile that is as the standard has it may change."""
    schedule = profile["chargingSchedule"]
    periods = schedule["chargingSchedulePeriod"]
    return Reach(
        # 0, and no connector at all, is every connector.
        connector_id=payload.get("connectorId") or None,
        limit=max(p["limit"] for p in periods) if _lasts(profile, schedule, now) else None,
        unit=RateUnit(schedule["chargingRateUnit"]),
        phases=min(p.get("numberPhases", PHASES_ASSUMED) for p in periods),
        stack_level=profile["stackLevel"],
        transaction_id=profile.get("transactionId"),
    )


def _lasts(profile: Mapping[str, Any], schedule: Mapping[str, Any], now: float) -> bool:
    """Whether its schedule is in force from now on and for good."""
    if profile.keys() & _ENDS or "duration" in schedule:
        return False
    start = schedule.get("startSchedule")
    if profile["chargingProfileKind"] == "Relative":
        return start is None
    # Chargers differ in what an absolute schedule without a start begins with. One that begins
    # later limits nothing until then, and the charger's clock may be some seconds behind.
    started_at = fields.timestamp(start)
    return started_at is not None and started_at <= now - BEGUN_BEFORE_S
