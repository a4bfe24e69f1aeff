from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.ports import Store
from csms.station.model import ConnectorKey, Limit, LimitSource
from tests.contract.examples import entry


async def test_nothing_was_ever_written(store: Store) -> None:
    assert await store.load("site") == []
    assert await store.last_token() == 0


@pytest.mark.parametrize(
    "whole",
    [
        Entry(
            token=2**40,
            connector=ConnectorKey("CP1", 2),
            scope=Scope.SESSION,
            limit=Limit(11_040, LimitSource.FEEDER, 1_700_000_300.25),
            state=EntryState.REFUSED,
            sent_at=1_700_000_000.5,
            settled_at=1_700_000_001.75,
            session_id="session-0001",
            counts_until=1_700_000_360.25,
            after_w=4_140,
            stack_level=8,
        ),
        Entry(
            token=1,
            connector=ConnectorKey("CP2", 1),
            scope=Scope.DEFAULT,
            limit=Limit(0, LimitSource.FALLBACK),
            state=EntryState.SENT,
            sent_at=0.0,
        ),
    ],
)
async def test_every_field_of_an_entry_is_kept(store: Store, whole: Entry) -> None:
    await store.write("site", [whole])

    assert await store.load("site") == [whole]


@pytest.mark.parametrize("state", [s for s in EntryState if s is not EntryState.SUPERSEDED])
async def test_whatever_may_be_in_force_counts(store: Store, state: EntryState) -> None:
    await store.write("site", [entry(1, state)])

    assert await store.load("site") == [entry(1, state)]


async def test_a_superseded_entry_counts_no_more(store: Store) -> None:
    await store.write("site", [entry(1), entry(2)])

    await store.write("site", [entry(1, EntryState.SUPERSEDED)])

    assert await store.load("site") == [entry(2)]


async def test_entries_come_in_order_of_token(store: Store) -> None:
    await store.write("site", [entry(3), entry(1)])
    await store.write("site", [entry(2)])

    assert await store.load("site") == [entry(1), entry(2), entry(3)]


async def test_an_entry_is_replaced_by_its_token(store: Store) -> None:
    await store.write("site", [entry(1, value_w=7000)])

    await store.write("site", [entry(1, EntryState.CONFIRMED, value_w=8000)])

    assert await store.load("site") == [entry(1, EntryState.CONFIRMED, value_w=8000)]


async def test_the_last_of_one_token_in_one_write_holds(store: Store) -> None:
    await store.write("site", [entry(1), entry(1, EntryState.SUPERSEDED), entry(2)])

    assert await store.load("site") == [entry(2)]


async def test_stations_have_ledgers_of_their_own(store: Store) -> None:
    await store.write("north", [entry(1)])
    await store.write("south", [entry(1, EntryState.CONFIRMED), entry(2)])

    assert await store.load("north") == [entry(1)]
    assert await store.load("south") == [entry(1, EntryState.CONFIRMED), entry(2)]
    assert await store.load("west") == []


async def test_the_last_token_is_of_all_stations_and_states(store: Store) -> None:
    await store.write("north", [entry(5)])
    await store.write("south", [entry(9, EntryState.SUPERSEDED), entry(4)])

    assert await store.last_token() == 9


async def test_nothing_to_write(store: Store) -> None:
    await store.write("site", [])
    store.write_later("site", [])

    assert await store.load("site") == []


async def test_write_later_is_seen_by_the_next_load(store: Store) -> None:
    await store.write("site", [entry(1), entry(2)])

    store.write_later("site", [entry(1, EntryState.CONFIRMED)])
    store.write_later("site", [entry(2, EntryState.SUPERSEDED), entry(3)])

    assert await store.load("site") == [entry(1, EntryState.CONFIRMED), entry(3)]
    store.write_later("site", [entry(7, EntryState.SUPERSEDED)])
    assert await store.last_token() == 7


async def test_write_and_write_later_keep_the_order_of_the_calls(store: Store) -> None:
    writes = []
    async with asyncio.TaskGroup() as group:
        for value_w in range(0, 100, 2):
            writes.append(group.create_task(store.write("site", [entry(1, value_w=value_w)])))
            # The write is asked for before this goes on.
            await asyncio.sleep(0)
            store.write_later("site", [entry(1, value_w=value_w + 1), entry(2, value_w=value_w)])
            store.write_later("site", [entry(2, value_w=value_w + 5)])

    assert await store.load("site") == [entry(1, value_w=99), entry(2, value_w=103)]


async def test_a_later_write_holds_against_an_earlier_write_later(store: Store) -> None:
    store.write_later("site", [entry(1, EntryState.SUPERSEDED)])
    await store.write("site", [replace(entry(1), session_id="session-0002")])

    assert await store.load("site") == [replace(entry(1), session_id="session-0002")]
