from __future__ import annotations

from simulators.charge_point.events import Event, nobody


def test_an_event_is_one_flat_object() -> None:
    event = Event(1.23456, "limit", "CP001", "CP001/1", {"limit_kw": 133.3})
    assert event.as_json() == {
        "t": 1.235,
        "event": "limit",
        "charger": "CP001",
        "connector": "CP001/1",
        "limit_kw": 133.3,
    }


def test_an_event_of_the_site_names_no_charger() -> None:
    assert Event(0.0, "ready").as_json() == {"t": 0.0, "event": "ready"}


def test_nobody_can_watch() -> None:
    nobody(Event(0.0, "ready"))
