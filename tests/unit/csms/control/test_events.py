from __future__ import annotations

from structlog.testing import capture_logs

from csms.control.events import Event, EventLog
from tests.unit.csms.control.fakes import FakeClock


def counting(capacity: int = 500) -> EventLog:
    """Numbers from 1."""
    return EventLog(FakeClock(0.0), capacity)


def test_events_are_numbered_from_the_milliseconds_of_the_start_without_gaps() -> None:
    clock = FakeClock(100.0)
    events = EventLog(clock)
    assert events.last == 100_000
    events.add("SITE", "charger_connected", "CP001")
    clock.advance(5.0)
    events.add("SITE", "session_started", "CP001/1 by TAG")
    assert events.after(0) == [
        Event(100_001, 100.0, "SITE", "charger_connected", "CP001"),
        Event(100_002, 105.0, "SITE", "session_started", "CP001/1 by TAG"),
    ]
    assert events.last == 100_002


def test_numbers_go_on_rising_after_a_restart() -> None:
    clock = FakeClock(100.0)
    before = EventLog(clock)
    before.add("SITE", "kind", "before")
    clock.advance(1.0)
    after = EventLog(clock)
    after.add("SITE", "kind", "after")
    assert [e.text for e in after.after(before.last)] == ["after"]


def test_a_reader_asks_for_what_it_has_not_seen() -> None:
    events = counting()
    for number in range(5):
        events.add("SITE", "kind", str(number))
    assert [e.text for e in events.after(3)] == ["3", "4"]
    assert events.after(5) == []


def test_only_the_newest_are_kept_and_keep_their_numbers() -> None:
    events = counting(2)
    for number in range(5):
        events.add("SITE", "kind", str(number))
    assert [(e.number, e.text) for e in events.after(0)] == [(4, "3"), (5, "4")]


def test_five_hundred_of_a_kind_are_kept_unless_told_otherwise() -> None:
    events = counting()
    for _ in range(501):
        events.add("SITE", "kind", "")
    kept = events.after(0)
    assert (len(kept), kept[0].number) == (500, 2)


def test_one_kind_does_not_push_out_another_and_numbers_ascend() -> None:
    events = counting(2)
    events.add("SITE", "limit_refused", "early")
    for number in range(5):
        events.add("SITE", "charger_said", str(number))
    events.add("SITE", "limit_refused", "late")
    assert [(e.number, e.text) for e in events.after(0)] == [
        (1, "early"),
        (5, "3"),
        (6, "4"),
        (7, "late"),
    ]
    assert [e.number for e in events.after(5)] == [6, 7]


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
