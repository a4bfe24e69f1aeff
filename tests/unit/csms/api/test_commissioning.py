"""The commissioning test of a charger, asked for and reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from csms.control.trials import Progress
from csms.dispatch.capability import Capability
from csms.dispatch.commissioning import Finding, Result, Trial, Verdict
from csms.errors import CommissioningRefusedError, NeverCommissionedError
from csms.station.model import ConnectorKey
from tests.unit.csms.api.fakes import REPORT, Api

PATH = "/chargers/CP001/commission"


async def test_a_test_is_begun_and_answered_at_once(api: Api) -> None:
    running = replace(
        REPORT, progress=Progress.RUNNING, ended_at=None, trial=Trial.ZERO, results=()
    )
    api.operations.tests.reports = [running]
    answer = await api.request("POST", PATH, json={"connector": 2, "leaseS": 30})
    assert answer.status_code == 202
    assert api.operations.tests.asked == [("start", ConnectorKey("CP001", 2), 30.0)]
    assert answer.json() == {
        "chargerId": "CP001",
        "connector": 1,
        "leaseS": 60.0,
        "state": "running",
        "startedAt": "2023-11-14T22:13:20.250000Z",
        "endedAt": None,
        "running": "zero",
        "passed": False,
        "trials": [],
        "capability": None,
    }
    await api.request("POST", PATH, json={"connector": 1})
    assert api.operations.tests.asked[-1] == ("start", ConnectorKey("CP001", 1), 60.0)


async def test_the_report_tells_every_trial_and_what_is_known(api: Api) -> None:
    report = await api.get(PATH)
    assert (report["state"], report["passed"], report["running"]) == ("done", True, None)
    assert report["trials"] == [
        {
            "trial": "low limit",
            "verdict": "passed",
            "why": "held at the limit",
            "limit": 40.0,
            "measured": 39.5,
            "energy": None,
        },
        {
            "trial": "link cut",
            "verdict": "not shown",
            "why": "as it was",
            "limit": 40.0,
            "measured": None,
            "energy": 1.25,
        },
    ]
    assert report["capability"] == {
        "lease": "yes",
        "survivesReconnect": "unknown",
        "survivesReboot": "unknown",
        "answers": "unknown",
        "atZero": "pause",
        "stepA": 0.1,
        "unit": "W",
        "purpose": "session",
        "stackLevel": 0,
        "periods": 2,
        "kind": "absolute",
    }


async def test_one_failed_trial_is_enough_and_a_form_may_be_unknown(api: Api) -> None:
    failed = Result(Trial.ZERO, Finding(Verdict.FAILED, "goes on charging\x00"))
    api.operations.tests.reports = [replace(REPORT, results=(failed,), capability=Capability())]
    report = await api.get(PATH)
    assert not report["passed"]
    assert report["trials"][0]["why"] == "goes on charging�"
    assert report["capability"]["purpose"] is None


async def test_a_test_that_was_stopped_teaches_nothing(api: Api) -> None:
    api.operations.tests.reports = [replace(REPORT, progress=Progress.STOPPED)]
    report = await api.get(PATH)
    assert (report["state"], report["passed"], report["capability"]) == ("stopped", False, None)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (CommissioningRefusedError("no room"), 409, "commissioning-refused"),
        (NeverCommissionedError("never"), 404, "never-commissioned"),
    ],
)
async def test_what_cannot_be_is_a_problem(
    api: Api, error: Exception, status: int, kind: str
) -> None:
    api.operations.tests.error = error
    for method, options in (("GET", {}), ("POST", {"json": {"connector": 1}})):
        problem = await api.problem(status, method, PATH, **options)
        assert (problem["type"], problem["detail"]) == (f"urn:csms:{kind}", str(error))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "connector"),
        ({"connector": 0}, "connector"),
        ({"connector": 1, "leaseS": 1.9}, "leaseS"),
        ({"connector": 1, "leaseS": 3_601}, "leaseS"),
        ({"connector": 1, "lease": 60}, "lease"),
    ],
)
async def test_a_bad_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    problem = await api.problem(422, "POST", PATH, json=body)
    assert [e["field"] for e in problem["errors"]] == [field]
