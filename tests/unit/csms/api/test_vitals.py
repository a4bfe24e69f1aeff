"""Whether the process lives, and whether it is ready."""

from __future__ import annotations

from tests.unit.csms.api.fakes import Api


async def test_it_lives_whatever_is_wrong(api: Api) -> None:
    api.vitals.reasons = ["the database takes nothing"]
    assert await api.get("/livez") == {"status": "ok"}


async def test_it_is_ready_when_nothing_speaks_against_it(api: Api) -> None:
    assert await api.get("/readyz") == {"ready": True, "reasons": []}


async def test_it_says_why_it_is_not_ready(api: Api) -> None:
    api.vitals.reasons = ["it is about to end", "disk\x1b full"]
    answer = await api.request("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    first, second = answer.json()["reasons"]
    assert first == "it is about to end"
    assert "\x1b" not in second


async def test_the_lag_is_a_gauge(api: Api) -> None:
    api.vitals.lag = 0.25
    lines = (await api.request("GET", "/metrics")).text.splitlines()
    assert "csms_loop_lag_seconds 0.25" in lines
