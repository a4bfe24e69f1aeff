"""From a limit to a charging profile (OCPP 1.6 §3.13, §5.16), in the form its command says.

A limit with an end is a lease: a schedule whose first period is the limit and whose second, from
its end on, is what may be drawn then. It never has a duration: when a schedule ends, some chargers
go to full power. Each purpose has a fixed id on each connector, so that a new limit replaces the
old one in place (§3.13.2) and no charger runs out of profile slots. Nothing is ever cleared first:
between a clear and a set the connector would be unlimited.
"""

from __future__ import annotations

import math
from typing import Any

from ocpp.v16.enums import (
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingRateUnitType,
)

from csms.balancing.quantize import amperes
from csms.dispatch.commands import Kind, Purpose, SetLimit
from csms.errors import ProtocolError
from csms.protocol.ocpp16 import fields
from csms.station.model import RateUnit

START_BEFORE_S = 82_800
"""How far in the past a schedule starts: 23 h. A start in the future would leave the connector
unlimited until then, and a charger's clock may be behind by hours: after the end of summer time, or
where it takes our time for its local time."""

PROFILE_IDS = 1_000
"""Below this are the chargingProfileIds csms uses itself; it does for 498 connectors."""

WHOLE_CHARGER = 0
"""The connectorId a ChargePointMaxProfile must have (§3.13.1)."""

_PURPOSES = {
    Purpose.SESSION: ChargingProfilePurposeType.tx_profile,
    Purpose.DEFAULT: ChargingProfilePurposeType.tx_default_profile,
    Purpose.CHARGER: ChargingProfilePurposeType.charge_point_max_profile,
}
_KINDS = {
    Kind.ABSOLUTE: ChargingProfileKindType.absolute,
    Kind.RELATIVE: ChargingProfileKindType.relative,
}
_UNITS = {
    RateUnit.WATTS: ChargingRateUnitType.watts,
    RateUnit.AMPERES: ChargingRateUnitType.amps,
}


def profile_id(command: SetLimit) -> int:
    """The chargingProfileId of this command's connector and purpose: the same each time, from 1.

    Two limits of the same purpose take the same slot of the charger, whatever their scope.
    """
    first = 2 * _connector_id(command) + 1
    return first + 1 if command.form.purpose is Purpose.SESSION else first


def set_charging_profile(command: SetLimit, now: float) -> dict[str, Any]:
    """SetChargingProfile.req (§6.43) for a limit. Absent fields are left out, never null.

    `now` is UTC epoch seconds. Raises ProtocolError when the limit cannot be written in amperes.
    """
    form = command.form
    profile: dict[str, Any] = {"chargingProfileId": profile_id(command)}
    if form.purpose is Purpose.SESSION and command.transaction_id is not None:
        profile["transactionId"] = command.transaction_id
    profile |= {
        "stackLevel": form.stack_level,
        "chargingProfilePurpose": str(_PURPOSES[form.purpose].value),
        "chargingProfileKind": str(_KINDS[form.kind].value),
        "chargingSchedule": _schedule(command, now),
    }
    return {"connectorId": _connector_id(command), "csChargingProfiles": profile}


def _connector_id(command: SetLimit) -> int:
    whole = command.form.purpose is Purpose.CHARGER
    return WHOLE_CHARGER if whole else command.connector.connector_id


def _schedule(command: SetLimit, now: float) -> dict[str, Any]:
    start = math.floor(now) - START_BEFORE_S
    periods = [_period(command, 0, command.limit.value_w)]
    if command.limit.expires_at is not None and command.form.carries_end:
        # A limit that has already ended is still sent: it replaces the one before it.
        end_s = max(1, math.floor(command.limit.expires_at) - start)
        periods.append(_period(command, end_s, command.after_w))
    schedule: dict[str, Any] = {}
    if command.form.kind is Kind.ABSOLUTE:
        schedule["startSchedule"] = fields.time_text(start)
    schedule |= {
        "chargingRateUnit": str(_UNITS[command.form.unit].value),
        "chargingSchedulePeriod": periods,
    }
    return schedule


def _period(command: SetLimit, start_s: int, limit_w: int) -> dict[str, Any]:
    period: dict[str, Any] = {"startPeriod": start_s, "limit": _limit(command, limit_w)}
    if command.form.names_phases(command.current_type, command.phases):
        period["numberPhases"] = command.phases
    return period


def _limit(command: SetLimit, limit_w: int) -> float:
    """The value in the unit of the form, rounded down to the one decimal §7.14 allows."""
    if command.form.unit is RateUnit.WATTS:
        return limit_w
    try:
        limit_a = amperes(limit_w, command.phases, command.voltage_v)
    except ValueError as error:
        raise ProtocolError("PropertyConstraintViolation", f"limit: {error}") from error
    return int(limit_a) if limit_a.is_integer() else limit_a
