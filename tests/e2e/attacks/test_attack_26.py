"""A26: the API of operators.

It has no users and no tenants yet, so it listens on the loopback address only, unless told
otherwise (README.md). What is tested is that nothing asked of it makes it fail or tell of its
inside, that a station's address reaches only that station, and that a web page cannot use a browser
on the same machine to change anything. Each route gets a third of the table.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx

from csms.config import Config
from tests.e2e.dialogue import Csms, csms_of, station

PARTS = ["A", "S", "NONE", "..", "%2e%2e", "%00", "%ff", "é", "x" * 5_000, "1e9", "-1", "'--", "{}"]
BODIES: list[Any] = [
    *(None, {}, [], [[]], "x", 0, True, {"": None}, {"limit": "NaN"}, {"limit": -1}),
    *({"limit": 10**400}, {"stationId": "S"}, {"idToken": "\x00"}, {"type": []}),
    {"connectorId": {"chargerId": "A", "idx": 99}, "vehicleMaxPower": 1e308},
    {"location": "x", "retrieveAt": "yesterday", "profile": 9, "key": "x" * 10_000},
]
RAW = [
    b"",
    b"{",
    b"\xff\xfe",
    b"null",
    b"[" * 50_000,
    b'{"limit":NaN}',
    b'{"a":1,"a":2}',
    b"\x00" * 99,
]
INSIDE = re.compile(r"Traceback|File \"|/site-packages/|sqlalchemy|sqlite3\.|pydantic|line \d+, in")


async def routes(csms: Csms) -> list[tuple[str, str]]:
    described = await csms.get("/openapi.json")
    return [
        (method.upper(), path) for path, methods in described["paths"].items() for method in methods
    ]


def sound(answer: httpx.Response) -> None:
    """No failure, and nothing of the inside."""
    assert answer.status_code < 500 or answer.status_code in {502, 503, 504}, answer.text
    assert not INSIDE.search(answer.text), answer.text
    assert "access-control-allow-origin" not in answer.headers


async def test_nothing_asked_makes_it_fail(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), call_timeout_s=1.0) as csms:
        for number, (method, path) in enumerate(await routes(csms)):
            for offset, part in list(enumerate(PARTS))[number % 3 :: 3]:
                url = re.sub(r"\{\w+\}", part, path)
                body = BODIES[(number + offset) % len(BODIES)]
                sound(await csms.api.request(method, url, json=body))
                raw = RAW[(number + offset) % len(RAW)]
                kind = {"Content-Type": "application/json"}
                sound(await csms.api.request(method, url, content=raw, headers=kind))
                if "{" not in path:
                    break
            query = {"limit": "-1", "after": "x", "before": "\x00", "state": "<"}
            sound(await csms.api.request(method, re.sub(r"\{\w+\}", "A", path), params=query))
        await csms.healthy("A")


async def test_a_web_page_can_change_nothing(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms:
        before = await csms.get("/stations/S/config")
        wanted = json.dumps(before | {"gridCapacity": 1.0})
        # What a page may send without asking first (a "simple request") is not read as JSON.
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            headers = {"Content-Type": kind, "Origin": "https://evil.example"}
            for path in ("/station/config", "/tokens", "/sessions", "/chargers/A/reset"):
                answer = await csms.api.post(path, content=wanted, headers=headers)
                assert answer.status_code == 422, (kind, path, answer.text)
        # And the answer to asking first is no.
        asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
        answer = await csms.api.options("/station/config", headers=asks)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert await csms.get("/stations/S/config") == before


async def test_a_stations_address_reaches_no_other_station(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms:
        other = station("B") | {"stationId": "T"}
        assert (await csms.api.post("/stations/T/config", json=other)).status_code == 200
        async with csms.dial("B") as charger:
            await charger.boot()
            await charger.start()
            (session,) = (await csms.get("/stations/T/sessions"))["sessions"]
            assert await csms.sessions("running") == []
            path = f"/stations/S/sessions/{session['sessionId']}"
            assert (await csms.api.delete(path)).status_code == 404
            report = {"consumedPower": 1.0}
            assert (await csms.api.post(f"{path}/power-update", json=report)).status_code == 404
            there = {"connectorId": {"chargerId": "B", "idx": 1}, "vehicleMaxPower": 10.0}
            assert (await csms.api.post("/stations/S/sessions", json=there)).status_code == 404
            assert len((await csms.get("/stations/T/sessions"))["sessions"]) == 1
        taken = station("B") | {"stationId": "S"}
        assert (await csms.api.post("/stations/S/config", json=taken)).status_code == 409


def test_nobody_else_is_listened_to_unless_told() -> None:
    assert Config.model_fields["api_host"].default == "127.0.0.1"
