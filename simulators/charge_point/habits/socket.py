"""A socket that has habits: it stands between a charge point's wire and the websocket."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from simulators.charge_point.habits.habit import (
    CALL,
    ERROR,
    OWN,
    Frame,
    Habit,
    HangUpError,
    Message,
)


class Inner(Protocol):
    """The websocket, which takes text and bytes."""

    async def send(self, message: str | bytes) -> None:
        """Send one frame."""
        ...

    async def recv(self) -> str | bytes:
        """The next frame."""
        ...

    async def close(self) -> None:
        """Say goodbye and close."""
        ...


class HabitualSocket:
    """`simulators.charge_point.wire.Socket` over another one.

    `now` gives monotonic seconds; `memory` is what the habits remember of earlier sockets.
    """

    def __init__(
        self,
        inner: Inner,
        habits: Sequence[Habit],
        now: Callable[[], float],
        memory: dict[str, Any],
    ) -> None:
        self._inner = inner
        self._habits = habits
        self._now = now
        self._memory = memory
        self._asked: dict[str, str] = {}
        self._told: dict[str, str] = {}

    async def send(self, message: str) -> None:
        """Send what the habits make of a frame."""
        frames: list[Frame | str] = [json.loads(message)]
        for habit in self._habits:
            if habit.says is not None:
                frames = [
                    said
                    for frame in frames
                    for said in (
                        [frame] if isinstance(frame, str) else habit.says(self._outward(frame))
                    )
                ]
        for frame in frames:
            await self._write(frame)

    async def recv(self) -> str | bytes:
        """The next frame that the habits let through."""
        while True:
            raw = await self._inner.recv()
            frame = await self._take(json.loads(raw))
            if frame is not None:
                return json.dumps(frame)

    async def close(self) -> None:
        """Say goodbye and close."""
        await self._inner.close()

    async def _take(self, frame: Frame) -> Frame | None:
        message = self._inward(frame)
        for habit in self._habits:
            reaction = None if habit.hears is None else habit.hears(message)
            if reaction is not None:
                for sent in reaction.sends:
                    await self._write(sent)
                return reaction.takes
        if not str(message.message_id).startswith(OWN):
            return frame
        if message.kind == ERROR:
            raise HangUpError("a call of a habit was refused")
        return None

    async def _write(self, frame: Frame | str) -> None:
        if not isinstance(frame, str) and frame[0] == CALL:
            self._told[frame[1]] = frame[2]
        data: str | bytes = frame if isinstance(frame, str) else json.dumps(frame)
        for habit in self._habits:
            if habit.writes is not None and isinstance(data, str):
                data = habit.writes(data)
        await self._inner.send(data)

    def _outward(self, frame: Frame) -> Message:
        action = frame[2] if frame[0] == CALL else self._asked.get(frame[1], "")
        return Message(frame, action, self._now(), self._memory)

    def _inward(self, frame: Frame) -> Message:
        if frame[0] == CALL:
            self._asked[frame[1]] = frame[2]
            return Message(frame, frame[2], self._now(), self._memory)
        frame = frame if frame[0] != ERROR else [*frame, "", "", {}][:5]
        return Message(frame, self._told.get(frame[1], ""), self._now(), self._memory)
