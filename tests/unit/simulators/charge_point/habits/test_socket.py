from __future__ import annotations

import json
from typing import Any

import pytest

from simulators.charge_point.habits.catalogue import HABITS, chosen
from simulators.charge_point.habits.habit import HangUpError
from simulators.charge_point.habits.socket import HabitualSocket


class Line:
    """A websocket with frames to come."""

    def __init__(self, *frames: Any) -> None:
        self.frames = [json.dumps(frame) for frame in frames]
        self.sent: list[str | bytes] = []
        self.closed = False

    async def send(self, message: str | bytes) -> None:
        self.sent.append(message)

    async def recv(self) -> str | bytes:
        if not self.frames:
            raise EOFError
        return self.frames.pop(0)

    async def close(self) -> None:
        self.closed = True


def on(line: Line, *names: str) -> HabitualSocket:
    return HabitualSocket(line, chosen(names), lambda: 0.0, {})


async def test_without_habits_frames_go_through() -> None:
    line = Line([2, "a", "Reset", {}])
    socket = on(line)
    await socket.send('[2,"b","Heartbeat",{}]')
    assert line.sent == ['[2, "b", "Heartbeat", {}]']
    assert json.loads(await socket.recv()) == [2, "a", "Reset", {}]
    await socket.close()
    assert line.closed


async def test_habits_follow_one_another() -> None:
    line = Line()
    socket = on(line, "empty_frames", "null_payloads", "binary_frames")
    await socket.send('[2,"b","Heartbeat",{}]')
    assert line.sent == [b"", b'[2, "b", "Heartbeat", null]']


async def test_an_answer_is_known_by_what_was_asked() -> None:
    line = Line([2, "a", "GetConfiguration", {}])
    socket = on(line, "settings_in_lower_case")
    await socket.recv()
    await socket.send('[3,"a",{"configurationKey":[{"key":"K"}]}]')
    assert line.sent == ['[3, "a", {"configurationKey": [{"key": "k"}], "unknownKey": null}]']


async def test_a_reaction_takes_the_place_of_the_frame() -> None:
    line = Line([2, "a", "ChangeConfiguration", {}], [2, "b", "Reset", {}])
    socket = on(line, "settings_read_only")
    assert json.loads(await socket.recv())[1] == "b"
    assert line.sent == ['[3, "a", {"status": "Rejected"}]']


async def test_answers_to_calls_of_a_habit_are_for_nobody_else() -> None:
    line = Line([3, "own-x", {}], [4, "b"])
    assert json.loads(await on(line).recv()) == [4, "b"]
    with pytest.raises(HangUpError):
        await on(Line([4, "own-x", "Code"])).recv()


async def test_the_memory_outlives_the_socket() -> None:
    memory: dict[str, Any] = {}
    boot, ask = [3, "b", {}], [2, "a", "Reset", {}]
    habits = [HABITS["deaf_before_boot"]]
    deaf = HabitualSocket(Line(ask), habits, lambda: 0.0, memory)
    with pytest.raises(EOFError):
        await deaf.recv()
    booting = HabitualSocket(Line(boot), habits, lambda: 0.0, memory)
    await booting.send('[2,"b","BootNotification",{}]')
    await booting.recv()
    again = HabitualSocket(Line(ask), habits, lambda: 0.0, memory)
    assert json.loads(await again.recv()) == ask
