from __future__ import annotations

import pytest

from csms.control.wanted_settings import (
    INTERVAL_KEY,
    MEASURANDS_KEY,
    OFFLINE_KEY,
    intervals,
    measurands,
    wanted_settings,
)

P = "Power.Active.Import"
E = "Energy.Active.Import.Register"
C = "Current.Import"


@pytest.mark.parametrize(
    ("has", "wanted_s", "tries"),
    [
        ("10", 10, []),
        (" 10 ", 10, []),
        ("900", 10, ["10", "15", "30", "60"]),
        ("60", 10, ["10", "15", "30"]),
        ("20", 10, ["10", "15"]),
        ("5", 10, []),
        ("2", 10, []),
        ("1", 10, ["10"]),
        ("1", 1, []),
        ("0", 10, ["10", "15", "30", "60"]),
        ("", 30, ["30", "60"]),
        ("-1", 60, ["60"]),
        ("ten", 300, ["300"]),
        ("٣", 60, ["60"]),
    ],
)
def test_intervals_are_tried_from_the_wanted_one_on(
    has: str, wanted_s: int, tries: list[str]
) -> None:
    assert intervals(has, wanted_s) == tries


@pytest.mark.parametrize(
    ("has", "dc", "tries"),
    [
        (f"{P},{E}", False, []),
        (f"'{E}' , \"{P.lower()}\"", False, []),
        (f"{P},{E},SoC,Voltage", True, []),
        (f"{P},{E}", True, [f"{P},{E},SoC"]),
        (E, False, [f"{E},{P}", f"{E},{C},Voltage", f"{E},{C}"]),
        (
            f"Voltage,{E}",
            False,
            [f"Voltage,{E},{P}", f"{P},{E}", f"Voltage,{E},{C}", f"{C},{E}"],
        ),
        (f"{C},{E}", False, [f"{C},{E},{P}", f"{P},{E}", f"{C},{E},Voltage"]),
        ("", False, [f"{P},{E}", f"{C},Voltage,{E}", f"{C},{E}", E]),
        (
            "Frequency",
            True,
            [
                f"Frequency,{P},{E},SoC",
                f"{P},{E},SoC",
                f"Frequency,{P},{E}",
                f"{P},{E}",
                f"Frequency,{C},Voltage,{E}",
                f"{C},Voltage,{E}",
                f"Frequency,{C},{E}",
                f"{C},{E}",
                f"Frequency,{E}",
                E,
            ],
        ),
    ],
)
def test_lists_of_measurands_are_tried_down_to_what_is_there(
    has: str, *, dc: bool, tries: list[str]
) -> None:
    assert measurands(has, dc=dc) == tries


def test_a_charger_is_kept_from_unknown_tokens_only_where_csms_refuses_them() -> None:
    lenient = wanted_settings(meter_interval_s=10, dc=False, tokens_offline=True)
    strict = wanted_settings(meter_interval_s=10, dc=False, tokens_offline=False)
    assert [s.key for s in lenient] == [INTERVAL_KEY, MEASURANDS_KEY]
    assert [s.key for s in strict] == [INTERVAL_KEY, MEASURANDS_KEY, OFFLINE_KEY]
    assert strict[2].ladder(" False ") == []
    assert strict[2].ladder("true") == ["false"]
