from __future__ import annotations

import pytest

from simulators.charge_point.habits.catalogue import HABITS
from simulators.charge_point.habits.habit import Reaction
from tests.unit.simulators.charge_point.habits.speaking import asked, heard, said

BEAT = [2, "i", "Heartbeat", {}]
TX = {"csChargingProfiles": {"chargingProfilePurpose": "TxProfile"}}
DEFAULT = {"csChargingProfiles": {"chargingProfilePurpose": "TxDefaultProfile"}}


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("binary_frames", "[3]", b"[3]"),
        ("byte_order_mark", "[3]", "\ufeff[3]"),
        ("cut_answers", '[3,"i",{}]', '[3,"i",{'),
        ("cut_answers", '[2,"i","X",{}]', '[2,"i","X",{}]'),
        ("comma_first", '"sampledValue": [{}]', '"sampledValue": [,{}]'),
        ("no_value", '"transactionId": 12}', '"transactionId": }'),
        ("not_a_number", '"sampledValue": [{}]', '"sampledValue": [{"value": nan}, {}]'),
        ("control_characters", '"Simulated"', '"Simu\x10\x0elated"'),
    ],
)
def test_how_text_is_written(name: str, text: str, written: str | bytes) -> None:
    writes = HABITS[name].writes
    assert writes is not None
    assert writes(text) == written


def test_what_is_said_in_place_of_a_frame() -> None:
    assert said("empty_frames", BEAT) == ["", BEAT]
    assert said("null_payloads", BEAT) == [[2, "i", "Heartbeat", None]]
    assert said("no_payloads", BEAT) == [[2, "i", "Heartbeat"]]
    asks = [2, "i", "Authorize", {"idTag": "T"}]
    assert said("null_payloads", asks) == said("no_payloads", asks) == [asks]
    assert said("repeats_calls", BEAT) == [BEAT] * 3
    assert said("repeats_calls", [3, "i", {}], "Reset") == [[3, "i", {}]]
    assert said("reports_beyond_repair", BEAT) == [BEAT]
    report = [2, "i", "MeterValues", {}]
    broken, sound = said("reports_beyond_repair", report)
    assert (broken, sound) == ('[2,"own-broken-i","MeterValues",{"connectorId" 1}]', report)


def test_only_the_first_of_several_answers_is_taken() -> None:
    memory: dict[str, object] = {}
    answer = [3, "i", {}]
    reactions = [heard("repeats_calls", answer, "Heartbeat", memory=memory) for _ in range(2)]
    assert reactions == [None, Reaction()]
    assert asked("repeats_calls", "Reset", {}) is None


def test_it_asks_before_it_answers() -> None:
    memory: dict[str, object] = {}
    call = [2, "i", "Reset", {}]
    first = heard("asks_before_it_answers", call, memory=memory)
    assert first == Reaction([[2, "own-i", "Heartbeat", {}]])
    then = heard("asks_before_it_answers", [3, "own-i", {}], "Heartbeat", memory=memory)
    assert then == Reaction(takes=call)
    assert heard("asks_before_it_answers", [3, "x", {}], "Heartbeat", memory=memory) is None


def test_errors_of_odd_lengths() -> None:
    memory: dict[str, object] = {}
    assert asked("short_errors", "SetChargingProfile", DEFAULT, memory=memory) is None
    short = asked("short_errors", "SetChargingProfile", TX, memory=memory)
    assert short == Reaction([[4, "i", "Nope"]])
    assert asked("short_errors", "SetChargingProfile", TX, memory=memory) is None
    long = asked("long_errors", "SetChargingProfile", TX)
    assert long == Reaction([[4, "i", "FormatViolation", None, ["why"], "more"]])


def test_what_is_not_supported_is_an_error() -> None:
    refusal = [3, "i", {"status": "NotSupported"}]
    assert said("unsupported_as_error", refusal, "Reset") == [[4, "i", "NotSupported", "", {}]]
    accepted = [3, "i", {"status": "Accepted"}]
    assert said("unsupported_as_error", accepted, "Reset") == [accepted]
