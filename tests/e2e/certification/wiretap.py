"""Everything that a charger and csms say to each other, heard at the charger's socket."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulators.charge_point.client import Dial
from simulators.charge_point.wire import Socket

CALL, RESULT = 2, 3

Payload = dict[str, Any]
Instead = Payload | Callable[[Payload], Payload | None]
"""An answer the charger gives in place of its own, or what makes one; None: its own after all."""


@dataclass(slots=True)
class Exchange:
    """A CALL with its answer: a CALLRESULT, or the code of a CALLERROR; neither yet."""

    message_id: str
    by_csms: bool
    action: str
    payload: Payload
    answer: Payload | None = None
    error: str = ""


@dataclass(slots=True)
class Conversation:
    """What was said, in order, over every connection of one charger.

    `instead` are answers by action that the charger gives in place of its own.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    instead: dict[str, Instead] = field(default_factory=dict)
    line: Tap | None = None

    def of(self, action: str, *, by_csms: bool) -> list[Exchange]:
        """The exchanges of an action that one side began and the other has answered."""
        return [
            e
            for e in self.exchanges
            if (e.action, e.by_csms) == (action, by_csms) and (e.answer is not None or e.error)
        ]

    def by_id(self, message_id: str) -> Exchange:
        """The exchange that csms began with this message id."""
        (found,) = [e for e in self.exchanges if e.by_csms and e.message_id == message_id]
        return found

    def refused(self) -> list[Exchange]:
        """What csms answered with a CALLERROR."""
        return [e for e in self.exchanges if e.error and not e.by_csms]

    def note(self, text: str | bytes, *, by_csms: bool) -> Exchange:
        """A frame was seen: the exchange it begins or ends."""
        frame = json.loads(text)
        if frame[0] == CALL:
            begun = Exchange(frame[1], by_csms, frame[2], frame[3])
            self.exchanges.append(begun)
            return begun
        (ended,) = [
            e for e in self.exchanges if e.message_id == frame[1] and e.by_csms is not by_csms
        ]
        if frame[0] == RESULT:
            ended.answer = frame[2]
        else:
            ended.error = frame[2]
        return ended


class Tap:
    """A charger's socket that is listened to, and over which more can be said by hand."""

    def __init__(self, socket: Socket, conversation: Conversation) -> None:
        self._socket = socket
        self._conversation = conversation
        self._by_hand: dict[str, asyncio.Event] = {}

    async def send(self, message: Any) -> None:
        """What the simulated charger says."""
        self._conversation.note(message, by_csms=False)
        await self._socket.send(message)

    async def recv(self) -> str | bytes:
        """What the simulated charger hears: not what is answered by hand, or asked by hand."""
        while True:
            text = await self._socket.recv()
            said = self._conversation.note(text, by_csms=True)
            if said.message_id in self._by_hand:
                self._by_hand[said.message_id].set()
            elif not said.by_csms or not await self._answered(said):
                return text

    async def close(self) -> None:
        """The socket is closed."""
        await self._socket.close()

    async def say(self, action: str, payload: Payload) -> Exchange:
        """Say something that the simulated charger does not say by itself; returns the answer."""
        message_id = str(uuid.uuid4())
        answered = self._by_hand[message_id] = asyncio.Event()
        await self.send(json.dumps([CALL, message_id, action, payload]))
        await answered.wait()
        return next(e for e in self._conversation.exchanges if e.message_id == message_id)

    async def _answered(self, asked: Exchange) -> bool:
        """Whether this was answered in place of the simulated charger."""
        instead = self._conversation.instead.get(asked.action)
        answer = instead(asked.payload) if callable(instead) else instead
        if answer is not None:
            await self.send(json.dumps([RESULT, asked.message_id, answer]))
        return answer is not None


def tapped(dial: Dial, conversation: Conversation) -> Dial:
    """A dialler whose sockets are listened to."""

    async def dialled() -> Socket:
        conversation.line = Tap(await dial(), conversation)
        return conversation.line

    return dialled
