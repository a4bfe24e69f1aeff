"""What csms asks a charger after it connects, before and after it gets its first limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from csms.ports import ChargerLink
from csms.station.model import Charger, ConnectorKey, CurrentType, RateUnit
from csms.station.state import ConnectorStatus, StationState

UNIT_KEY = "ChargingScheduleAllowedChargingRateUnit"
INTERVAL_KEY = "MeterValueSampleInterval"


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """What a charger is asked for when it registers.

    `meter_interval_s`: how often it should send meter values. `status_wait_s`: how long it may
    take to report its connectors by itself.
    """

    meter_interval_s: int = 10
    status_wait_s: float = 10.0


async def rate_unit(charger: Charger, link: ChargerLink) -> RateUnit:
    """The unit this charger takes limits in: as configured, else as the charger says.

    DC is always given watts. For AC the charger is asked (OCPP 1.6 §9.4.3); the tokens seen in the
    field vary, and a charger that does not say gets amperes, which every AC charger knows.
    """
    if charger.rate_unit is not None:
        return charger.rate_unit
    if all(c.current_type is CurrentType.DC for c in charger.connectors):
        return RateUnit.WATTS
    answer = await link.get_configuration(charger.charger_id, [UNIT_KEY])
    said = str(answer.payload.get(UNIT_KEY, ""))
    tokens = {token.strip().lower() for token in said.split(",")}
    if tokens & {"w", "power"} and not tokens & {"a", "current"}:
        return RateUnit.WATTS
    return RateUnit.AMPERES


async def ask_for_meter_values(
    charger: Charger, link: ChargerLink, settings: RegistrationSettings
) -> bool:
    """Ask for meter values often enough; writes only when the charger has another interval.

    Returns whether the charger now has the interval, as far as it says.
    """
    answer = await link.get_configuration(charger.charger_id, [INTERVAL_KEY])
    wanted = str(settings.meter_interval_s)
    if not answer.accepted or INTERVAL_KEY not in answer.payload:
        return False
    if str(answer.payload[INTERVAL_KEY]).strip() == wanted:
        return True
    changed = await link.change_configuration(charger.charger_id, INTERVAL_KEY, wanted)
    return changed.accepted


async def ask_for_statuses(
    charger: Charger, link: ChargerLink, state: StationState, settings: RegistrationSettings
) -> None:
    """After a while, ask for the status of each connector that has not reported (errata 3.22)."""
    await asyncio.sleep(settings.status_wait_s)
    for connector in charger.connectors:
        if _silent(state, connector.key):
            await link.trigger(charger.charger_id, "StatusNotification", connector.key.connector_id)


def _silent(state: StationState, key: ConnectorKey) -> bool:
    known = state.connectors.get(key)
    return known is not None and known.status is ConnectorStatus.UNKNOWN
