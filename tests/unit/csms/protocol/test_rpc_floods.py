"""Whatever comes, in whatever order: nothing raises, nothing grows, every call is settled once."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from csms.protocol.rpc import (
    CallReceived,
    Disconnected,
    Event,
    LateReply,
    Send,
    Settled,
    TimedOut,
)
from tests.unit.csms.protocol.peers import peer

FRAGMENTS: st.SearchStrategy[Any] = st.sampled_from(
    [2, 3, 4, 5, "m1", "m2", "id", "Heartbeat", "BootNotification", {}, {"status": "x"}, None, []]
)


@given(st.lists(st.binary() | st.text() | st.lists(FRAGMENTS, max_size=6).map(json.dumps)))
def test_nothing_received_raises(frames: list[str | bytes]) -> None:
    ours = peer()
    ours.call("X", {}, 0.0)
    for at, frame in enumerate(frames):
        ours.receive(frame, float(at))


def held_bytes(value: object, seen: set[int]) -> int:
    """What an object keeps alive, roughly: containers, slots and texts."""
    if id(value) in seen or isinstance(value, (type, type(held_bytes))):
        return 0
    seen.add(id(value))
    parts: list[object] = []
    if isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    parts += [getattr(value, name) for name in getattr(type(value), "__slots__", ())]
    parts += list(getattr(value, "__dict__", {}).values())
    return sys.getsizeof(value) + sum(held_bytes(part, seen) for part in parts)


@pytest.mark.parametrize(
    "flood",
    [
        lambda i: f'[3,"{i}",{{"k":"{"x" * 1000}"}}]',
        lambda i: f'[4,"{i}","Code","{"x" * 1000}",{{}}]',
        lambda i: f'[2,"{i}","{"a" * 1000}",{{}}]',
        lambda i: f'[2,"{i}","X",{{"k":',
        lambda i: "x" * (1000 + i % 7),
        lambda _: '[2,"s","StartTransaction",{"connectorId":1}]',
    ],
)
def test_a_flood_does_not_grow_the_peer(flood: Any) -> None:
    ours = peer()
    for i in range(5000):
        for event in ours.receive(flood(i), i / 1000):
            if isinstance(event, CallReceived):
                ours.reply(event, {"status": "Accepted"}, i / 1000)
    assert held_bytes(ours, set()) < 60_000


class Conversation(RuleBasedStateMachine):
    """Any order of things: at most one call on the wire, and every call ends exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ours = peer(max_queued=3, max_inward=3, max_late=2, late_s=20.0)
        self.asked = 0
        self.wire: list[str] = []
        self.ended: Counter[object] = Counter()
        self.in_work: list[CallReceived] = []

    def take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Send(text):
                    kind, message_id = json.loads(text)[:2]
                    if kind == 2:
                        self.wire.append(message_id)
                case Settled(handle, _, reply):
                    self.ended[handle] += 1
                    if reply in (TimedOut(), Disconnected()):
                        self.wire.clear()
                case LateReply(handle):
                    assert self.ended[handle] == 1
                case CallReceived():
                    self.in_work.append(event)

    @rule(priority=st.integers(1, 3), timeout_s=st.sampled_from([1.0, 5.0]))
    def ask(self, priority: int, timeout_s: float) -> None:
        self.asked += 1
        self.take(
            self.ours.call(
                "X", {}, self.now, priority=priority, timeout_s=timeout_s, handle=self.asked
            )
        )

    @rule()
    def answer(self) -> None:
        if self.wire:
            message_id = self.wire.pop()
            self.take(self.ours.receive(f'[3,"{message_id}",{{}}]', self.now))

    @rule(number=st.integers(1, 20))
    def answer_anything(self, number: int) -> None:
        if f"m{number}" in self.wire:
            self.wire.remove(f"m{number}")
        self.take(self.ours.receive(f'[3,"m{number}",{{}}]', self.now))

    @rule(number=st.integers(1, 5))
    def request(self, number: int) -> None:
        self.take(self.ours.receive(f'[2,"{number}","StatusNotification",{{}}]', self.now))

    @rule()
    def serve(self) -> None:
        if self.in_work:
            self.take(self.ours.reply(self.in_work.pop(0), {}, self.now))

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.ours.tick(self.now))

    @rule()
    def toggle(self) -> None:
        self.ours.hold()
        self.ours.release(self.now + 1.0)

    @invariant()
    def one_on_the_wire(self) -> None:
        assert len(self.wire) <= 1

    @invariant()
    def none_ends_twice(self) -> None:
        assert all(count == 1 for count in self.ended.values())

    @invariant()
    def work_is_bounded(self) -> None:
        assert len(self.in_work) <= 3

    def teardown(self) -> None:
        self.take(self.ours.close())
        assert self.ended == Counter(range(1, self.asked + 1))


Conversation.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestConversation = Conversation.TestCase
