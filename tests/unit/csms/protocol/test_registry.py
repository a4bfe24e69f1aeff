from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from csms.protocol.registry import Registry
from csms.station.facts import ChargerConnected, ChargerDisconnected


class FixedClock:
    def now(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        return 5.0


class FakeConnection:
    """Leaves the registry when it is closed, as the real one does."""

    def __init__(self, registry: Registry[FakeConnection], charger_id: str = "CP1") -> None:
        self.charger_id = charger_id
        self.registry = registry
        self.closed: list[tuple[int, str]] = []

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))
        self.registry.left(self)


def made() -> tuple[Registry[FakeConnection], list[ChargerConnected | ChargerDisconnected]]:
    facts: list[ChargerConnected | ChargerDisconnected] = []
    return Registry(facts.append, FixedClock()), facts


CONNECTED = ChargerConnected("CP1", 1000.0)
DISCONNECTED = ChargerDisconnected("CP1", 1000.0)


def test_a_connection_is_a_candidate_until_promoted() -> None:
    registry, facts = made()
    only = FakeConnection(registry)
    assert registry.arrived(only) is None
    assert registry.live("CP1") is None
    registry.promote(only, "it sent a request")
    assert registry.live("CP1") is only
    assert len(registry) == 1
    assert facts == [CONNECTED]


def test_promoting_twice_changes_nothing() -> None:
    registry, facts = made()
    only = FakeConnection(registry)
    registry.arrived(only)
    registry.promote(only, "")
    registry.promote(only, "")
    assert facts == [CONNECTED]
    assert only.closed == []


def test_a_stranger_cannot_be_promoted() -> None:
    registry, facts = made()
    registry.promote(FakeConnection(registry), "")
    assert registry.live("CP1") is None
    assert facts == []


def test_a_change_over_closes_the_old_and_ignores_its_end() -> None:
    registry, facts = made()
    old, new = FakeConnection(registry), FakeConnection(registry)
    registry.arrived(old)
    registry.promote(old, "")
    assert registry.arrived(new) is old
    assert registry.live("CP1") is old
    registry.promote(new, "")
    assert registry.live("CP1") is new
    assert old.closed == [(1008, "replaced by a newer connection")]
    registry.left(old)
    assert registry.live("CP1") is new
    assert facts == [CONNECTED, CONNECTED]


def test_the_end_of_the_live_connection_is_a_disconnection() -> None:
    registry, facts = made()
    only = FakeConnection(registry)
    registry.arrived(only)
    registry.promote(only, "")
    registry.left(only)
    registry.left(only)
    assert registry.live("CP1") is None
    assert facts == [CONNECTED, DISCONNECTED]


def test_the_end_of_a_candidate_is_nothing() -> None:
    registry, facts = made()
    only = FakeConnection(registry)
    registry.arrived(only)
    registry.left(only)
    registry.promote(only, "")
    assert facts == []


def test_a_candidate_takes_over_when_the_live_connection_ends() -> None:
    registry, facts = made()
    old, first, second = (FakeConnection(registry) for _ in range(3))
    registry.arrived(old)
    registry.promote(old, "")
    registry.arrived(first)
    registry.arrived(second)
    registry.left(old)
    assert registry.live("CP1") is second
    assert facts == [CONNECTED, CONNECTED]


def test_candidates_are_bounded() -> None:
    registry, _ = made()
    crowd = [FakeConnection(registry) for _ in range(5)]
    for connection in crowd:
        registry.arrived(connection)
    assert [len(c.closed) for c in crowd] == [1, 1, 0, 0, 0]


def test_chargers_do_not_disturb_each_other() -> None:
    registry, facts = made()
    one, two = FakeConnection(registry, "CP1"), FakeConnection(registry, "CP2")
    for connection in (one, two):
        registry.arrived(connection)
        registry.promote(connection, "")
    registry.left(two)
    assert registry.live("CP1") is one
    assert facts[-1] == ChargerDisconnected("CP2", 1000.0)


@given(st.lists(st.tuples(st.sampled_from(["arrive", "prove", "leave"]), st.integers(0, 5))))
def test_one_live_connection_at_most_and_facts_that_add_up(steps: list[tuple[str, int]]) -> None:
    registry, facts = made()
    pool = [FakeConnection(registry) for _ in range(6)]
    inside: set[int] = set()
    for step, number in steps:
        connection = pool[number]
        if step == "arrive" and number not in inside and not connection.closed:
            inside.add(number)
            registry.arrived(connection)
        elif step == "prove":
            registry.promote(connection, "")
        elif step == "leave":
            inside.discard(number)
            registry.left(connection)
        live = registry.live("CP1")
        assert live is None or (pool.index(live) in inside and not live.closed)
        assert (live is None) == (not facts or facts[-1] == DISCONNECTED)
    pairs = pairwise(facts)
    assert (DISCONNECTED, DISCONNECTED) not in pairs
