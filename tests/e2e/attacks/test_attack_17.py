"""A17: markup in what a charger says of itself, as far as the JSON API shows it.

Every answer says that it is JSON and must not be guessed to be anything else, may load nothing, and
has no control characters; a reader of the page escapes the rest.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.dialogue import PAGES, UNHURRIED, Csms, csms_of, start, station, stop

PAYLOADS = [
    "<script>fetch('//evil')</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "javascript:alert(1)",
    "</title><script>1</script>",
    "{{constructor.constructor('x')()}}",
    "<!--#exec cmd=id-->",
    "+ADw-script+AD4-",
    "\x1b]0;title\x07",
    "\x00\x08\x7f\x85",
    "a\r\nX-Injected: 1\r\n\r\n<b>",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "]]><x/>",
]
HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-store",
}
JSON_TYPES = {"application/json", "application/problem+json"}


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def harmless(answer: httpx.Response) -> None:
    """What holds for any answer of the API."""
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "x-injected" not in answer.headers
    assert answer.headers["content-type"].split(";")[0] in JSON_TYPES, answer.url
    assert answer.content.isascii() or answer.content.decode("utf-8")
    for text in texts(json.loads(answer.content)):
        odd = [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs"}]
        assert odd == [], (str(answer.url), text)


async def say_everywhere(csms: Csms, payload: str) -> None:
    """The payload in every field of text a charger has."""
    async with csms.dial("A") as charger:
        names = ("chargePointVendor", "chargePointModel", "chargePointSerialNumber")
        more = ("chargeBoxSerialNumber", "firmwareVersion", "iccid", "imsi", "meterType")
        await charger.told("BootNotification", dict.fromkeys(names + more, payload))
        fields = dict.fromkeys(("info", "vendorId", "vendorErrorCode", "errorCode"), payload)
        await charger.told("StatusNotification", {"connectorId": 1, "status": payload, **fields})
        data = dict.fromkeys(("vendorId", "messageId", "data"), payload)
        await charger.told("DataTransfer", data)
        for action in ("FirmwareStatusNotification", "DiagnosticsStatusNotification"):
            await charger.told(action, {"status": payload, "fileName": payload})
        await charger.told("LogStatusNotification", {"status": payload, "requestId": 1})
        event = {"type": payload, "techInfo": payload, "timestamp": payload}
        await charger.told("SecurityEventNotification", event)
        await charger.told("SignCertificate", {"csr": payload})
        await charger.told("Authorize", {"idTag": payload})
        one = await charger.told("StartTransaction", start(idTag=payload, timestamp=payload))
        ends = stop(one["transactionId"], idTag=payload, reason=payload, timestamp=payload)
        await charger.told("StopTransaction", ends)
        await charger.told("StopTransaction", stop(77, reason=payload, idTag=payload))
        assert (await charger.say(payload, {payload: payload}))[0] == 4
    await csms.api.get("/nothing/" + payload.encode("utf-8").hex())


async def test_nothing_a_charger_says_leaves_the_json_it_is_shown_in(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms:
        for payload in PAYLOADS:
            await say_everywhere(csms, payload)
        for page in PAGES:
            answer = await csms.api.get(page.format(charger_id="A"))
            assert answer.status_code == 200
            harmless(answer)
        frames = await csms.get("/chargers/A/frames?limit=5000")
        assert any("<script>" in frame["text"] for frame in frames["frames"])
        metrics = await csms.api.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")
        assert "<" not in metrics.text


@pytest.mark.parametrize(
    "payload", ["<script>", "%3Cscript%3E", "%00", "%0d%0aX-Injected:1", "%ff"]
)
async def test_what_is_asked_for_is_no_markup_in_the_answer(tmp_path: Path, payload: str) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms:
        for path in (f"/chargers/{payload}", f"/stations/{payload}/status", f"/{payload}"):
            answer = await csms.api.get(path)
            assert answer.status_code in {404, 422}, path
            harmless(answer)
        harmless(await csms.api.get("/events", params={"after": payload}))
        harmless(await csms.api.post("/tokens", json={"idToken": payload, payload: payload}))
        harmless(await csms.api.post("/tokens", content=payload.encode()))
