"""From a limit to a charging profile (OCPP 1.6 §3.13, §5.16), in the shape most chargers take.

One limit is one profile with one period. A connector has one profile for its fallback and one for
its running session, each with a fixed id and stack level, so that a new limit replaces the old one
in place (§3.13.2) and no charger runs out of profile slots. Nothing is ever cleared first: between
a clear and a set the connector would be unlimited.
"""

from __future__ import annotations

import math
from typing import Any

from ocpp.v16.enums import (  # type: ignore[import-untyped, unused-ignore]
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingRateUnitType,
)

from csms.dispatch.commands import Scope, SetLimit
from csms.errors import ProtocolError
from csms.protocol.ocpp16 import fields
from csms.station.model import CurrentType, RateUnit

START_BEFORE_S = 60
"""How far in the past a schedule starts. A start in the future would leave the connector unlimited
until then, and the charger's clock may be some seconds behind."""

DEFAULT_STACK_LEVEL = 0
SESSION_STACK_LEVEL = 0
"""0 is the one level every charger has; levels of different purposes do not compete (§3.13.3)."""

PHASES_ASSUMED = 3
"""What a charger takes an absent numberPhases for (errata 3.68)."""


def profile_id(command: SetLimit) -> int:
    """The chargingProfileId for this command's connector and scope: the same each time, from 1."""
    first = 2 * command.connector.connector_id + 1
    return first if command.scope is Scope.DEFAULT else first + 1


def set_charging_profile(
    command: SetLimit, now: float, *, session_stack_level: int = SESSION_STACK_LEVEL
) -> dict[str, Any]:
    """SetChargingProfile.req (§6.43) for a limit. Absent fields are left out, never null.

    `now` is UTC epoch seconds. `session_stack_level` is for chargers that need another level for
    the limit of a session. A limit with an end gets a duration that ends no later than it does.
    Raises ProtocolError when the limit cannot be written in amperes.
    """
    default = command.scope is Scope.DEFAULT
    purpose = (
        ChargingProfilePurposeType.tx_default_profile
        if default
        else ChargingProfilePurposeType.tx_profile
    )
    profile: dict[str, Any] = {"chargingProfileId": profile_id(command)}
    if not default and command.transaction_id is not None:
        profile["transactionId"] = command.transaction_id
    profile |= {
        "stackLevel": DEFAULT_STACK_LEVEL if default else session_stack_level,
        "chargingProfilePurpose": str(purpose.value),
        "chargingProfileKind": str(ChargingProfileKindType.absolute.value),
        "chargingSchedule": _schedule(command, now),
    }
    return {"connectorId": command.connector.connector_id, "csChargingProfiles": profile}


def _schedule(command: SetLimit, now: float) -> dict[str, Any]:
    start = math.floor(now) - START_BEFORE_S
    schedule: dict[str, Any] = {}
    if command.limit.expires_at is not None:
        # A limit that has already ended is still sent: it replaces the one before it.
        schedule["duration"] = max(1, math.floor(command.limit.expires_at) - start)
    unit = (
        ChargingRateUnitType.watts
        if command.rate_unit is RateUnit.WATTS
        else ChargingRateUnitType.amps
    )
    schedule |= {
        "startSchedule": fields.time_text(start),
        "chargingRateUnit": str(unit.value),
        "chargingSchedulePeriod": [_period(command)],
    }
    return schedule


def _period(command: SetLimit) -> dict[str, Any]:
    """The one period of the schedule.

    A charger told watts divides them by numberPhases (errata 3.68), so on AC they are told; in
    amperes they are told only where they are not what the charger assumes.
    """
    if command.rate_unit is RateUnit.AMPERES:
        period: dict[str, Any] = {"startPeriod": 0, "limit": amperes(command)}
        tell_phases = command.phases != PHASES_ASSUMED
    else:
        period = {"startPeriod": 0, "limit": command.limit.value_w}
        tell_phases = command.current_type is CurrentType.AC
    if tell_phases:
        period["numberPhases"] = command.phases
    return period


def amperes(command: SetLimit) -> float:
    """The limit in amperes per phase, rounded down to the one decimal OCPP 1.6 §7.14 allows.

    Raises ProtocolError when the connector's voltage or number of phases is not positive.
    """
    divisor = command.voltage_v * command.phases
    if command.voltage_v <= 0 or command.phases <= 0:
        raise ProtocolError(
            "PropertyConstraintViolation",
            f"limit: no amperes from {command.voltage_v} V and {command.phases} phases",
        )
    tenths = command.limit.value_w * 10 // divisor
    return tenths // 10 if tenths % 10 == 0 else tenths / 10
