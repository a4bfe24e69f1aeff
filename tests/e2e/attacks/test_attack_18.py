"""A18, of secrets: no key, password or Authorization header is kept anywhere in the clear."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from csms import logs
from tests.e2e.secured import KEY, basic, boot, secured

WRONG = "wrong-key-of-somebody"
TOLD = "told-by-the-operator"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def files_in(folder: Path) -> bytes:
    """Everything in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_keys_are_nowhere_in_the_clear(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("debug", "json")
    async with secured(tmp_path, log_level="debug") as csms:
        await csms.secure("CP001", 1, key=KEY)
        await csms.outcome("CP001?password=" + WRONG, basic("CP001", WRONG))
        async with csms.dial("CP001", basic("CP001", KEY)) as charger:
            await boot(charger)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(
                    csms.api.post("/chargers/CP001/security/key", json={"key": TOLD})
                )
                value = ""
                while not asked.done() and not value:
                    _, message_id, _, payload = json.loads(await charger.recv())
                    answer = {"status": "Accepted"}
                    if payload.get("key") == "AuthorizationKey":
                        value = payload["value"]
                        answer["info"] = value
                    await charger.send(json.dumps([3, message_id, answer]))
                assert bytes.fromhex(value).decode() == TOLD
                assert (await asked).json()["outcome"] == "accepted"
            careless = {"configurationKey": [{"key": "AuthorizationKey", "value": value}]}
            await charger.send(json.dumps([3, "late", careless]))
            await charger.send('[2,"h","Heartbeat",{}]')
            await charger.recv()
        frames = await csms.frames("CP001")
        assert any('"AuthorizationKey","value":"***"' in frame["text"] for frame in frames)
    shown = json.dumps(frames) + capsys.readouterr().err
    for secret in (KEY, WRONG, TOLD):
        for form in (secret, base64.b64encode(f"CP001:{secret}".encode()).decode()):
            assert form not in shown
    kept = files_in(tmp_path)
    for secret in (KEY, WRONG, TOLD):
        for written in (secret.encode(), secret.encode().hex().encode()):
            assert written not in kept
