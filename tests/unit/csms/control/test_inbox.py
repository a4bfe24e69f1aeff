from __future__ import annotations

import asyncio

import pytest

from csms.control.inbox import Inbox


async def test_everything_that_waits_is_taken_oldest_first() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("a")
    inbox.put("b", key="k")
    inbox.put("c")
    assert len(inbox) == 3
    assert await inbox.take(0) == ["a", "b", "c"]
    assert len(inbox) == 0


async def test_with_nothing_there_the_wait_ends() -> None:
    inbox: Inbox[str] = Inbox()
    assert await inbox.take(0) == []
    inbox.put("a")
    await inbox.take(0)
    assert await inbox.take(0) == []


async def test_a_reader_that_waits_is_woken() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("taken before")
    await inbox.take(0)
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(inbox.take(3_600.0))
        await asyncio.sleep(0)
        assert not reader.done()
        inbox.put("a")
    assert reader.result() == ["a"]


async def test_only_the_newest_of_a_key_is_kept() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.put(1, key="power")
    inbox.put(2, key="energy")
    inbox.put(3, key="power")
    assert await inbox.take(0) == [2, 3]
    assert inbox.dropped == 0


async def test_a_replacement_does_not_overtake_what_was_put_before_it() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("sample of the old session", key="power")
    inbox.put("a new session")
    inbox.put("sample of the new session", key="power")
    assert await inbox.take(0) == ["a new session", "sample of the new session"]


async def test_a_key_taken_before_does_not_count_any_more() -> None:
    inbox: Inbox[int] = Inbox(capacity=1)
    inbox.put(1, key="power")
    await inbox.take(0)
    inbox.put(2, key="energy")
    inbox.put(3, key="power")
    assert inbox.dropped == 1
    assert await inbox.take(0) == [3]


async def test_items_without_a_key_are_never_merged() -> None:
    inbox: Inbox[str] = Inbox()
    for _ in range(3):
        inbox.put("same")
    assert await inbox.take(0) == ["same", "same", "same"]


async def test_a_number_as_a_key_is_not_taken_for_an_item_without_one() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("without")
    inbox.put("with", key=1)
    assert await inbox.take(0) == ["without", "with"]


async def test_a_full_inbox_drops_the_oldest_item_with_a_key() -> None:
    inbox: Inbox[str] = Inbox(capacity=3)
    inbox.put("kept")
    for name in ("a", "b", "c"):
        inbox.put(name, key=name)
    assert inbox.dropped == 1
    assert await inbox.take(0) == ["kept", "b", "c"]


async def test_a_full_inbox_replaces_without_dropping() -> None:
    inbox: Inbox[str] = Inbox(capacity=2)
    inbox.put("a", key="a")
    inbox.put("b", key="b")
    inbox.put("newer a", key="a")
    assert inbox.dropped == 0
    assert await inbox.take(0) == ["b", "newer a"]


@pytest.mark.parametrize("already", [2, 5])
async def test_items_without_a_key_are_taken_when_it_is_full(already: int) -> None:
    inbox: Inbox[int] = Inbox(capacity=2)
    for number in range(already):
        inbox.put(number)
    inbox.put(99)
    assert inbox.dropped == 0
    assert await inbox.take(0) == [*range(already), 99]


async def test_samples_take_one_place_when_others_have_filled_it() -> None:
    inbox: Inbox[str] = Inbox(capacity=2)
    inbox.put("x")
    inbox.put("y")
    inbox.put("a", key="a")
    inbox.put("b", key="b")
    assert inbox.dropped == 1
    assert await inbox.take(0) == ["x", "y", "b"]


async def test_under_a_flood_of_keys_it_stays_bounded() -> None:
    inbox: Inbox[int] = Inbox(capacity=100)
    for number in range(10_000):
        inbox.put(number, key=number)
    assert len(inbox) == 100
    assert inbox.dropped == 9_900
    assert await inbox.take(0) == list(range(9_900, 10_000))
