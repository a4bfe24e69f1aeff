"""What a simulated charger says, as OCPP-J 1.6 frames. No library in between: it has to be fast."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from simulators.charge_point.hardware import Hardware
from simulators.charge_point.messages import (
    BootDue,
    HeartbeatDue,
    Message,
    MeterSampled,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.meter import sampled_values
from simulators.moment import timestamp

CALL, RESULT, ERROR = 2, 3, 4
ACTIONS: Mapping[type[Message], str] = {
    BootDue: "BootNotification",
    HeartbeatDue: "Heartbeat",
    TokenPresented: "Authorize",
    StatusChanged: "StatusNotification",
    TransactionBegun: "StartTransaction",
    TransactionOver: "StopTransaction",
    MeterSampled: "MeterValues",
}
LIES = ("stuck", "zero", "doubled", "not a number")
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def frame(*elements: Any) -> str:
    """One frame."""
    return _ENCODE(list(elements))


def request(
    message: Message, hardware: Hardware, measurands: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Action and payload of a message."""
    payload: dict[str, Any] = {}
    match message:
        case BootDue():
            payload = {
                "chargePointModel": hardware.model,
                "chargePointVendor": hardware.vendor,
                "chargePointSerialNumber": hardware.charger_id,
                "firmwareVersion": "1.0",
            }
        case HeartbeatDue():
            pass
        case TokenPresented(id_tag=id_tag):
            payload = {"idTag": id_tag}
        case StatusChanged():
            payload = {
                "connectorId": message.connector_id,
                "errorCode": "NoError",
                "status": message.status.value,
                "timestamp": timestamp(message.at),
            }
        case TransactionBegun(transaction=begun):
            payload = {
                "connectorId": begun.connector_id,
                "idTag": begun.id_tag,
                "meterStart": begun.meter_start_wh,
                "timestamp": timestamp(begun.started_at),
            }
        case TransactionOver(transaction=over):
            payload = _stop(over)
        case MeterSampled():
            payload = _meter(message, measurands)
    return ACTIONS[type(message)], payload


def _stop(over: Transaction) -> dict[str, Any]:
    return {
        "meterStop": over.meter_stop_wh,
        "timestamp": timestamp(over.stopped_at or over.started_at),
        "transactionId": over.wire_id,
        "reason": over.reason,
    }


def _meter(message: MeterSampled, measurands: Sequence[str]) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "connectorId": message.connector_id,
        "meterValue": [
            {
                "timestamp": timestamp(message.at),
                "sampledValue": sampled_values(message.reading, measurands, message.context),
            }
        ],
    }
    if message.transaction is not None:
        payload["transactionId"] = message.transaction.wire_id
    return payload


class Liar:
    """A meter that lies for a while. `lie` None: it tells the truth."""

    def __init__(self, random: Random) -> None:
        self.lie: str | None = None
        self._random = random
        self._last: dict[tuple[int, str], str] = {}

    def begin(self) -> str:
        """Choose a lie."""
        self.lie = self._random.choice(LIES)
        return self.lie

    def bend(self, payload: dict[str, Any]) -> None:
        """Falsify what a MeterValues says, and remember what it would have said."""
        connector_id = payload["connectorId"]
        for sample in payload["meterValue"][0]["sampledValue"]:
            slot = (connector_id, sample["measurand"] + sample.get("phase", ""))
            truth = sample["value"]
            if self.lie == "stuck":
                sample["value"] = self._last.get(slot, truth)
            elif self.lie == "zero":
                sample["value"] = "0"
            elif self.lie == "doubled":
                sample["value"] = str(2 * float(truth))
            elif self.lie == "not a number":
                sample["value"] = "NaN"
            else:
                self._last[slot] = truth
