from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.simulation.chance import Chance
from tests.simulation.network import Line, Network
from tests.simulation.settings import NetworkFaults
from tests.simulation.virtual_time import VirtualLoop

ANSWER = '[3,"1",{}]'


class KeptFrames:
    """A charger that keeps what it hears."""

    charger_id = "CP1"

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.ended = False

    def heard(self, line: Line, text: str) -> None:
        self.frames.append(text)

    def hung_up(self, line: Line) -> None:
        self.ended = True


def play(
    faults: NetworkFaults, act: Callable[[Line], None], seconds: float = 600.0
) -> tuple[KeptFrames, list[str], Chance, Line]:
    """Do something with a line; what both ends have heard after a while."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        chance, charger, heard = Chance(1), KeptFrames(), list[str]()
        network = Network(loop, chance, faults, lambda *_: None)
        network.accept = lambda _: True

        async def talk() -> Line:
            line = network.dial(charger)
            assert line is not None
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(read(line))
                act(line)
                over = loop.create_future()
                loop.call_later(seconds, over.set_result, None)
                await over
                reading.cancel()
            return line

        async def read(line: Line) -> None:
            while (text := await line.csms_end.receive()) is not None:
                heard.append(str(text))

        line = runner.run(talk())
        return charger, heard, chance, line


def request(number: int) -> str:
    return f'[2,"{number}","Heartbeat",{{}}]'


def test_frames_arrive_once_and_in_order_when_nothing_is_wrong() -> None:
    def act(line: Line) -> None:
        for number in range(100):
            line.send(request(number))
            line.csms_end.write(request(number))

    charger, heard, chance, _ = play(NetworkFaults(), act)
    assert heard == charger.frames == [request(number) for number in range(100)]
    assert chance.injected == {}


@pytest.mark.parametrize(
    ("faults", "kind", "least", "most"),
    [
        (NetworkFaults(lost=0.3), "lost", 500, 900),
        (NetworkFaults(twice=0.3), "twice", 1100, 1500),
        (NetworkFaults(late=0.3), "late", 1000, 1000),
        (NetworkFaults(overtakes=0.3), "out of order", 1000, 1000),
    ],
)
def test_each_fault_is_injected_and_counted(
    faults: NetworkFaults, kind: str, least: int, most: int
) -> None:
    def act(line: Line) -> None:
        for number in range(1000):
            line.send(request(number))

    _, heard, chance, _ = play(faults, act, 3600.0)
    assert least <= len(heard) <= most
    assert 200 < chance.injected[f"charger request {kind}"] < 400


def test_requests_of_csms_never_overtake_each_other_but_answers_do() -> None:
    def act(line: Line) -> None:
        for number in range(200):
            line.csms_end.write(request(number))
            line.csms_end.write(f'[3,"{number}",{{}}]')

    charger, _, _, _ = play(NetworkFaults(overtakes=0.5, late=0.2), act, 3600.0)
    requests = [f for f in charger.frames if f.startswith("[2")]
    answers = [f for f in charger.frames if f.startswith("[3")]
    assert requests == [request(number) for number in range(200)]
    assert answers != [f'[3,"{number}",{{}}]' for number in range(200)]


def test_a_half_open_line_swallows_everything_and_says_nothing() -> None:
    def act(line: Line) -> None:
        line.half_open = True
        line.send(ANSWER)
        line.csms_end.write(ANSWER)
        line.csms_end.write_ping()
        line.hang_up()

    charger, heard, _, line = play(NetworkFaults(), act)
    assert (charger.frames, heard, charger.ended) == ([], [], False)
    assert line.csms_end.open
    assert not line.csms_end.pong_seen


def test_a_ping_is_answered_on_a_line_that_works() -> None:
    _, _, _, line = play(NetworkFaults(), lambda line: line.csms_end.write_ping())
    assert line.csms_end.pong_seen
    assert line.csms_end.heard_at > 0


def test_either_end_may_hang_up() -> None:
    charger, _, _, line = play(NetworkFaults(), lambda line: line.csms_end.start_close(1000, "bye"))
    assert (charger.ended, line.csms_end.open) == (True, False)
    _, _, _, line = play(NetworkFaults(), lambda line: line.hang_up())
    assert not line.csms_end.open


def test_nobody_answers_while_csms_is_down() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        chance = Chance(1)
        network = Network(runner.get_loop(), chance, NetworkFaults(), lambda *_: None)
        assert network.dial(KeptFrames()) is None
        assert chance.injected == {"dial refused": 1}
