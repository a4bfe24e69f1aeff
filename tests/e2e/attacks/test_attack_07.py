"""A7: impossible values in every field of what a charger says.

The row's table of 300 literals is one of 80 here; every field gets each eighth of them, beginning
with another one, so that each is in some field of every message.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from tests.e2e.dialogue import BOOT, UNHURRIED, Csms, csms_of, start, station, stop

TIMES = [
    "222222017-10-27T19:10:11Z",
    "1000000",
    "2026-00-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "1970-01-01T00:00:00Z",
    "2026-01-01T25:61:61Z",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01T00:00:00.999999999999999999999Z",
    "-2026-01-01T00:00:00Z",
    "2099-12-31T23:59:59-23:59",
    "now",
    "\u0662\u0660\u0662\u0666-01-01T00:00:00Z",
]
NUMBERS: list[Any] = [
    *("NaN", "nan", "Infinity", "-Infinity", "inf", "1e400", "-1e400", "1e-400", "1e308", "1_000"),
    *("0x10", "²", "१२", "1,5", "1.5.5", "--1", "+", "-", ".", "e", "9" * 64, "9" * 5_000, " 7 "),
    *(42, -5, 0, -1, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 10**30, 10**4_000),
    *(0.1, -0.0, 1e308, 5e-324, 12.5, True, False),
]
TEXTS: list[Any] = [
    *("", " ", "\x00", "a\x00b", "\x1b[2J", "\r\n", "\u202e", "\ud800", "\U0001f50c", "é" * 300),
    *("=1+1", "'; DROP TABLE sessions; --", "<script>alert(1)</script>", "{{7*7}}", "${jndi:x}"),
    *("../../etc/passwd", "%s%s%n", "A" * 10_000, "null", "undefined"),
]
SHAPES: list[Any] = [None, [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, [1, "2", {}]]
LITERALS = [*TIMES, *NUMBERS, *TEXTS, *SHAPES]

VALUE = {
    "value": "5000",
    "measurand": "Power.Active.Import",
    "unit": "W",
    "context": "Sample.Periodic",
    "phase": "L1",
    "location": "Outlet",
    "format": "Raw",
}
ELEMENT = {"timestamp": "2026-01-01T10:00:00Z", "sampledValue": [VALUE]}
MESSAGES: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "TAG"},
    "BootNotification": BOOT
    | {"chargePointSerialNumber": "S", "chargeBoxSerialNumber": "S", "firmwareVersion": "1"},
    "DataTransfer": {"vendorId": "V", "messageId": "M", "data": "D"},
    "MeterValues": {"connectorId": 1, "transactionId": 1, "meterValue": [ELEMENT]},
    "StartTransaction": start() | {"reservationId": 1},
    "StatusNotification": {
        "connectorId": 1,
        "errorCode": "NoError",
        "info": "I",
        "status": "Charging",
        "timestamp": "2026-01-01T10:00:00Z",
        "vendorId": "V",
        "vendorErrorCode": "E",
    },
    "StopTransaction": stop(1, idTag="TAG", reason="Local", transactionData=[ELEMENT]),
}


def hostile(payload: dict[str, Any], literal: Any) -> list[dict[str, Any]]:
    """The payload with the literal in each field, also those of its meter values."""
    found = [payload | {name: literal} for name in payload]
    for name in {"meterValue", "transactionData"} & payload.keys():
        inner = [ELEMENT | {field: literal} for field in ELEMENT]
        inner += [ELEMENT | {"sampledValue": [VALUE | {field: literal}]} for field in VALUE]
        found += [payload | {name: [element]} for element in inner]
    return found


def spread(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Some of all payloads: another part of the literals for every field."""
    columns = zip(*(hostile(payload, literal) for literal in LITERALS), strict=True)
    return [each for number, column in enumerate(columns) for each in column[number % 8 :: 8]]


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


async def sane(csms: Csms) -> None:
    """All that is shown is JSON, and all that is counted is a number in its bounds."""
    await csms.healthy("A")
    for path in ("/stations/S/status", "/stations/S/sessions?state=ended&limit=1000"):
        text = (await csms.api.get(path)).text
        json.loads(text, parse_constant=refuse)
    loop = csms.app.supervisor.loop_of("A")
    assert loop is not None
    assert 0 <= loop.ledger.total_w() <= 400_000
    for each in await csms.sessions("ended") + await csms.sessions("running"):
        assert math.isfinite(each["energy"])
        assert each["energy"] >= 0
        assert "2000" <= each["startedAt"][:4] <= "2100"
        assert 0 < each["transactionId"] < 2**31


async def test_no_value_in_any_field_breaks_anything(tmp_path: Path) -> None:
    async with (
        csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms,
        csms.dial("A") as charger,
        csms.dial("B") as other,
    ):
        await charger.boot()
        await other.boot()
        said = 0
        for action, payload in MESSAGES.items():
            for each in spread(payload):
                frame = await charger.say(action, each)
                assert frame[0] == 3, (action, each, frame)
                said += 1
            await sane(csms)
            assert await other.told("Heartbeat", {})
        assert said > 400
        assert await charger.told("StartTransaction", start(timestamp="2026-03-01T00:00:00Z"))
        await sane(csms)
    # What was kept can be read again.
    async with csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        await sane(csms)


async def test_a_register_that_falls_is_no_negative_energy(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        one = (await charger.start(meterStart=5_000))["transactionId"]
        await charger.told("StopTransaction", stop(one, meterStop=100))
        (ended,) = await csms.sessions("ended")
        assert ended["energy"] >= 0
        await sane(csms)


async def test_a_connector_that_is_not_there_gets_no_power(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        for number, connector_id in enumerate((42, -5, 2**31 - 1)):
            answer = await charger.start(connector_id, timestamp=f"2026-01-01T10:00:0{number}Z")
            assert answer["idTagInfo"]["status"] == "Invalid"
            assert answer["transactionId"] > 0
        assert len(csms.events("session_on_unknown_connector")) == 3
        status = await csms.get("/stations/S/status")
        assert status["sumAllocated"] == 0
        await sane(csms)
