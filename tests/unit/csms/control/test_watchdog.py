from __future__ import annotations

from typing import Any

from csms.control.watchdog import Watchdog


class Kennel:
    """In the place of faulthandler."""

    def __init__(self) -> None:
        self.armed: list[float] = []
        self.disarmed = 0

    def arm(self, seconds: float, **options: Any) -> None:
        assert options == {"exit": True}
        self.armed.append(seconds)

    def disarm(self) -> None:
        self.disarmed += 1

    def dog(self, stall_s: float) -> Watchdog:
        return Watchdog(stall_s, self.arm, self.disarm)


def test_it_is_armed_anew_each_second_and_never_ends_a_loop_that_turns() -> None:
    kennel = Kennel()
    dog = kennel.dog(5.0)
    for tenth in range(25):
        dog.beat(tenth / 10)
    assert kennel.armed == [6.0, 6.0, 6.0]


def test_it_is_disarmed_once() -> None:
    kennel = Kennel()
    dog = kennel.dog(5.0)
    dog.stop()
    dog.beat(0.0)
    dog.stop()
    dog.stop()
    assert kennel.disarmed == 1


def test_a_short_patience_is_watched_more_closely() -> None:
    kennel = Kennel()
    dog = kennel.dog(1.0)
    for tenth in range(11):
        dog.beat(tenth / 10)
    assert kennel.armed == [1.5, 1.5, 1.5]


def test_it_can_be_kept_out() -> None:
    kennel = Kennel()
    dog = kennel.dog(0.0)
    dog.beat(0.0)
    dog.stop()
    assert (kennel.armed, kennel.disarmed) == ([], 0)
