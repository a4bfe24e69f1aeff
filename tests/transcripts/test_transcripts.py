"""Plays every transcript in this folder against the OCPP 1.6 handlers. README.md has the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from csms.errors import ProtocolError
from csms.ports import Answer
from csms.protocol.ocpp16 import answers, fields, requests, routes
from tests.unit.csms.protocol.ocpp16.fake_recorder import FakeRecorder
from tests.unit.csms.protocol.ocpp16.reply_schemas import faults

TRANSCRIPTS = {
    path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for path in sorted(Path(__file__).parent.glob("*.jsonl"))
}


def plain(value: Any) -> Any:
    """A recorded value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


class Player:
    """Plays the lines of one transcript, in order."""

    def __init__(self, charger_id: str) -> None:
        self.charger_id = charger_id
        self.recorder = FakeRecorder()
        self.reply: list[Any] | None = None
        self.asked: dict[str, tuple[str, list[str]]] = {}
        self.answer: Answer | None = None

    async def play(self, line: dict[str, Any]) -> None:
        if "at" in line:
            at = fields.timestamp(line["at"])
            assert at is not None
            self.recorder.at = at
        elif "in" in line:
            await self.hear(line["in"])
        elif "out" in line:
            self.say(line["out"])
        elif "told" in line:
            self.expect_told(line["told"], line["with"])
        elif "noted" in line:
            note = (self.charger_id, line["noted"], line["with"])
            assert self.recorder.notes.pop(0) == note
        elif "reported" in line:
            report = self.recorder.reports.pop(0)
            assert report.charger_id == self.charger_id
            assert (report.topic, report.what) == (line["reported"], line["what"])
        else:
            self.expect_answer(line)

    async def hear(self, frame: list[Any]) -> None:
        assert self.reply is None, "the call before was not answered"
        kind, message_id, *rest = frame
        if kind == 2:
            reply = await self.serve(*rest)
            self.reply = [4 if isinstance(reply, str) else 3, message_id, reply]
            return
        action, keys = self.asked.pop(message_id)
        if kind == 3:
            self.answer = answers.result(action, rest[0], keys)
        else:
            self.answer = answers.error(rest[0], rest[1])

    async def serve(self, action: str, payload: Any) -> dict[str, Any] | str:
        """The payload of the answer, or the code of the error."""
        try:
            reply = await routes.serve(self.recorder, self.charger_id, action, payload)
        except ProtocolError as error:
            return error.code
        assert faults(action, reply) == []
        return reply

    def say(self, frame: list[Any]) -> None:
        if frame[0] != 2:
            assert self.reply == frame
            self.reply = None
            return
        _, message_id, action, payload = frame
        requests.check(action, payload)
        keys = payload.get("key", []) if action == "GetConfiguration" else []
        self.asked[message_id] = (action, keys)

    def expect_told(self, kind: str, wanted: dict[str, Any]) -> None:
        told = self.recorder.told.pop(0)
        assert type(told).__name__ == kind
        assert {name: plain(getattr(told, name)) for name in wanted} == wanted

    def expect_answer(self, line: dict[str, Any]) -> None:
        assert self.answer is not None
        assert (self.answer.outcome, self.answer.detail) == (line["answer"], line["detail"])
        assert line.get("payload", self.answer.payload) == self.answer.payload
        self.answer = None

    def finish(self) -> None:
        assert self.recorder.told == []
        assert self.recorder.notes == []
        assert self.recorder.reports == []
        assert self.reply is None
        assert self.answer is None
        assert self.asked == {}


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 7


@pytest.mark.parametrize("name", TRANSCRIPTS)
async def test_transcript(name: str) -> None:
    head, *lines = TRANSCRIPTS[name]
    player = Player(head["charger"])
    for line in lines:
        await player.play(line)
    player.finish()
