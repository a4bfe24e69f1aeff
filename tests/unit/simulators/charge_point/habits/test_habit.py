from __future__ import annotations

import pytest

from simulators.charge_point.habits.habit import (
    HangUpError,
    Message,
    Reaction,
    everywhere,
    hanging_up,
    saying,
)

CALL = Message([2, "a", "Heartbeat", {"k": 1}], "Heartbeat")
ANSWER = Message([3, "a", {"k": 1}], "Heartbeat")
ERROR = Message([4, "a", "Code", "", {}], "Heartbeat")


def test_a_message_knows_what_it_is() -> None:
    assert [m.kind for m in (CALL, ANSWER, ERROR)] == [2, 3, 4]
    assert [m.payload for m in (CALL, ANSWER, ERROR)] == [{"k": 1}, {"k": 1}, {}]
    assert CALL.message_id == "a"
    assert (CALL.calls("Heartbeat"), CALL.answers("Heartbeat")) == (True, False)
    assert (ANSWER.calls("Heartbeat"), ANSWER.answers("Heartbeat")) == (False, True)
    assert not CALL.calls("Authorize", "MeterValues")


def test_a_message_can_be_said_otherwise_or_answered() -> None:
    assert CALL.saying(None) == [2, "a", "Heartbeat", None]
    assert ANSWER.saying({}) == [3, "a", {}]
    assert CALL.result(status="Rejected") == Reaction([[3, "a", {"status": "Rejected"}]])
    assert CALL.error("Nope") == Reaction([[4, "a", "Nope"]])


def test_payloads_are_changed_in_calls_and_answers_of_some_actions() -> None:
    says = saying(lambda payload: payload | {"more": True}, "Heartbeat")
    assert says(CALL) == [[2, "a", "Heartbeat", {"k": 1, "more": True}]]
    assert says(ANSWER) == [[3, "a", {"k": 1, "more": True}]]
    assert says(ERROR) == [ERROR.frame]
    other = Message([2, "a", "Authorize", {}], "Authorize")
    assert says(other) == [other.frame]


def test_every_scalar_can_be_changed() -> None:
    assert everywhere(str)({"a": [1, {"b": 2}], "c": "d"}) == {"a": ["1", {"b": "2"}], "c": "d"}


def test_hanging_up() -> None:
    hears = hanging_up(lambda message: message.kind == 2)
    assert hears(ANSWER) is None
    with pytest.raises(HangUpError):
        hears(CALL)
