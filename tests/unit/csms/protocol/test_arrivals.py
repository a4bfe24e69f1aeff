from __future__ import annotations

from csms.protocol.arrivals import ArrivalPolicy, OpenSockets, Rate, come_again_s

FEW = ArrivalPolicy(opening=5, slow_per_source=2)


def test_the_defaults_are_those_of_the_reference() -> None:
    policy = ArrivalPolicy()
    assert (policy.per_s, policy.burst, policy.opening) == (200.0, 400.0, 500)
    assert policy.slow_per_source == 20


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    rate = Rate(ArrivalPolicy(per_s=10.0, burst=20.0, kept_back=5.0), 0.0)
    assert [rate.take(0.0, charging=False) for _ in range(16)] == [True] * 15 + [False]
    assert not rate.take(0.05, charging=False)
    assert rate.take(0.1, charging=False)


def test_chargers_that_are_charging_have_a_part_of_their_own() -> None:
    rate = Rate(ArrivalPolicy(per_s=10.0, burst=20.0, kept_back=5.0), 0.0)
    while rate.take(0.0, charging=False):
        pass
    assert [rate.take(0.0, charging=True) for _ in range(6)] == [True] * 5 + [False]
    # The others wait until their part has grown again.
    assert not rate.take(0.5, charging=False)
    assert rate.take(0.6, charging=False)


def test_of_a_small_burst_no_more_than_half_is_kept_back() -> None:
    rate = Rate(ArrivalPolicy(per_s=1.0, burst=2.0), 0.0)
    assert [rate.take(0.0, charging=False) for _ in range(2)] == [True, False]


def test_those_sent_away_come_again_at_different_moments() -> None:
    moments = [come_again_s(f"/ocpp/CP{n}") for n in range(1_000)]
    assert (min(moments), max(moments)) == (30, 60)
    assert max(moments.count(m) for m in set(moments)) < 70
    assert come_again_s("/ocpp/CP1") == come_again_s("/ocpp/CP1")
    assert 30 <= come_again_s("\ud800") <= 60


def test_beyond_the_most_the_new_one_goes() -> None:
    sockets: OpenSockets[str] = OpenSockets(2)
    assert sockets.arrived("a", "x", 0.0) == []
    assert sockets.arrived("b", "x", 0.0) == []
    assert sockets.arrived("c", "x", 0.0) == ["c"]
    assert (sockets.count, sockets.opening) == (3, 2)
    sockets.gone("c")
    sockets.gone("a")
    assert sockets.arrived("d", "x", 0.0) == []
    assert (sockets.count, sockets.opening) == (2, 2)


def test_when_too_many_are_in_their_handshake_the_oldest_goes() -> None:
    sockets: OpenSockets[int] = OpenSockets(100, FEW)
    for number in range(5):
        assert sockets.arrived(number, f"source {number}", 0.0) == []
    sockets.opened(0)
    assert sockets.arrived(5, "source 5", 0.0) == []
    assert sockets.arrived(6, "source 6", 0.0) == [1]
    assert sockets.opening == 5
    sockets.opened(1)
    sockets.gone(1)
    assert sockets.opening == 5


def test_a_hundred_chargers_behind_one_router_may_dial_at_once() -> None:
    sockets: OpenSockets[int] = OpenSockets(1_000)
    assert [sockets.arrived(n, "router", 0.0) for n in range(100)] == [[]] * 100


def test_of_one_source_only_a_few_may_be_slow() -> None:
    sockets: OpenSockets[str] = OpenSockets(100, FEW)
    for name in ("a", "b", "c"):
        sockets.arrived(name, "slow", 0.0)
    sockets.arrived("other", "elsewhere", 0.0)
    assert sockets.arrived("d", "slow", 1.0) == []
    sockets.opened("d")
    assert sockets.arrived("e", "slow", 1.1) == ["a"]
    assert sockets.opening == 4


def test_nothing_is_left_of_those_that_are_gone() -> None:
    sockets: OpenSockets[str] = OpenSockets(100, FEW)
    sockets.arrived("a", "x", 0.0)
    sockets.gone("a")
    assert (sockets.count, sockets.opening) == (0, 0)
    assert sockets._sources == {}  # noqa: SLF001 - that it does not grow is the point
