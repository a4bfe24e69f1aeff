"""What csms asks a charger after it connects, before and after it gets its first limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from csms.control.wanted_settings import Setting, wanted_settings
from csms.dispatch.capability import Capability, Proof
from csms.ports import Answer, ChargerLink, Outcome
from csms.station.model import Charger, ConnectorKey, CurrentType, RateUnit
from csms.station.state import ConnectorStatus, StationState

UNIT_KEY = "ChargingScheduleAllowedChargingRateUnit"
STACK_LEVEL_KEY = "ChargeProfileMaxStackLevel"
PERIODS_KEY = "ChargingScheduleMaxPeriods"
PROFILES_KEY = "MaxChargingProfilesInstalled"
FEATURES_KEY = "SupportedFeatureProfiles"
HINT_KEYS = (FEATURES_KEY, STACK_LEVEL_KEY, PERIODS_KEY, PROFILES_KEY)
LARGEST_HINT = 1_000_000
"""A larger number is as good as none; it is what some chargers give for "no limit"."""


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """What a charger is asked for when it registers.

    `meter_interval_s`: how often it should send meter values. `status_wait_s`: how long it may
    take to report its connectors by itself. `tokens_offline`: whether it may start sessions for
    tokens it does not know while it has no connection. `again_s`: when a question that could not
    be sent is asked again.
    """

    meter_interval_s: int = 10
    status_wait_s: float = 10.0
    tokens_offline: bool = True
    again_s: float = 10.0


class Reader(Protocol):
    """What of `ports.ChargerLink` reads settings."""

    async def get_configuration(self, charger_id: str, keys: Sequence[str]) -> Answer:
        """GetConfiguration (OCPP 1.6 §5.8)."""
        ...


async def rate_unit(charger: Charger, link: Reader) -> RateUnit:
    """The unit this charger takes limits in: as configured, else as the charger says.

    Of a charger with AC connectors it is the unit of those; DC is always given watts, see
    `csms.dispatch.capability.unit_of`. For AC the charger is asked (OCPP 1.6 §9.4.3); the tokens
    seen in the field vary, and a charger that does not say gets amperes, which every AC charger
    knows.
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


async def hints(charger: Charger, link: Reader) -> Capability:
    """What a charger says of how it takes limits (§9.3, §9.4), as far as it says anything.

    Each key is asked for by itself: some chargers refuse a whole request for a key they do not
    have. One that does not answer at all is not asked for more. These are hints: what a charger
    says of itself and what it does differ.
    """
    said: dict[str, str] = {}
    for key in HINT_KEYS:
        answer = await link.get_configuration(charger.charger_id, [key])
        if answer.outcome in {Outcome.TIMEOUT, Outcome.DISCONNECTED}:
            break
        if answer.accepted and key in answer.payload:
            said[key] = str(answer.payload[key])
    return Capability(
        smart_charging=_has_smart_charging(said.get(FEATURES_KEY, "")),
        max_stack_level=_number(said.get(STACK_LEVEL_KEY, ""), least=0),
        max_periods=_number(said.get(PERIODS_KEY, ""), least=1),
        max_profiles=_number(said.get(PROFILES_KEY, ""), least=1),
    )


def _has_smart_charging(said: str) -> Proof:
    features = {feature.strip().lower() for feature in said.split(",")} - {""}
    if not features:
        return Proof.UNKNOWN
    return Proof.YES if "smartcharging" in features else Proof.NO


def _number(said: str, *, least: int) -> int | None:
    text = said.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_HINT))):
        return None
    value = int(text)
    return value if least <= value <= LARGEST_HINT else None


def settings_of(charger: Charger, settings: RegistrationSettings) -> tuple[Setting, ...]:
    """What this charger is to be set to."""
    return wanted_settings(
        meter_interval_s=settings.meter_interval_s,
        dc=any(c.current_type is CurrentType.DC for c in charger.connectors),
        tokens_offline=settings.tokens_offline,
    )


async def ask_for_statuses(
    charger: Charger, link: ChargerLink, state: StationState, settings: RegistrationSettings
) -> None:
    """After a while, ask for the status of each connector that has not reported (errata 3.22).

    Some chargers take the request only without a connector: then it is meant for all of them.
    """
    await asyncio.sleep(settings.status_wait_s)
    for connector in charger.connectors:
        if not _silent(state, connector.key):
            continue
        number = connector.key.connector_id
        answer = await link.trigger(charger.charger_id, "StatusNotification", number)
        if answer.outcome in {Outcome.REJECTED, Outcome.INVALID}:
            await link.trigger(charger.charger_id, "StatusNotification", None)
            return


def _silent(state: StationState, key: ConnectorKey) -> bool:
    known = state.connectors.get(key)
    return known is not None and known.status is ConnectorStatus.UNKNOWN
