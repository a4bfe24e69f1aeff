from __future__ import annotations

from structlog.testing import capture_logs

from csms.control.events import Event, EventLog
from tests.unit.csms.control.fakes import FakeClock


def test_events_are_numbered_from_one_without_gaps() -> None:
    clock = FakeClock(100.0)
    events = EventLog(clock)
    events.add("SITE", "charger_connected", "CP001")
    clock.advance(5.0)
    events.add("SITE", "session_started", "CP001/1 by TAG")
    assert events.after(0) == [
        Event(1, 100.0, "SITE", "charger_connected", "CP001"),
        Event(2, 105.0, "SITE", "session_started", "CP001/1 by TAG"),
    ]


def test_a_reader_asks_for_what_it_has_not_seen() -> None:
    events = EventLog(FakeClock())
    for number in range(5):
        events.add("SITE", "kind", str(number))
    assert [e.text for e in events.after(3)] == ["3", "4"]
    assert events.after(5) == []


def test_only_the_newest_are_kept_and_keep_their_numbers() -> None:
    events = EventLog(FakeClock(), capacity=2)
    for number in range(5):
        events.add("SITE", "kind", str(number))
    assert [(e.number, e.text) for e in events.after(0)] == [(4, "3"), (5, "4")]


def test_two_thousand_are_kept_unless_told_otherwise() -> None:
    events = EventLog(FakeClock())
    for _ in range(2_001):
        events.add("SITE", "kind", "")
    kept = events.after(0)
    assert (len(kept), kept[0].number) == (2_000, 2)


def test_events_are_written_to_the_log() -> None:
    with capture_logs() as logs:
        EventLog(FakeClock()).add("SITE", "session_ended", "CP001/1 (Local)")
    assert logs == [
        {
            "event": "session_ended",
            "log_level": "info",
            "station": "SITE",
            "what": "CP001/1 (Local)",
        }
    ]
