"""The one table of OCPP 1.6 actions: every action of the standard and of its security extension.

To serve one more inbound action, write its handler and name it here; to send one more outbound
action, write its builder in `requests` and name the action in `requests.SENT`. The table of
coverage in the README is generated from `coverage`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ocpp.v16.enums import Action

from csms.errors import ProtocolError
from csms.ports import Recorder
from csms.protocol.ocpp16 import core, fields, firmware, requests, security

Handler = Callable[[Recorder, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Direction(StrEnum):
    """Who initiates an action."""

    INBOUND = "charge point to central system"
    OUTBOUND = "central system to charge point"


class FeatureProfile(StrEnum):
    """The feature profiles of OCPP 1.6 §3.3, and the security extension of the white paper."""

    CORE = "Core"
    FIRMWARE = "FirmwareManagement"
    LOCAL_LIST = "LocalAuthListManagement"
    RESERVATION = "Reservation"
    SMART_CHARGING = "SmartCharging"
    REMOTE_TRIGGER = "RemoteTrigger"
    SECURITY = "Security"


@dataclass(frozen=True, slots=True)
class Route:
    """One action in one direction.

    An inbound route without a handler is known but not served. `note` says what is special.
    """

    action: str
    direction: Direction
    profile: FeatureProfile
    handler: Handler | None = None
    note: str = ""

    @property
    def served(self) -> bool:
        """Whether csms answers this action (inbound) or can send it (outbound)."""
        if self.direction is Direction.OUTBOUND:
            return self.action in requests.SENT
        return self.handler is not None


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One line of the table of coverage."""

    profile: str
    action: str
    direction: str
    served: bool
    note: str = ""


def _inbound(profile: FeatureProfile, action: Action, handler: Handler, *, note: str = "") -> Route:
    return Route(str(action.value), Direction.INBOUND, profile, handler, note)


def _outbound(profile: FeatureProfile, *actions: Action) -> tuple[Route, ...]:
    return tuple(Route(str(a.value), Direction.OUTBOUND, profile) for a in actions)


ROUTES: tuple[Route, ...] = (
    _inbound(FeatureProfile.CORE, Action.authorize, core.authorize),
    _inbound(FeatureProfile.CORE, Action.boot_notification, core.boot_notification),
    _inbound(FeatureProfile.CORE, Action.data_transfer, core.data_transfer),
    _inbound(FeatureProfile.CORE, Action.heartbeat, core.heartbeat),
    _inbound(FeatureProfile.CORE, Action.meter_values, core.meter_values),
    _inbound(FeatureProfile.CORE, Action.start_transaction, core.start_transaction),
    _inbound(FeatureProfile.CORE, Action.status_notification, core.status_notification),
    _inbound(FeatureProfile.CORE, Action.stop_transaction, core.stop_transaction),
    *_outbound(
        FeatureProfile.CORE,
        Action.change_availability,
        Action.change_configuration,
        Action.clear_cache,
        Action.data_transfer,
        Action.get_configuration,
        Action.remote_start_transaction,
        Action.remote_stop_transaction,
        Action.reset,
        Action.unlock_connector,
    ),
    _inbound(
        FeatureProfile.FIRMWARE,
        Action.diagnostics_status_notification,
        firmware.diagnostics_status_notification,
    ),
    _inbound(
        FeatureProfile.FIRMWARE,
        Action.firmware_status_notification,
        firmware.firmware_status_notification,
    ),
    *_outbound(FeatureProfile.FIRMWARE, Action.get_diagnostics, Action.update_firmware),
    *_outbound(FeatureProfile.LOCAL_LIST, Action.get_local_list_version, Action.send_local_list),
    *_outbound(FeatureProfile.RESERVATION, Action.cancel_reservation, Action.reserve_now),
    *_outbound(
        FeatureProfile.SMART_CHARGING,
        Action.clear_charging_profile,
        Action.get_composite_schedule,
        Action.set_charging_profile,
    ),
    *_outbound(FeatureProfile.REMOTE_TRIGGER, Action.trigger_message),
    _inbound(
        FeatureProfile.SECURITY, Action.log_status_notification, security.log_status_notification
    ),
    _inbound(
        FeatureProfile.SECURITY,
        Action.security_event_notification,
        security.security_event_notification,
    ),
    _inbound(
        FeatureProfile.SECURITY,
        Action.sign_certificate,
        security.sign_certificate,
        note="signed when csms has the CA's key",
    ),
    _inbound(
        FeatureProfile.SECURITY,
        Action.signed_firmware_status_notification,
        security.signed_firmware_status_notification,
    ),
    *_outbound(
        FeatureProfile.SECURITY,
        Action.certificate_signed,
        Action.delete_certificate,
        Action.extended_trigger_message,
        Action.get_installed_certificate_ids,
        Action.get_log,
        Action.install_certificate,
        Action.signed_update_firmware,
    ),
)

_KNOWN = frozenset(route.action for route in ROUTES)
_HANDLERS: Mapping[str, Handler] = {r.action: r.handler for r in ROUTES if r.handler is not None}


async def serve(recorder: Recorder, charger_id: str, action: str, payload: Any) -> dict[str, Any]:
    """The payload of the answer to one CALL of a charger.

    `payload` is any JSON value; what is not an object counts as an empty one. Raises ProtocolError
    NotImplemented for an action nobody defined and NotSupported for one that is defined but not
    served (OCPP-J 1.6 §4.2.3, table 7).
    """
    handler = _HANDLERS.get(action)
    if handler is not None:
        return await handler(recorder, charger_id, fields.mapping(payload))
    shown = fields.text(action, 50)
    if action in _KNOWN:
        raise ProtocolError("NotSupported", f"{shown} is not served")
    raise ProtocolError("NotImplemented", f"{shown} is not an action of OCPP 1.6")


def coverage() -> list[CoverageRow]:
    """Every action with direction and profile and whether it is served, in the table's order."""
    return [
        CoverageRow(
            route.profile.value, route.action, route.direction.value, route.served, route.note
        )
        for route in ROUTES
    ]
