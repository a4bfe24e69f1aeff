"""The commissioning test from the command line."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import httpx
import pytest
from rich.console import Console

from csms.client import ApiError
from csms.commission import cells, follow, line, show, summary
from csms.control.trials import Progress
from csms.dispatch.commissioning import Finding, Result, Trial, Verdict
from csms.errors import CommissioningRefusedError
from tests.unit.csms.api.fakes import REPORT, Api

RUNNING = replace(REPORT, progress=Progress.RUNNING, ended_at=None)
FAILED = Result(Trial.ZERO, Finding(Verdict.FAILED, "goes on charging", 0, 40_000))


async def followed(transport: httpx.AsyncBaseTransport, told: list[str]) -> dict[str, Any]:
    async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
        return await follow(client, "CP 001", 1, 30.0, tell=told.append, poll_s=0.0)


async def report() -> dict[str, Any]:
    return await followed(httpx.ASGITransport(Api.build().app), [])


async def test_a_test_is_begun_followed_and_told_trial_by_trial() -> None:
    api = Api.build()
    api.operations.tests.reports = [
        replace(RUNNING, results=()),
        replace(RUNNING, results=REPORT.results[:1]),
        RUNNING,
        REPORT,
    ]
    told: list[str] = []
    found = await followed(httpx.ASGITransport(api.app), told)
    assert found["state"] == "done"
    assert told == [
        "low limit: passed (held at the limit; allowed 40 kW, measured 39.5 kW)",
        "link cut: not shown (as it was; allowed 40 kW, measured 1.25 kWh)",
    ]
    assert [asked[0] for asked in api.operations.tests.asked] == ["start", *["report"] * 3]
    assert api.operations.tests.asked[1] == ("report", "CP 001")


async def test_a_refusal_is_told_in_its_own_words() -> None:
    api = Api.build()
    api.operations.tests.error = CommissioningRefusedError("no session runs on connector CP001/1")
    with pytest.raises(ApiError, match=r"^no session runs on connector CP001/1$"):
        await followed(httpx.ASGITransport(api.app), [])


async def test_what_was_not_measured_is_a_dash() -> None:
    api = Api.build()
    unseen = Result(Trial.LEASE, Finding(Verdict.NOT_SHOWN, "too few meter values"))
    api.operations.tests.reports = [replace(REPORT, results=(unseen,))]
    found = await followed(httpx.ASGITransport(api.app), [])
    [trial] = found["trials"]
    assert cells(trial) == ("lease", "not shown", "-", "-", "too few meter values")
    assert line(trial) == "lease: not shown (too few meter values; allowed -, measured -)"


async def test_the_summary_tells_what_is_known() -> None:
    assert summary(await report()) == [
        "charger CP001, connector 1: passed",
        "  lease: yes",
        "  survivesReconnect: unknown",
        "  survivesReboot: unknown",
        "  answers: unknown",
        "  atZero: pause",
        "  stepA: 0.1",
        "  unit: W",
        "  purpose: session",
        "  stackLevel: 0",
        "  periods: 2",
        "  kind: absolute",
    ]
    found = {**await report(), "passed": False, "capability": {"unit": None}}
    assert summary(found) == [
        "charger CP001, connector 1: not everything as it should be",
        "  unit: not known",
    ]
    assert summary({**found, "capability": None}) == [
        "charger CP001, connector 1: the test was stopped"
    ]


async def drawn(*, terminal: bool) -> str:
    api = Api.build()
    api.operations.tests.reports = [replace(REPORT, results=(*REPORT.results, FAILED))]
    found = await followed(httpx.ASGITransport(api.app), [])
    file = io.StringIO()
    show(found, Console(file=file, width=120, force_terminal=terminal, no_color=True))
    return file.getvalue()


async def test_a_terminal_gets_a_table() -> None:
    shown = await drawn(terminal=True)
    assert "goes on charging" in shown
    assert "1.25 kWh" in shown


async def test_anything_else_gets_plain_lines() -> None:
    shown = (await drawn(terminal=False)).splitlines()
    assert shown[:2] == [
        "charger CP001, connector 1: not everything as it should be",
        "  lease: yes",
    ]
