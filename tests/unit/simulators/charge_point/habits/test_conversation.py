from __future__ import annotations

from typing import Any

import pytest

from simulators.charge_point.habits.habit import HangUpError, Reaction
from tests.unit.simulators.charge_point.habits.speaking import heard, payload, said

STOP = {"transactionId": 7, "timestamp": "T", "meterStop": 5}


def test_it_is_deaf_before_it_has_booted() -> None:
    memory: dict[str, Any] = {}
    call = [2, "i", "Reset", {}]
    assert heard("deaf_before_boot", call, memory=memory) == Reaction()
    assert heard("deaf_before_boot", [3, "b", {}], "BootNotification", memory=memory) is None
    assert heard("deaf_before_boot", call, memory=memory) is None


def test_messages_of_its_maker() -> None:
    frame = [2, "i", "Heartbeat", {}]
    own, sent = said("data_transfers", frame)
    assert (own[:3], own[3]["data"], sent) == (
        [2, "own-i", "DataTransfer"],
        {"n": [1, None]},
        frame,
    )
    assert said("data_transfers", [3, "i", {}], "Reset") == [[3, "i", {}]]
    fine = [3, "own-i", {"status": "UnknownVendorId"}]
    assert heard("data_transfers", fine, "DataTransfer") is None
    with pytest.raises(HangUpError):
        heard("data_transfers", [3, "own-i", {}], "DataTransfer")


def test_connector_zero_is_always_available() -> None:
    frame = [2, "i", "StatusNotification", {"connectorId": 1, "status": "Charging"}]
    own, main = said("main_part_available", frame)
    assert own == frame
    assert main[3] == {"connectorId": 0, "status": "Available"}
    zero = [2, "i", "StatusNotification", {"connectorId": 0, "status": "Available"}]
    assert said("main_part_available", zero) == [zero]


@pytest.mark.parametrize(("name", "number"), [("stops_with_zero", 0), ("stops_with_minus_one", -1)])
def test_stops_of_no_transaction(name: str, number: int) -> None:
    assert payload(name, "StopTransaction", STOP) == STOP | {"transactionId": number}


@pytest.mark.parametrize(
    ("name", "action"), [("starts_twice", "StartTransaction"), ("stops_twice", "StopTransaction")]
)
def test_some_messages_go_twice(name: str, action: str) -> None:
    assert said(name, [2, "i", action, STOP]) == [
        [2, "i", action, STOP],
        [2, "own-i", action, STOP],
    ]
    assert said(name, [2, "i", "Heartbeat", {}]) == [[2, "i", "Heartbeat", {}]]


def test_a_start_that_was_repeated_must_get_the_same_number() -> None:
    memory: dict[str, Any] = {}

    def answered(message_id: str, number: int) -> object:
        frame = [3, message_id, {"transactionId": number}]
        return heard("starts_twice", frame, "StartTransaction", memory=memory)

    assert answered("i", 7) is None
    assert answered("own-i", 7) is None
    assert heard("starts_twice", [3, "h", {}], "Heartbeat", memory=memory) is None
    with pytest.raises(HangUpError):
        answered("own-i", 8)


def test_stops_and_readings_nobody_expects() -> None:
    frame = [2, "i", "StopTransaction", STOP]
    unknown, own = said("stops_unknown", frame)
    assert (unknown[3]["transactionId"], own) == (2_000_000_000, frame)
    own, late = said("late_values", frame)
    assert (own, late[2], late[3]["transactionId"]) == (frame, "MeterValues", 7)
    beat = [2, "i", "Heartbeat", {}]
    assert said("stops_unknown", beat) == said("late_values", beat) == [beat]


def test_the_first_answer_to_a_stop_finds_it_gone() -> None:
    memory: dict[str, Any] = {}
    with pytest.raises(HangUpError):
        heard("gone_before_answer", [3, "i", {}], "StopTransaction", memory=memory)
    assert heard("gone_before_answer", [3, "j", {}], "StopTransaction", memory=memory) is None
