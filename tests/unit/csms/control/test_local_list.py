from __future__ import annotations

from dataclasses import replace

import pytest

from csms.control.local_list import (
    Copy,
    changed,
    differential_updates,
    digest,
    document,
    full_updates,
    parse,
    wanted,
)
from csms.ports import IdToken, LocalListUpdate, TokenStatus

A, B, C = (IdToken(name) for name in "ABC")
LOST = IdToken("A0", TokenStatus.BLOCKED)


def told(version: int, *tokens: IdToken) -> Copy:
    return changed(Copy(), LocalListUpdate(version, full=True, entries=tokens))


def test_those_that_may_charge_come_first_when_there_is_no_room() -> None:
    assert wanted([C, LOST, B, A], 9) == (A, LOST, B, C)
    assert wanted([C, LOST, B, A], 3) == (A, B, C)
    assert wanted([C, LOST], 0) == ()


def test_a_whole_list_goes_in_parts() -> None:
    assert full_updates([A, B, C], 5, 2) == (
        LocalListUpdate(5, full=True, entries=(A, B)),
        LocalListUpdate(6, full=False, entries=(C,)),
    )
    assert full_updates([], 5, 2) == (LocalListUpdate(5, full=True),)


def test_only_what_differs_is_sent() -> None:
    blocked = replace(A, status=TokenStatus.BLOCKED)
    assert differential_updates(told(5, A, B), [A, B], 9) == ()
    assert differential_updates(told(5, A, B), [blocked, C], 9) == (
        LocalListUpdate(6, full=False, entries=(blocked, C), removed=("B",)),
    )


def test_deletions_go_first_and_in_parts() -> None:
    assert differential_updates(told(5, A, B), [IdToken("X"), IdToken("Y")], 3) == (
        LocalListUpdate(6, full=False, entries=(IdToken("X"),), removed=("A", "B")),
        LocalListUpdate(7, full=False, entries=(IdToken("Y"),)),
    )


def test_a_copy_follows_what_was_accepted_and_is_kept() -> None:
    copy = told(5, A, B)
    copy = changed(copy, LocalListUpdate(6, full=False, entries=(C,), removed=("a",)))
    assert copy.version == 6
    assert list(copy.entries) == ["b", "c"]
    assert parse(document(copy)) == copy
    assert changed(copy, LocalListUpdate(7, full=True)).entries == {}


def test_new_letters_of_a_name_are_a_change() -> None:
    small = IdToken("a")
    assert differential_updates(told(5, A), [small], 9) == (
        LocalListUpdate(6, full=False, entries=(small,)),
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(A, status=TokenStatus.BLOCKED),
        replace(A, expires_at=1.0),
        replace(A, parent_id_token="P"),  # noqa: S106
    ],
)
def test_a_digest_differs_when_what_is_told_does(other: IdToken) -> None:
    assert digest(A) != digest(other)
    assert digest(A) == digest(replace(A))
