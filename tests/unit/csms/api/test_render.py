"""Values of the core as JSON."""

from __future__ import annotations

from dataclasses import replace

from csms.api import render
from tests.unit.csms.api.fakes import ENDED, RUNNING


def test_text_keeps_its_letters_and_loses_what_harms() -> None:
    assert render.clean("Zürich \U0001f50c 10€") == "Zürich \U0001f50c 10€"
    assert render.clean("a\r\nb\x1b[0m\u202e\ud800") == "a��b�[0m��"


def test_times_are_utc_with_microseconds() -> None:
    assert render.iso(0.0) == "1970-01-01T00:00:00.000000Z"
    assert render.iso(1_700_000_000.123456) == "2023-11-14T22:13:20.123456Z"


def test_what_is_not_known_is_null() -> None:
    bare = replace(RUNNING, measured_w=None, vehicle_max_w=None, soc_pct=None, limit=None)
    shown = render.session(bare)
    assert (shown.measured_power, shown.vehicle_max_power, shown.soc, shown.limit) == (
        None,
        None,
        None,
        None,
    )
    kept = replace(ENDED, ended_at=None, meter_stop_wh=None, meter_wh=1_500, reason=None)
    past = render.ended_session(kept)
    assert (past.ended_at, past.meter_stop, past.reason, past.energy) == (None, None, None, 0.5)
