from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16.enums import Measurand

from csms.protocol.ocpp16 import fields
from csms.station.state import ConnectorStatus

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": 1}, {"a": 1}), (None, {}), ([1], {}), ("x", {}), (5, {})],
)
def test_mapping(value: Any, expected: dict[str, Any]) -> None:
    assert fields.mapping(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1, None], [1, None]), ({"a": 1}, [{"a": 1}]), (None, []), ("x", []), (5, [])],
)
def test_items(value: Any, expected: list[Any]) -> None:
    assert fields.items(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Alfen", "Alfen"),
        ("  padded \t", "padded"),
        ("", ""),
        (None, ""),
        ([], ""),
        ({"a": 1}, ""),
        (True, "true"),
        (False, "false"),
        (42, "42"),
        (4.5, "4.5"),
        (10**300, ""),
        ("a\x00b\x10c\x0e", "abc"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("Übermaß", "Übermaß"),
        ("0123456789ABC", "0123456789"),
        ("012345678   ABC", "012345678"),
    ],
)
def test_text(value: Any, expected: str) -> None:
    assert fields.text(value, 25 if "surrogate" in expected else 10) == expected


def test_text_has_a_limit_of_its_own() -> None:
    assert len(fields.text("x" * 10_000)) == 255


def test_an_id_tag_is_cut_to_twenty_characters() -> None:
    assert fields.id_tag("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "ABCDEFGHIJKLMNOPQRST"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (5.7, 5.7),
        (True, 1.0),
        ("5", 5.0),
        (" 9.6", 9.6),
        ("9,6", 9.6),
        ("'12'", 12.0),
        ('"12"', 12.0),
        ("+3", 3.0),
        ("-3.", -3.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E-2", 0.015),
        ("", None),
        ("-", None),
        ("NaN", None),
        ("Infinity", None),
        ("inf", None),
        ("1e400", None),
        ("1e15", 1e15),
        ("1e16", None),
        ("1_000", None),
        ("1,234.5", None),
        ("1,234,567", None),
        ("0x10", None),
        ("٣", None),
        ("5 A", None),
        ("1" * 65, None),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        (10**400, None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_number(value: Any, expected: float | None) -> None:
    assert fields.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        ("7", 7),
        (5.0, 5),
        (5.7, 6),
        (12.5, 13),
        ("12,4", 12),
        (-1, -1),
        ("-1", -1),
        (2147483647, 2147483647),
        (2147483648, None),
        (9223372036854775807, None),
        (None, None),
        ("", None),
        ("one", None),
    ],
)
def test_integer(value: Any, expected: int | None) -> None:
    assert fields.integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), ("2", 2), (99, 99), (-1, -1), (None, 0), ("x", 0), (2**40, 0)],
)
def test_connector_id(value: Any, expected: int) -> None:
    assert fields.connector_id(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00z",
        "2026-03-01t10:00:00Z",
        "2026-03-01 10:00:00Z",
        "2026-03-01 10:00:00",
        "2026-03-01T10:00:00",
        "2026-03-01T10:00Z",
        "2026-03-01T10:00:00.0Z",
        "2026-03-01T10:00:00.000000000000000Z",
        "2026-03-01T12:00:00+02:00",
        "2026-03-01T12:00:00+0200",
        "2026-03-01T12:00:00+02",
        "2026-03-01T12:00:00 +02:00",
        "2026-03-01T04:30:00-05:30",
        "2026-03-02T00:00:00+14:00",
        " 2026-03-01T10:00:00Z ",
    ],
)
def test_one_time_in_every_form(value: str) -> None:
    assert fields.timestamp(value) == 1_772_359_200.0


def test_a_fraction_of_a_second_counts() -> None:
    assert fields.timestamp("2026-03-01T10:00:00.51Z") == 1_772_359_200.51
    assert fields.timestamp("2026-03-01T10:00:00,5Z") == 1_772_359_200.5


def test_a_leap_second_is_the_second_before() -> None:
    assert fields.timestamp("2026-03-01T09:59:60Z") == 1_772_359_199.0


@pytest.mark.parametrize(
    "value",
    [
        "1970-01-01T00:00:07Z",
        "1999-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01",
        "10:00:00",
        "yesterday",
        "2026-03-01T10:00:00." + "0" * 200 + "Z",
        "",
        None,
        1772359200,
        [],
    ],
)
def test_what_is_no_time(value: Any) -> None:
    assert fields.timestamp(value) is None


def test_times_go_out_in_whole_seconds_of_utc() -> None:
    assert fields.time_text(1_772_359_200.999) == "2026-03-01T10:00:00Z"


@given(st.integers(946_684_800, 4_102_444_799))
def test_what_goes_out_comes_in_the_same(at: int) -> None:
    assert fields.timestamp(fields.time_text(at)) == at


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("SuspendedEV", ConnectorStatus.SUSPENDED_EV),
        ("suspendedev", ConnectorStatus.SUSPENDED_EV),
        ("Suspended_EVSE", ConnectorStatus.SUSPENDED_EVSE),
        (" Charging ", ConnectorStatus.CHARGING),
        ("Occupied", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_member(value: Any, expected: ConnectorStatus | None) -> None:
    assert fields.member(ConnectorStatus, value) is expected


def test_member_knows_any_enumeration() -> None:
    assert fields.member(Measurand, "'power.active.import'") == "Power.Active.Import"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("local", "Local"), ("EV Disconnected", "EVDisconnected"), ("Oops", "Oops"), (None, "None")],
)
def test_name(value: Any, expected: str) -> None:
    assert fields.name(("Local", "EVDisconnected"), value, "None") == expected


@given(JSON)
def test_no_reader_raises(value: Any) -> None:
    readers = (
        fields.mapping,
        fields.items,
        fields.text,
        fields.id_tag,
        fields.number,
        fields.integer,
        fields.connector_id,
        fields.timestamp,
    )
    for reader in readers:
        reader(value)
    assert fields.text(value).isprintable()
    assert len(fields.id_tag(value)) <= 20
