from __future__ import annotations

from dataclasses import replace

import pytest

from csms.control.stops import says_the_same, session_of_stop
from csms.ports import StopReport, StoredSession
from csms.station.model import ConnectorKey
from tests.unit.csms.control.fakes import START, stored

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
STOP = StopReport("A", 0, 500, START, "Local", None, "T1")
RUNNING = stored("s1", 1, A1)
OTHER = stored("s2", 2, A2, id_token="OTHER")  # noqa: S106
PRESUMED = replace(RUNNING, session_id="s3", ended_at=START - 10)


@pytest.mark.parametrize(
    ("stop", "unfinished", "expected"),
    [
        (STOP, [], None),
        (STOP, [RUNNING], RUNNING),
        (STOP, [PRESUMED], PRESUMED),
        (STOP, [RUNNING, PRESUMED], RUNNING),
        (STOP, [RUNNING, OTHER], None),
        (STOP, [PRESUMED, replace(PRESUMED, session_id="s4")], None),
        (replace(STOP, id_token="other"), [RUNNING, OTHER], OTHER),  # noqa: S106
        (replace(STOP, id_token="THIRD"), [RUNNING], None),  # noqa: S106
        (replace(STOP, stopped_at=RUNNING.started_at - 1), [RUNNING], None),
        (replace(STOP, stopped_at=RUNNING.started_at), [RUNNING], RUNNING),
    ],
)
def test_the_session_of_a_stop_that_names_none(
    stop: StopReport, unfinished: list[StoredSession], expected: StoredSession | None
) -> None:
    assert session_of_stop(stop, unfinished) == expected


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"reason": "Remote"}, True),
        ({"timestamp": ""}, True),
        ({"meter_stop_wh": None}, True),
        ({"timestamp": "T2"}, False),
        ({"meter_stop_wh": 501}, False),
    ],
)
def test_whether_a_stop_says_what_another_said(change: dict[str, object], same: bool) -> None:
    ended = replace(RUNNING, ended_at=START, meter_stop_wh=500, stop_timestamp="T1")
    assert says_the_same(ended, replace(STOP, **change)) is same  # type: ignore[arg-type]


def test_a_session_of_an_older_database_has_no_time_of_its_stop() -> None:
    ended = replace(RUNNING, ended_at=START, meter_stop_wh=500, stop_timestamp="")
    assert says_the_same(ended, STOP)
