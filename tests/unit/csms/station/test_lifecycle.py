"""What is going on at a connector: the whole table."""

from __future__ import annotations

import pytest

from csms.station.lifecycle import TABLE, may_start, occupancy
from csms.station.model import ConnectorKey
from csms.station.register import Register
from csms.station.state import ConnectorState, ConnectorStatus, Session

SESSION = Session("s1", 1, ConnectorKey("CP001", 1), "TAG", 0.0, Register(0))

EXPECTED = [
    # status, without a session, may one be started, with a session
    ("Available", "free", True, "finishing"),
    ("Preparing", "preparing", True, "preparing"),
    ("Charging", "charging", False, "charging"),
    ("SuspendedEVSE", "suspended", False, "suspended"),
    ("SuspendedEV", "suspended", False, "suspended"),
    ("Finishing", "finishing", True, "finishing"),
    ("Reserved", "reserved", True, "finishing"),
    ("Unavailable", "out_of_order", False, "out_of_order"),
    ("Faulted", "out_of_order", False, "out_of_order"),
    ("Unknown", "free", True, "charging"),
]


@pytest.mark.parametrize(("status", "without", "startable", "with_session"), EXPECTED)
def test_a_row(status: str, without: str, startable: bool, with_session: str) -> None:
    empty = ConnectorState(ConnectorStatus(status))
    taken = ConnectorState(ConnectorStatus(status), session=SESSION)
    assert occupancy(empty).value == without
    assert may_start(empty) is startable
    assert occupancy(taken).value == with_session
    assert not may_start(taken)


def test_the_table_has_every_case_and_no_other() -> None:
    assert {status.value for status, _ in TABLE} == {row[0] for row in EXPECTED}
    assert set(TABLE) == {(s, taken) for s in ConnectorStatus for taken in (False, True)}
