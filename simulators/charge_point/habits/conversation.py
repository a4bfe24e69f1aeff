"""When charge points say what: order, repetition, boots, starts and stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulators.charge_point.habits.habit import (
    CALL,
    OWN,
    Frame,
    Habit,
    Message,
    Reaction,
    Says,
    hanging_up,
    saying,
)

UNKNOWN_ID = 2_000_000_000


def _deaf_before_boot(message: Message) -> Reaction | None:
    if message.answers("BootNotification"):
        message.memory["booted"] = True
    return Reaction() if message.kind == CALL and "booted" not in message.memory else None


def _data_transfers(message: Message) -> Sequence[Frame | str]:
    """A message of its maker's, with an object for data, before each of its own."""
    if message.kind != CALL:
        return [message.frame]
    spam = {"vendorId": "maker", "messageId": "beat", "data": {"n": [1, None]}}
    return [[CALL, f"{OWN}{message.message_id}", "DataTransfer", spam], message.frame]


def _wants_data_transfer_status(message: Message) -> bool:
    own = str(message.message_id).startswith(OWN) and message.kind != CALL
    return own and message.payload.get("status") != "UnknownVendorId"


def _main_part_available(message: Message) -> Sequence[Frame | str]:
    """After each status of a connector, connector 0 is available."""
    if not message.calls("StatusNotification") or message.payload["connectorId"] == 0:
        return [message.frame]
    status = message.payload | {"connectorId": 0, "status": "Available"}
    return [message.frame, [CALL, f"{OWN}main-{message.message_id}", "StatusNotification", status]]


def _again(action: str) -> Says:
    """Say this twice, the second time under an id of its own."""

    def says(message: Message) -> Sequence[Frame | str]:
        if not message.calls(action):
            return [message.frame]
        return [message.frame, [CALL, f"{OWN}{message.message_id}", action, message.payload]]

    return says


def _another_number(message: Message) -> bool:
    """Whether a StartTransaction that was repeated got another number."""
    if not message.answers("StartTransaction"):
        return False
    number = message.payload["transactionId"]
    if str(message.message_id).startswith(OWN):
        return bool(message.memory["number"] != number)
    message.memory["number"] = number
    return False


def _stop_with(**changed: Any) -> Says:
    return saying(lambda payload: payload | changed, "StopTransaction")


def _unknown_stop_first(message: Message) -> Sequence[Frame | str]:
    """It also ends a transaction that nobody knows, and will not go on without an answer."""
    if not message.calls("StopTransaction"):
        return [message.frame]
    unknown = message.payload | {"transactionId": UNKNOWN_ID}
    return [[CALL, f"{OWN}unknown-{message.message_id}", "StopTransaction", unknown], message.frame]


def _late_values(message: Message) -> Sequence[Frame | str]:
    """After a StopTransaction, readings of the transaction that is over."""
    if not message.calls("StopTransaction"):
        return [message.frame]
    payload = message.payload
    samples = [
        {"value": "9000000", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "7000", "measurand": "Power.Active.Import", "unit": "W"},
    ]
    values = {
        "connectorId": 1,
        "transactionId": payload["transactionId"],
        "meterValue": [{"timestamp": payload["timestamp"], "sampledValue": samples}],
    }
    return [message.frame, [CALL, f"{OWN}late-{message.message_id}", "MeterValues", values]]


def _gone_once(message: Message) -> bool:
    """Whether this is the answer to its first StopTransaction."""
    if not message.answers("StopTransaction") or "gone" in message.memory:
        return False
    message.memory["gone"] = True
    return True


HABITS: Mapping[str, Habit] = {
    "deaf_before_boot": Habit(
        "B17", "loses what it is asked before its boot is answered", hears=_deaf_before_boot
    ),
    "data_transfers": Habit(
        "C13",
        "sends its maker's messages all the time",
        says=_data_transfers,
        hears=hanging_up(_wants_data_transfer_status),
    ),
    "main_part_available": Habit(
        "D5", "calls connector 0 available all the time", says=_main_part_available
    ),
    "stops_with_zero": Habit("E1", "stops transaction 0", says=_stop_with(transactionId=0)),
    "stops_with_minus_one": Habit("E1", "stops transaction -1", says=_stop_with(transactionId=-1)),
    "stops_unknown": Habit(
        "E3",
        "stops a transaction nobody knows",
        says=_unknown_stop_first,
    ),
    "starts_twice": Habit(
        "E4",
        "repeats starts under another id",
        says=_again("StartTransaction"),
        hears=hanging_up(_another_number),
    ),
    "stops_twice": Habit(
        "E5",
        "repeats stops under another id",
        says=_again("StopTransaction"),
    ),
    "late_values": Habit("E13", "sends readings after the stop", says=_late_values),
    "gone_before_answer": Habit(
        "E19",
        "loses its link in the answer to a stop",
        hears=hanging_up(_gone_once),
    ),
}
