"""What is wrong, in words for people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from csms.station.problems import keys_once, message_of, problems_of, shown


def test_values_in_messages_are_escaped_and_short() -> None:
    assert shown("é\n") == "'\\xe9\\n'"
    assert shown("x" * 1_000) == "'" + "x" * 59 + "…"
    assert shown(10**5_000) == "<int>"


def test_an_object_with_each_key_once_is_taken() -> None:
    assert json.loads('{"a": 1, "b": {"a": 2}}', object_pairs_hook=keys_once) == {
        "a": 1,
        "b": {"a": 2},
    }


@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 1}', '[{"b": {"a": 1, "a": 2}}]'])
def test_a_key_that_is_there_twice_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="the key 'a' is there twice"):
        json.loads(text, object_pairs_hook=keys_once)


def problem(path: tuple[int | str, ...], document: object, **error: Any) -> tuple[str, str]:
    whole = {"type": "x", "msg": "is wrong", "input": 1, "loc": path, **error}
    (found,) = problems_of([whole], document, lambda _: ["maxPower", "minPower"])
    return found


@pytest.mark.parametrize(
    ("path", "document", "place"),
    [
        ((), {}, ""),
        (("gridCapacity",), {}, "gridCapacity"),
        (("chargers", 1, "id"), {"chargers": [{}, {"id": "CP2"}]}, "chargers[1] (CP2).id"),
        (("chargers", 1, "id"), {"chargers": [{}, {}]}, "chargers[1].id"),
        (("chargers", 1, "id"), {"chargers": [{"id": "CP1"}]}, "chargers[1].id"),
        (("chargers", 0, "id"), {"chargers": "many"}, "chargers[0].id"),
        (("chargers", 0, "id"), {"chargers": ["CP1"]}, "chargers[0].id"),
        (("chargers", 0, "id"), [], "chargers[0].id"),
        (("chargers", 0), {"chargers": [{"id": "\x1b"}]}, "chargers[0] (\\x1b)"),
    ],
)
def test_a_place_is_named_by_ids_as_far_as_there_are_any(
    path: tuple[int | str, ...], document: object, place: str
) -> None:
    assert problem(path, document)[0] == place


def test_a_value_is_shown_with_what_is_wrong_with_it() -> None:
    assert problem(("a",), {})[1] == "is wrong (got 1)"
    assert problem((), {}, msg="Value error, they do not fit")[1] == "they do not fit"
    assert problem(("a",), {}, type="missing")[1] == "is missing"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("max_power", "is not a known key (value 1); did you mean maxPower?"),
        ("MINPOWER", "is not a known key (value 1); did you mean minPower?"),
        ("colour", "is not a known key (value 1)"),
    ],
)
def test_the_nearest_known_key_is_suggested(key: str, words: str) -> None:
    assert problem((key,), {}, type="extra_forbidden")[1] == words


def test_a_pattern_is_told_in_words() -> None:
    error = {"type": "string_pattern_mismatch", "msg": "String should match pattern '^[A-Z]'"}
    assert message_of(error) == (
        "must be of A-Z a-z 0-9 * - _ = : + | @ . with single spaces inside"
    )
