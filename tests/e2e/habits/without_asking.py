"""csms without a reaction in how it reads meters, and in what it asks of chargers."""

# A reaction is taken away by reaching into csms: that is what this is for.
# ruff: noqa: SLF001

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ocpp.v16.enums import ValueFormat

import csms.app
from csms.control import registration
from csms.control.station_loop import StationLoop
from csms.control.wishes import WishList
from csms.dispatch import capability
from csms.dispatch.commands import Form, Purpose
from csms.dispatch.retries import Retries
from csms.protocol import framing
from csms.protocol.link import OcppLink
from csms.protocol.ocpp16 import (
    fields,
    meter_values,
    requests,
    smart_charging,
)
from csms.station import update
from csms.station.facts import MeterSample
from csms.station.model import RateUnit
from csms.station.register import Register
from tests.e2e.habits.taking_away import Without, one
from tests.simulation.patches import Patch

# ---------------------------------------------------------------------------- meters


def _units_do_not_matter() -> Sequence[Patch]:
    quantities = {
        name: replace(quantity, units=dict.fromkeys(quantity.units, 1.0))
        for name, quantity in meter_values._QUANTITIES.items()
    }
    return [Patch(meter_values, "_QUANTITIES", quantities)]


def _units_must_be_there() -> Sequence[Patch]:
    quantities = {
        name: replace(quantity, units={u: f for u, f in quantity.units.items() if u})
        for name, quantity in meter_values._QUANTITIES.items()
    }
    return [Patch(meter_values, "_QUANTITIES", quantities)]


def _three_times_the_largest(amperes: Any, volts: Any) -> float | None:
    return 3 * 230.0 * max(amperes.by_phase.values()) if amperes.by_phase else None


def _one_phase(amperes: Any, volts: Any) -> float | None:
    return None if amperes.total is None else amperes.total * 230.0


def _register_as_it_comes() -> Sequence[Patch]:
    sampled = update._APPLY[MeterSample]

    def applied(state: Any, fact: Any) -> bool:
        found = sampled(state, fact)
        session = update.session_of_sample(state, fact)
        if session is not None and fact.energy_wh is not None:
            session.register = Register(session.register.start_wh, fact.energy_wh)
        return bool(found)

    return [Patch(update, "_APPLY", {**update._APPLY, MeterSample: applied})]


def _signed_data_counts() -> Sequence[Patch]:
    member = fields.member

    def known(kind: Any, value: Any) -> Any:
        return None if kind is ValueFormat else member(kind, value)

    return [Patch(fields, "member", known)]


# ---------------------------------------------------------------------------- what we ask


def _asks_all_keys_at_once() -> Sequence[Patch]:
    async def at_once(charger: Any, link: Any) -> Any:
        answer = await link.get_configuration(charger.charger_id, registration.HINT_KEYS)
        return capability.Capability() if answer.accepted else None

    return [Patch(csms.control.contacts, "hints", at_once)]


def _settings_must_be_answered() -> Sequence[Patch]:
    ask = OcppLink.get_configuration

    async def answered(the_link: OcppLink, charger_id: str, keys: Sequence[str]) -> Any:
        answer = await ask(the_link, charger_id, keys)
        if set(keys) - answer.payload.keys():
            raise ValueError(keys)
        return answer

    return [Patch(OcppLink, "get_configuration", answered)]


def _settings_must_be_taken() -> Sequence[Patch]:
    change = OcppLink.change_configuration

    async def taken(the_link: OcppLink, charger_id: str, key: str, value: str, **more: Any) -> Any:
        answer = await change(the_link, charger_id, key, value, **more)
        if not answer.accepted:
            raise ValueError(key)
        return answer

    return [Patch(OcppLink, "change_configuration", taken)]


def _asks_for_a_boot() -> Sequence[Patch]:
    async def triggered(charger: Any, the_link: Any, *_: Any) -> bool:
        await the_link.trigger(charger.charger_id, "BootNotification", None)
        return True

    return [Patch(csms.control.contacts, "ask_for_statuses", triggered)]


async def _amperes(*_: Any) -> Any:
    return RateUnit.AMPERES


def _changed_profile(change: Callable[[dict[str, Any]], None]) -> Without:
    """SetChargingProfile with a change, whatever the check says of it."""

    def patches() -> Sequence[Patch]:
        build = smart_charging.set_charging_profile

        def built(command: Any, now: float) -> dict[str, Any]:
            payload = build(command, now)
            change(payload)
            return payload

        return [
            Patch(smart_charging, "set_charging_profile", built),
            Patch(requests, "check", lambda *_: None),
        ]

    return patches


def _no_number(payload: dict[str, Any]) -> None:
    payload["csChargingProfiles"].pop("transactionId", None)


def _finer(payload: dict[str, Any]) -> None:
    for period in payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]:
        period["limit"] += 0.004


def _with_phases(payload: dict[str, Any]) -> None:
    for period in payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]:
        period["numberPhases"] = 3


def _many_periods(payload: dict[str, Any]) -> None:
    schedule = payload["csChargingProfiles"]["chargingSchedule"]
    (period,) = schedule["chargingSchedulePeriod"]
    schedule["chargingSchedulePeriod"] = [period | {"startPeriod": 60 * n} for n in range(24)]


def _on_connector_zero(payload: dict[str, Any]) -> None:
    if payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile":
        payload["connectorId"] = 0


def _new_ids() -> Sequence[Patch]:
    ids = itertools.count(1)

    def new(payload: dict[str, Any]) -> None:
        payload["csChargingProfiles"]["chargingProfileId"] = next(ids)

    return _changed_profile(new)()


def _nulls() -> Sequence[Patch]:
    def write(message_id: str, action: str, payload: Mapping[str, Any]) -> str:
        return json.dumps([2, message_id, action, {**payload, "note": None}])

    return [Patch(framing, "write_call", write)]


def _no_ladder() -> Sequence[Patch]:
    def first(unit: Any, *_: Any) -> list[Form]:
        return [Form(Purpose.SESSION, unit)]

    def default(unit: Any, *_: Any) -> list[Form]:
        return [Form(Purpose.DEFAULT, unit, periods=1)]

    return [
        Patch(capability, "_session_forms", first),
        Patch(capability, "_default_forms", default),
    ]


def _always_phases() -> Sequence[Patch]:
    return [*_no_ladder(), *_changed_profile(_with_phases)()]


def _clears_first() -> Sequence[Patch]:
    send = OcppLink.set_limit

    async def cleared(the_link: OcppLink, command: Any) -> Any:
        await the_link.clear_limits(command.connector.charger_id)
        return await send(the_link, command)

    return [Patch(OcppLink, "set_limit", cleared)]


def _waits_for_readings() -> Sequence[Patch]:
    told = WishList.of

    def measured(wishes: WishList, goals: Any, contacts: Any) -> Any:
        sessions = wishes._state.sessions()
        known = {s.session_id for s in sessions if s.measured_w is not None}
        return [w for w in told(wishes, goals, contacts) if w.session_id in {None, *known}]

    return [Patch(WishList, "of", measured)]


def _waits_long() -> Sequence[Patch]:
    """As it is when an idle charger has refused for a minute, but without another chance."""
    failed = Retries.failed

    def for_long(retries: Retries, key: Any, now: float) -> None:
        for _ in range(6):
            failed(retries, key, now)

    return [
        Patch(Retries, "failed", for_long),
        Patch(StationLoop, "_try_again", lambda *_: None),
    ]


def _starts_without_connector(connector_id: int, id_tag: str) -> dict[str, Any]:
    return {"idTag": id_tag}


WITHOUT: Mapping[str, Without] = {
    "begin_values_last": one(meter_values, "_context_rank", lambda _: 0),
    "kilo_units": _units_do_not_matter,
    "no_units": _units_must_be_there,
    "power_per_phase": one(meter_values._Chosen, "sum", meter_values._Chosen.total),
    "current_to_neutral": one(meter_values, "_phase", lambda sent: str(sent or "")),
    "one_current": one(meter_values, "_volt_amperes", _one_phase),
    "zero_phases": one(meter_values, "_volt_amperes", _three_times_the_largest),
    "register_dropouts": _register_as_it_comes,
    "signed_data": _signed_data_counts,
    "small_buffer": _changed_profile(_many_periods),
    "reboots_when_asked_to_boot": _asks_for_a_boot,
    "features_unsaid": _settings_must_be_answered,
    "one_key_at_a_time": _asks_all_keys_at_once,
    "settings_fail": _settings_must_be_answered,
    "settings_read_only": _settings_must_be_taken,
    "start_needs_connector": one(requests, "remote_start_transaction", _starts_without_connector),
    "needs_number": _changed_profile(_no_number),
    "relative_only": _no_ladder,
    "unit_in_own_words": one(csms.control.contacts, "rate_unit", _amperes),
    "unit_unknown": _settings_must_be_answered,
    "no_phases": _always_phases,
    "phases_always": _no_ladder,
    "tenths_only": _changed_profile(_finer),
    "few_slots": _new_ids,
    "no_connector_zero": _changed_profile(_on_connector_zero),
    "busy_only": _waits_long,
    "hangs_up_on_clear": _clears_first,
    "hangs_up_on_null": _nulls,
    "no_meter_values": _waits_for_readings,
}
"""By habit, how to take the reaction to it away."""
