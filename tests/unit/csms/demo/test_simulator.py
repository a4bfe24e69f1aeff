"""The simulated site as another process."""

from __future__ import annotations

from csms.demo.simulator import SitePlan, event_of


def test_the_command_line_says_what_to_play() -> None:
    plan = SitePlan("s1", "ws://h:1/ocpp", "http://h:2", 12.5, 2.0, 7)
    assert plan.arguments() == [
        "site",
        "--url",
        "ws://h:1/ocpp",
        "--api",
        "http://h:2",
        "--scenario",
        "s1",
        "--speed",
        "2.0",
        "--seed",
        "7",
        "--json",
        "--duration",
        "12.5",
    ]


def test_without_a_duration_it_plays_on() -> None:
    assert "--duration" not in SitePlan("s1", "u", "a", None, 1.0, 0).arguments()


def test_a_line_of_json_is_an_event() -> None:
    assert event_of(b'{"event": "left", "t": 1.5}\n') == {"event": "left", "t": 1.5}


def test_any_other_line_is_something_it_said() -> None:
    assert event_of(b"Traceback\xff\n") == {"event": "said", "text": "Traceback�"}
    assert event_of(b"[1]\n") == {"event": "said", "text": "[1]"}
