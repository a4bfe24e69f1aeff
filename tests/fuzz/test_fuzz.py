"""The fuzzer, small enough for every run; and hypothesis, which shrinks what it finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.protocol import rpc
from csms.protocol.framing import Broken, Call, CallFailure, CallResult, Skipped, read_frame
from tests.fuzz import targets
from tests.fuzz.mutation import SEEDS, Mutator

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_a_seed_makes_the_same_frames_and_another_seed_others() -> None:
    one, again, other = Mutator(1), Mutator(1), Mutator(2)
    frames = [one.frame() for _ in range(50)]
    assert frames == [again.frame() for _ in range(50)]
    assert frames != [other.frame() for _ in range(50)]
    assert [one.call() for _ in range(20)] == [again.call() for _ in range(20)]


def test_every_seed_is_a_frame_before_it_is_mutated() -> None:
    assert {type(read_frame(text)) for text in SEEDS} == {Call, CallResult, CallFailure}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_decoder_reads_anything(seed: int) -> None:
    done = targets.decode(2_000, seed)
    assert min(done["Call"], done["Broken"], done["CallReceived"], done["Send"]) > 50


async def test_the_handlers_answer_anything() -> None:
    done = await targets.handle(600, 1)
    assert sum(done.values()) == 600
    assert len(done) >= 14


async def test_a_csms_survives_anything() -> None:
    done = await targets.over_a_socket(1_000, 1)
    assert done["frames"] >= 1_000
    assert min(done["answered"], done["refused"]) > 10


@settings(max_examples=300)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_as_something(data: str | bytes) -> None:
    assert isinstance(read_frame(data), Call | CallResult | CallFailure | Broken | Skipped)


@settings(max_examples=300)
@given(JSON)
def test_any_value_is_read_as_something(value: Any) -> None:
    found = read_frame(json.dumps(value))
    assert isinstance(found, Call | CallResult | CallFailure | Broken | Skipped)


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=36), st.text(max_size=20), JSON)
def test_any_call_with_an_id_is_answered_once(message_id: str, action: str, payload: Any) -> None:
    peer = rpc.Peer(lambda: "x", limits=rpc.Limits(), cache=rpc.ReplyCache())
    text = json.dumps([2, message_id, action, payload])
    answers: list[str] = []
    for event in peer.receive(text, 0.0):
        found = peer.reply(event, {}, 0.0) if isinstance(event, rpc.CallReceived) else [event]
        answers += [each.text for each in found if isinstance(each, rpc.Send)]
    assert len(answers) == 1
