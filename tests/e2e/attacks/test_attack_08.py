"""A8: messages that are not complete.

The row's day of fuzzing is `python -m tests.fuzz` (tests/README.md); here every message a charger
may begin is sent without each of its fields, and as every kind of JSON value.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from csms.protocol.ocpp16.routes import ROUTES, Direction
from tests.e2e.attacks.test_attack_07 import MESSAGES, sane
from tests.e2e.dialogue import UNHURRIED, csms_of, station

MORE: dict[str, dict[str, Any]] = {
    "Heartbeat": {},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "LogStatusNotification": {"status": "Idle", "requestId": 1},
    "SecurityEventNotification": {"type": "X", "timestamp": "2026-01-01T10:00:00Z"},
    "SignCertificate": {"csr": "X"},
    "SignedFirmwareStatusNotification": {"status": "Idle", "requestId": 1},
}
WHOLE = {**MESSAGES, **MORE}
VALUES: list[Any] = [None, {}, [], [[]], "", "x", 0, 1.5, True, {"": {}}, [{}]]
BROKEN = [
    '[2,"ID","ACTION"',
    '[2,"ID","ACTION",',
    '[2,"ID","ACTION",{',
    '[2,"ID","ACTION",{"a"',
    '[2,"ID","ACTION",{"a":}]',
    '[2,"ID","ACTION",{]',
    '[2,"ID","ACTION",{},{},3]',
]


def incomplete(payload: dict[str, Any]) -> list[Any]:
    return [*VALUES, *({k: v for k, v in payload.items() if k != name} for name in payload)]


def test_every_message_a_charger_may_begin_is_here() -> None:
    begun = {r.action for r in ROUTES if r.direction is Direction.INBOUND}
    assert begun == WHOLE.keys()


async def test_an_incomplete_message_is_answered_and_costs_nobody_anything(tmp_path: Path) -> None:
    async with (
        csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms,
        csms.dial("A") as charger,
        csms.dial("B") as other,
    ):
        await charger.boot()
        await other.boot()
        for action, payload in WHOLE.items():
            for each in incomplete(payload):
                frame = await charger.say(action, each)
                # No handler fails; the reader may refuse what is no object.
                assert frame[0] == 3, (action, each, frame)
        await sane(csms)
        assert charger.closed is None
        assert await other.told("Heartbeat", {})


async def test_a_message_that_ends_early_is_answered(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        for action in WHOLE:
            for number, form in enumerate(BROKEN):
                text = form.replace("ID", f"{action}{number}").replace("ACTION", action)
                answer = await charger.raw(text, f"{action}{number}")
                assert answer[0] in {3, 4}, (text, answer)
        await sane(csms)
        assert charger.closed is None


async def test_what_csms_sends_back_is_an_error_without_a_word_of_the_message(
    tmp_path: Path,
) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        frame = await charger.raw('[2,"q","\\u001b[2JDrop",{"secret":"s3cr3t"}]', "q")
        assert frame[:3] == [4, "q", "NotImplemented"]
        assert "s3cr3t" not in json.dumps(frame)
        assert frame[4] == {}
        await sane(csms)
