from __future__ import annotations

from csms.control.recent import RecentSessions
from csms.station.model import ConnectorKey
from tests.unit.csms.control.fakes import stored

A1 = ConnectorKey("A", 1)


def test_a_session_is_found_by_charger_and_transaction() -> None:
    recent = RecentSessions()
    recent.add(stored("s1", 7, A1))
    assert recent.find("A", 7) == "s1"
    assert recent.find("A", 8) is None
    assert recent.find("B", 7) is None
    assert recent.find("A", None) is None


def test_the_oldest_go() -> None:
    recent = RecentSessions(capacity=2)
    for number in (1, 2, 1, 3):
        recent.add(stored(f"s{number}", number, A1))
    assert [recent.find("A", number) for number in (1, 2, 3)] == ["s1", None, "s3"]
