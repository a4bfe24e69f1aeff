from __future__ import annotations

from csms.protocol.pace import Pace, PacePolicy

POLICY = PacePolicy(frames_per_s=10.0, frames_burst=3.0, chars_per_s=100.0, chars_burst=400.0)


def test_the_defaults_are_those_of_the_reference() -> None:
    assert PacePolicy() == PacePolicy(10.0, 60.0, 65_536.0, 262_144.0)


def test_a_burst_is_taken_at_once_and_then_a_frame_each_tenth() -> None:
    pace = Pace(POLICY, 0.0)
    assert [pace.take(1, 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert pace.take(1, 0.2) == 0.1


def test_a_silence_fills_the_burst_again() -> None:
    pace = Pace(POLICY, 0.0)
    for _ in range(6):
        pace.take(1, 0.0)
    assert [pace.take(1, 1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]


def test_a_large_frame_is_waited_for_after_it_was_taken() -> None:
    pace = Pace(POLICY, 0.0)
    assert pace.take(400, 0.0) == 0.0
    assert pace.take(250, 0.0) == 2.5
    assert pace.take(0, 2.5) == 0.0
