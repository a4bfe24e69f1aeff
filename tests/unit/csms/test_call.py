"""Any request to a charger from the command line."""

from __future__ import annotations

import json

import httpx
import pytest

from csms.call import accepted, call, lines, read_payload
from csms.ports import Exchange, Outcome
from tests.unit.csms.api.fakes import Api


async def called(api: Api, *, force: bool = False) -> dict[str, object]:
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
        return await call(client, "CP 001", "GetLog", {"a": 1}, force=force)


@pytest.mark.parametrize("force", [True, False])
async def test_a_request_is_sent_and_its_answer_told(force: bool) -> None:
    api = Api.build()
    answered = await called(api, force=force)
    assert api.operations.orders.asked == [("CP 001", "GetLog", {"a": 1}, force)]
    said, about = lines(answered)
    assert json.loads(said) == {"status": "Accepted"}
    assert about == (
        "message m7, asked 2023-11-14T22:13:20.250000Z, "
        "answered 2023-11-14T22:13:20.750000Z: accepted"
    )
    assert accepted(answered)


async def test_a_callerror_is_told_and_is_not_a_yes() -> None:
    api = Api.build()
    api.operations.orders.exchange = Exchange(
        "m1", 0.0, 1.0, Outcome.INVALID, None, "FormationViolation", "bad"
    )
    answered = await called(api)
    said, about = lines(answered)
    assert json.loads(said) == {"code": "FormationViolation", "description": "bad"}
    assert about.endswith(": invalid")
    assert not accepted(answered)


def test_a_payload_is_a_json_object() -> None:
    assert read_payload('{"type": "Soft"}') == {"type": "Soft"}
    with pytest.raises(ValueError, match="must be a JSON object"):
        read_payload("[1]")
    with pytest.raises(ValueError, match="is not JSON"):
        read_payload("{")
