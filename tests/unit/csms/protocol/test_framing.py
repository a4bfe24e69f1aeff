from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.protocol.framing import (
    Broken,
    Call,
    CallFailure,
    CallResult,
    Skipped,
    printable,
    read_frame,
    write_call,
    write_error,
    write_result,
)

READABLE = [
    ('[2,"a","Heartbeat",{}]', Call("a", "Heartbeat", {})),
    ('[2,"a","Heartbeat",null]', Call("a", "Heartbeat", {})),
    ('[2,"a","Heartbeat",[]]', Call("a", "Heartbeat", [])),
    ('["2","a","Heartbeat",{}]', Call("a", "Heartbeat", {})),
    ('[2.0,"a","Heartbeat",{}]', Call("a", "Heartbeat", {})),
    ('[2,"","X",{}]', Call("", "X", {})),
    ('\ufeff [2,"a","X",{}]\r\n\x00', Call("a", "X", {})),
    ('[2,"a","X",{"k":1,"k":2}]', Call("a", "X", {"k": 2})),
    ('[2,"a","X",{"k":"raw\x10\x0e"}]', Call("a", "X", {"k": "raw\x10\x0e"})),
    ('[2,"a","X",{"k":"\\ud800","\\udc00":["\\uD801"]}]', Call("a", "X", {"k": "�", "�": ["�"]})),
    ('[2,"a","X",{"k":"\\ud83d\\ude00"}]', Call("a", "X", {"k": "😀"})),
    ('[2,"a","X",{"k":"\ud800"}]', Call("a", "X", {"k": "�"})),
    ('[2,"\\ud800","X",{"n":1}]', Call("�", "X", {"n": 1})),
    ('[2,"a","X",{"k":1.5e3}]', Call("a", "X", {"k": 1500.0})),
    ('[2,"a","X"]', Call("a", "X", {})),
    ('[2,"a","X",{"k":1},{}]', Call("a", "X", {"k": 1})),
    (' [ 2 , "a\\"b" , "X", {"k":,}]', Call('a"b', "X", {"k": None})),
    ('["2","a","X",{"k":', Call("a", "X", {"k": None})),
    ('[2,"\\ud800","X",{', Call("�", "X", {})),
    ('[2,"a","X",{"k":NaN}]', Call("a", "X", {"k": None})),
    ('[2,"a","X",{"k":-Infinity}]', Call("a", "X", {"k": None})),
    ('[2,"a","X",{"k":1e400}]', Call("a", "X", {"k": None})),
    (f'[2,"a","X",{{"k":{"9" * 5000}}}]', Call("a", "X", {"k": None})),
    ('[3,"a",{"configurationKey":[]', CallResult("a", {"configurationKey": []})),
    (f'[2,"{"i" * 256}","X",{{}}]', Call("i" * 256, "X", {})),
    ('[3,"a",{"status":"Accepted"}]', CallResult("a", {"status": "Accepted"})),
    ('[3,"a",null]', CallResult("a", {})),
    ('[3,"a",[]]', CallResult("a", {})),
    ('[3,"a"]', CallResult("a", {})),
    ('[3,"a",{},"more"]', CallResult("a", {})),
    ('[4,"a"]', CallFailure("a", "GenericError", "")),
    ('[4,"a","Odd"]', CallFailure("a", "Odd", "")),
    ('[4,"a","NotSupported","why"]', CallFailure("a", "NotSupported", "why")),
    ('[4,"a","NotSupported","why",[1],2]', CallFailure("a", "NotSupported", "why")),
    ('[4,"a",7,null,{}]', CallFailure("a", "7", "")),
    ('[4,"a","C","line\\nbreak",{}]', CallFailure("a", "C", "line\\nbreak")),
]

SKIPPED = [
    "",
    " \r\n",
    "\x00",
    "\ufeff",
    '[5,"a",{}]',
    '[5,"a","X",{',
    "[null]",
    "[true]",
    "[[],2]",
    "[{}]",
]

BROKEN = [
    ("x", Broken("not JSON")),
    ("{}", Broken("not a message")),
    ('"text"', Broken("not a message")),
    ("[]", Broken("not a message")),
    ("[2]", Broken("no usable message id", 2)),
    ("[2,7]", Broken("no usable message id", 2)),
    (f'[2,"{"i" * 257}","X",{{}}]', Broken("no usable message id", 2)),
    ('[2,"a"]', Broken("the action is not a string", 2, "a")),
    ('[2,"a",7,{}]', Broken("the action is not a string", 2, "a")),
    ('[2,"a",{},{}]', Broken("the action is not a string", 2, "a")),
    ('[3,"a","text"]', Broken("the answer is not an object", 3, "a")),
    ('[3,"a",0]', Broken("the answer is not an object", 3, "a")),
    ('[3,"a",[1]]', Broken("the answer is not an object", 3, "a")),
    ('[2,"\\x","X",{', Broken("not JSON")),
    (f'[2,"{"i" * 257}","X",{{', Broken("no usable message id", 2)),
    ('[2,"a","X",{"k" "v"}]', Broken("not JSON", 2, "a", "X")),
    ('[3,"a","X",{"k" "v"}]', Broken("not JSON", 3, "a")),
    ('[2,"a",7,{"k" "v"}]', Broken("not JSON", 2, "a")),
    (f'[2,"a","X",{"[" * 16}{"]" * 16}]', Broken("nested too deeply", 2, "a", "X")),
    ('[2,"a","X",' + "[" * 100_000, Broken("nested too deeply", 2, "a", "X")),
    ('{"a":' * 100_000, Broken("nested too deeply")),
    (b"\xff\xfe", Broken("not UTF-8")),
    ("x" * 1_048_577, Broken("too long")),
]


@pytest.mark.parametrize(("text", "message"), READABLE)
def test_reads_what_can_be_read(text: str, message: object) -> None:
    assert read_frame(text) == message


@pytest.mark.parametrize("text", SKIPPED)
def test_passes_over_what_means_nothing(text: str) -> None:
    assert isinstance(read_frame(text), Skipped)


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_tells_as_much_as_can_be_told_of_a_broken_frame(text: str, message: Broken) -> None:
    assert read_frame(text) == message


def test_reads_binary_as_utf_8_with_or_without_a_mark() -> None:
    call = Call("a", "X", {"k": "é"})
    assert read_frame('[2,"a","X",{"k":"é"}]'.encode()) == call
    assert read_frame('\ufeff[2,"a","X",{"k":"é"}]'.encode()) == call


def test_counts_brackets_outside_strings_only() -> None:
    text = json.dumps([2, "a", "X", {"k": '["\\{[' * 100}])
    assert read_frame(text) == Call("a", "X", {"k": '["\\{[' * 100})
    beside = [2, "a", "X", [[1]] * 30]
    assert read_frame(json.dumps(beside)) == Call("a", "X", [[1]] * 30)


def test_depth_is_counted_with_the_message_itself() -> None:
    text = f'[2,"a","X",{"[" * 15}{"]" * 15}]'
    assert isinstance(read_frame(text), Call)
    assert isinstance(read_frame(text, max_depth=15), Broken)


def test_unclosed_strings_full_of_escapes_cost_no_memory() -> None:
    text = "[" * 20 + '"' + "\\n" * 400_000
    tracemalloc.start()
    try:
        assert isinstance(read_frame(text), Broken)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_writes_compactly_without_absent_fields() -> None:
    payload = {"a": None, "b": {"c": None, "d": [{"e": None, "f": 1}]}, "g": (1, 2), "h": "é"}
    assert write_call("i", "X", payload) == (
        '[2,"i","X",{"b":{"d":[{"f":1}]},"g":[1,2],"h":"\\u00e9"}]'
    )
    assert write_result("i", {}) == '[3,"i",{}]'


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, b"bytes"])
def test_refuses_to_write_what_is_not_json(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        write_result("i", {"k": value})


def test_refuses_to_write_without_end() -> None:
    endless: dict[str, Any] = {}
    endless["k"] = [endless]
    with pytest.raises(ValueError, match=r"."):
        write_call("i", "X", endless)


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("NotImplemented", "NotImplemented"),
        ("FormationViolation", "FormationViolation"),
        ("FormatViolation", "FormationViolation"),
        ("OccurrenceConstraintViolation", "OccurenceConstraintViolation"),
        ("RpcFrameworkError", "GenericError"),
    ],
)
def test_writes_error_codes_as_table_7_spells_them(code: str, written: str) -> None:
    assert write_error("i", code) == f'[4,"i","{written}","",{{}}]'


def test_error_descriptions_are_short_and_printable() -> None:
    assert write_error("i", "GenericError", "a\x1b[2J") == (
        '[4,"i","GenericError","a\\\\x1b[2J",{}]'
    )
    assert len(json.loads(write_error("i", "GenericError", "d" * 1000))[3]) == 255


def test_ids_are_echoed_even_when_they_are_not_text() -> None:
    assert write_result("\ud800", {}) == '[3,"\\ud800",{}]'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[31m\x00", "\\x1b[31m\\x00"),
        ("\u202eevil\u2028", "\\u202eevil\\u2028"),
        ("x" * 13, "xxxxxxxxxxxx…"),
    ],
)
def test_charger_text_is_shown_without_control(text: str, shown: str) -> None:
    assert printable(text, 12 if len(text) == 13 else 120) == shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(st.binary() | st.text())
def test_no_input_raises(data: str | bytes) -> None:
    read_frame(data)


@given(st.lists(st.sampled_from([2, 3, 4, "2", "id", "Heartbeat"]) | JSON, max_size=7))
def test_no_json_raises_and_every_text_read_can_be_stored(frame: list[Any]) -> None:
    message = read_frame(json.dumps(frame))
    if isinstance(message, Call):
        json.dumps(message.payload, ensure_ascii=False).encode()
        message.action.encode()


@given(st.text(max_size=60).map(lambda tail: '[2,"id",' + tail))
def test_a_request_with_a_whole_head_keeps_its_id(text: str) -> None:
    assert getattr(read_frame(text), "message_id", None) == "id"
