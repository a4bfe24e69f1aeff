from __future__ import annotations

from csms.ports import SecurityEvent
from csms.storage import security
from tests.unit.csms.storage.databases import connected, plan


def event(number: int) -> SecurityEvent:
    return SecurityEvent(float(number), "refused")


def test_pruning_keeps_the_newest_and_deletes_no_more_than_it_may() -> None:
    with connected() as connection:
        security.save_events(connection, [event(n) for n in range(10)])
        security.prune_events(connection, kept=3, at_most=2)
        assert len(security.newest_events(connection, None, 100, None)) == 8
        security.prune_events(connection, kept=3, at_most=1000)
        found = security.newest_events(connection, None, 100, None)
        assert [e.at for e in found] == [9.0, 8.0, 7.0]


def test_reading_and_pruning_use_indexes() -> None:
    with connected() as connection:
        found = plan(connection, security._newest_of)  # noqa: SLF001
        assert "ix_security_events_charger (charger_id=?)" in found
        assert "SCAN" not in plan(connection, security._prune)  # noqa: SLF001
