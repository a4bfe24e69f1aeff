from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.protocol.mending import LONGEST, MOST_TOKENS, mended

MENDED: list[tuple[str, list[Any]]] = [
    # Seen in the field.
    ('[3,"i",{"configurationKey":[]', [3, "i", {"configurationKey": []}]),
    ('[3,"i",{"configurationKey":[{"key":"K","readonly":true,"value":"1"}', [3, "i", {
        "configurationKey": [{"key": "K", "readonly": True, "value": "1"}]
    }]),
    ('[2,"i","A",{"sampledValue":[,{"value":"1"}]}]', [2, "i", "A", {
        "sampledValue": [{"value": "1"}]
    }]),
    ('[2,"i","A",{"transactionId":,"n":1}]', [2, "i", "A", {"transactionId": None, "n": 1}]),
    # Values.
    ('[{"k":}]', [{"k": None}]),
    ('[{"k":nan,"l":-inf,"m":.5,"n":007x,"o":1e999}]', [
        {"k": None, "l": None, "m": None, "n": None, "o": None}
    ]),
    ('[{"k":None,"l":-12,"m":1.50,"n":2e3}]', [{"k": None, "l": -12, "m": 1.5, "n": 2000.0}]),
    ("[true,false,null,x]", [True, False, None, None]),
    ('[{"k":"a\x10b\\n"}x]', [{"k": "a\x10b\n"}, None]),
    # Commas.
    ("[,1,,2,]", [1, 2]),
    ('[{,"k":1,,"l":2,}]', [{"k": 1, "l": 2}]),
    ('[{"k":1 "l":2}3]', [{"k": 1, "l": 2}, 3]),
    ("[1],", [1]),
    # Brackets.
    ("[1,[2,{", [1, [2, {}]]),
    ('[1,{"k":[2}', [1, {"k": [2]}]),
    ('[1,{"k":{"l":2]', [1, {"k": {"l": 2}}]),
    ("[1}]", [1]),
    ("[1]]}", [1]),
    ("[]]", []),
    # Keys.
    ('[{"k"}]', [{}]),
    ('[{"k","l":1}]', [{"l": 1}]),
    # Cut: what the cut may have gone through is no value.
    ('[{"k":12', [{"k": None}]),
    ('[{"k":12,"l":"ab', [{"k": 12, "l": None}]),
    ('[{"k":true', [{"k": True}]),
    ('[{"k":tru', [{"k": None}]),
    ('[{"k":1,"l', [{"k": 1}]),
    ('[{"k":1,"l"', [{"k": 1}]),
    ('[{"k":1,"l":', [{"k": 1, "l": None}]),
    ("[1,2", [1]),
    ('[1,"a\\"', [1]),
]  # fmt: skip

GIVEN_UP = [
    "",
    "x",
    "1",
    '"text"',
    '"cut',
    "{",
    '{"k":1}',
    ",[1]",
    "[1]:",
    "[1][2]",
    '[1]"x"',
    "[1]x]",
    '[{"k" "v"}]',
    '[{"k":"v":"w"}]',
    '[{"k" 1}]',
    '[{"k"::1}]',
    "[{:1}]",
    "[1:2]",
    "[{1:2}]",
    '[{"k":"\\x"}]',
]


@pytest.mark.parametrize(("text", "meant"), MENDED)
def test_what_is_plainly_meant_is_read(text: str, meant: list[Any]) -> None:
    assert mended(text, 16) == meant


@pytest.mark.parametrize("text", GIVEN_UP)
def test_everything_else_is_given_up(text: str) -> None:
    assert mended(text, 16) is None


def test_it_is_bounded() -> None:
    assert mended("[" + " " * (LONGEST - 2) + "x", 16) == []
    assert mended("[" + " " * (LONGEST - 1) + "x", 16) is None
    assert mended("[" + "," * (MOST_TOKENS - 1), 16) == []
    assert mended("[" + "," * MOST_TOKENS, 16) is None
    assert mended("[" * 16, 16) is not None
    assert mended("[" * 17, 16) is None
    # A closing bracket of the other kind closes nothing here.
    assert mended("[}" * 17, 16) is None


FRAME = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(FRAME, max_size=4))
def test_what_is_whole_is_read_as_it_is(frame: list[Any]) -> None:
    assert mended(json.dumps(frame), 32) == frame


def holds(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, in its place; null may stand for anything."""
    if part is None:
        return True
    if isinstance(part, list):
        return isinstance(whole, list) and all(
            holds(w, p) for w, p in zip(whole, part, strict=False)
        )
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and holds(whole[key], value) for key, value in part.items()
        )
    return bool(part == whole)


@given(st.lists(FRAME, max_size=4), st.data())
def test_a_cut_adds_nothing(frame: list[Any], data: st.DataObject) -> None:
    text = json.dumps(frame)
    part = mended(text[: data.draw(st.integers(1, len(text)))], 32)
    assert holds(frame, part)


@given(st.text(alphabet='[]{}:,"\\ 12e.-natru\n', max_size=60))
def test_nothing_raises_and_what_is_read_is_json(text: str) -> None:
    found = mended("[" + text, 16)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
