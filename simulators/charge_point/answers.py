"""How a charge point answers what csms asks (pure but for the moment it asks for).

Requests come as OCPP writes them, in camelCase; answers are the fields of the .conf messages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulators.charge_point.behaviour import Behaviour, Connector, NotPossibleError
from simulators.charge_point.errands import Errands
from simulators.charge_point.messages import BootDue, HeartbeatDue, Message
from simulators.charge_point.profiles import DEFAULT_VOLTAGE_V, RateUnit
from simulators.charge_point.reservations import Kept
from simulators.moment import Moment, timestamp

LONGEST_SCHEDULE_S = 7 * 86_400


class Answers:
    """One method per request. `changed` is called after whatever may have changed something.

    `send` takes messages to csms that only the wire's owner can make; `reset` is told of Reset.
    `errands` is what has nothing to do with charging.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        moment: Callable[[], Moment],
        changed: Callable[[], None],
        send: Callable[[Message], None],
        reset: Callable[[bool], None],
    ) -> None:
        self._behaviour = behaviour
        self._moment = moment
        self._changed = changed
        self._send = send
        self._reset = reset
        self.errands = Errands(moment=moment, send=send)

    def remote_start(self, connector_id: int | None, id_tag: str) -> str:
        """RemoteStartTransaction (OCPP 1.6 §5.11)."""
        accepted = self._behaviour.remote_start(connector_id, id_tag, self._moment())
        self._changed()
        return "Accepted" if accepted else "Rejected"

    def remote_stop(self, transaction_id: int) -> str:
        """RemoteStopTransaction (§5.12)."""
        accepted = self._behaviour.remote_stop(transaction_id, self._moment())
        self._changed()
        return "Accepted" if accepted else "Rejected"

    def change_availability(self, connector_id: int, kind: str) -> str:
        """ChangeAvailability (§5.2)."""
        status = self._behaviour.change_availability(
            connector_id, self._moment(), operative=kind == "Operative"
        )
        self._changed()
        return status

    def clear_cache(self) -> str:
        """ClearCache (§5.4); rejected where there is none."""
        if not self._behaviour.configuration.flag("AuthorizationCacheEnabled"):
            return "Rejected"
        self._behaviour.cache.clear()
        return "Accepted"

    def unlock(self, connector_id: int) -> str:
        """UnlockConnector (§5.18)."""
        status = self._behaviour.unlock(connector_id, self._moment())
        self._changed()
        return status

    def set_profile(self, connector_id: int, profile: Mapping[str, Any]) -> str:
        """SetChargingProfile (§5.16): a status, or the code of a CALLERROR."""
        status = self._behaviour.set_profile(connector_id, profile, self._moment())
        self._changed()
        return status

    def clear_profiles(
        self,
        profile_id: int | None,
        connector_id: int | None,
        purpose: str | None,
        stack_level: int | None,
    ) -> str:
        """ClearChargingProfile (§5.5)."""
        status = self._behaviour.clear_profiles(
            self._moment(),
            profile_id=profile_id,
            connector_id=connector_id,
            purpose=purpose,
            stack_level=stack_level,
        )
        self._changed()
        return status

    def composite_schedule(
        self, connector_id: int, duration_s: int, unit: str | None
    ) -> dict[str, Any] | None:
        """GetCompositeSchedule (§5.7): a chargingSchedule, or None to reject."""
        if self._behaviour.quirks.no_composite:
            return None
        now = math.floor(self._moment().utc_s)
        try:
            connector = self._behaviour.connector(connector_id) if connector_id else None
        except NotPossibleError:
            return None
        duration_s = min(duration_s, LONGEST_SCHEDULE_S)
        rate_unit = RateUnit.WATTS if unit is None else RateUnit(unit)
        return {
            "duration": duration_s,
            "startSchedule": timestamp(now),
            "chargingRateUnit": rate_unit.value,
            "chargingSchedulePeriod": self._periods(connector, now, duration_s, rate_unit),
        }

    def _periods(
        self, connector: Connector | None, now: float, duration_s: int, unit: RateUnit
    ) -> list[dict[str, Any]]:
        hardware = self._behaviour.hardware
        number, transaction = 0, None
        phases, voltage_v, most_w = 3, DEFAULT_VOLTAGE_V, hardware.max_w
        if connector is not None:
            number = connector.hardware.connector_id
            phases, voltage_v = connector.hardware.phases, connector.hardware.voltage_v
            most_w = min(most_w, connector.hardware.max_w)
            running = connector.transaction
            transaction = None if running is None else running.as_running()
        schedule = self._behaviour.profiles.composite_schedule(
            number, now, duration_s, transaction, phases=phases, voltage_v=voltage_v
        )
        watts_per_unit = 1.0 if unit is RateUnit.WATTS else phases * voltage_v
        return [
            {"startPeriod": start_s, "limit": round(min(limit_w, most_w) / watts_per_unit, 1)}
            for start_s, limit_w in schedule
        ]

    def configuration(self, keys: Sequence[str]) -> dict[str, Any]:
        """GetConfiguration (§5.8)."""
        known, unknown = self._behaviour.configuration.get(keys)
        return {
            "configurationKey": [
                {"key": item.key, "readonly": item.readonly, "value": item.value} for item in known
            ],
            "unknownKey": unknown,
        }

    def change_configuration(self, key: str, value: str) -> str:
        """ChangeConfiguration (§5.3)."""
        status = self._behaviour.configuration.change(key, value)
        self._changed()
        return status.value

    def trigger(self, message: str, connector_id: int | None) -> str:
        """TriggerMessage (§5.17)."""
        numbers = {c.hardware.connector_id for c in self._behaviour.connectors()}
        if connector_id is not None and connector_id not in numbers | {0}:
            return "Rejected"
        if message == "StatusNotification":
            self._behaviour.trigger_status(connector_id, self._moment())
        elif message == "MeterValues":
            self._behaviour.trigger_samples(connector_id, self._moment())
        elif message == "Heartbeat":
            self._send(HeartbeatDue())
        elif message == "BootNotification":
            self._send(BootDue())
        else:
            return self.errands.trigger(message) or "NotImplemented"
        self._changed()
        return "Accepted"

    def local_list_version(self) -> int:
        """GetLocalListVersion (§5.10)."""
        return self._behaviour.local_list.version

    def send_local_list(self, version: int, kind: str, sent: Sequence[Mapping[str, Any]]) -> str:
        """SendLocalList (§5.15)."""
        return self._behaviour.local_list.update(version, kind, sent)

    def reserve(self, kept: Kept) -> str:
        """ReserveNow (§5.13)."""
        status = self._behaviour.reserve(kept, self._moment())
        self._changed()
        return status

    def cancel_reservation(self, reservation_id: int) -> str:
        """CancelReservation (§5.2)."""
        status = self._behaviour.cancel_reservation(reservation_id, self._moment())
        self._changed()
        return status

    def reset(self, kind: str) -> str:
        """Reset (§5.14): accepted, and done once the answer is on its way."""
        self._reset(kind == "Hard")
        return "Accepted"
