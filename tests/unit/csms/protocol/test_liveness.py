from __future__ import annotations

import pytest

from csms.protocol.liveness import Liveness, LivenessSettings, Signs

SETTINGS = LivenessSettings(
    ping_interval_s=30.0, missed_pongs=3, idle_timeout_s=900.0, first_message_s=60.0
)


def signs(heard_at: float, *, pong_seen: bool = False, spoke: bool = True) -> Signs:
    return Signs(heard_at, pong_seen, spoke)


def test_pings_at_its_interval() -> None:
    liveness = Liveness(SETTINGS, 100.0)
    due = [at for at in range(100, 200, 5) if liveness.ping_due(float(at))]
    assert due == [130, 160, 190]


@pytest.mark.parametrize(
    ("now", "spoke", "reason"),
    [(59.9, False, None), (60.0, False, "no OCPP message"), (60.0, True, None)],
)
def test_a_socket_that_says_nothing_is_given_up(
    now: float, *, spoke: bool, reason: str | None
) -> None:
    assert Liveness(SETTINGS, 0.0).dead(signs(now, spoke=spoke), now) == reason


def test_a_socket_that_never_ponged_lives_until_nothing_came_for_long() -> None:
    liveness = Liveness(SETTINGS, 0.0)
    for at in range(30, 900, 30):
        assert liveness.dead(signs(0.0), float(at)) is None
        assert liveness.ping_due(float(at))
    assert liveness.dead(signs(0.0), 899.9) is None
    assert liveness.dead(signs(0.0), 900.0) == "nothing heard"


def test_a_socket_that_ponged_before_is_given_up_after_three_pings_in_silence() -> None:
    liveness = Liveness(SETTINGS, 0.0)
    alive = signs(10.0, pong_seen=True)
    for at in (30.0, 60.0, 90.0):
        assert liveness.dead(alive, at) is None
        assert liveness.ping_due(at)
    assert liveness.dead(alive, 119.9) is None
    assert liveness.dead(alive, 120.0) == "pings are not answered"


def test_any_frame_counts_as_an_answer_to_a_ping() -> None:
    liveness = Liveness(SETTINGS, 0.0)
    for at in range(30, 600, 30):
        heard = signs(at - 15.0, pong_seen=True)
        assert liveness.dead(heard, float(at)) is None
        assert liveness.ping_due(float(at))


def test_tells_when_something_may_be_due() -> None:
    liveness = Liveness(SETTINGS, 0.0)
    assert liveness.next_at(signs(0.0)) == 30.0
    assert liveness.ping_due(30.0)
    assert liveness.ping_due(60.0)
    assert liveness.next_at(signs(0.0, spoke=False)) == 60.0
    assert liveness.next_at(signs(0.0)) == 90.0
    assert liveness.next_at(signs(-850.0)) == 50.0
