"""What connectors under test are told instead of their share."""

from __future__ import annotations

import asyncio

from csms.control.under_test import Target, UnderTest
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Wish
from csms.station.model import ConnectorKey, Limit, LimitSource
from tests.stations import charger, station

A1, B1 = ConnectorKey("A", 1), ConnectorKey("B", 1)
SHARE = Limit(90_000, LimitSource.GRID)
FALLBACK = Wish(A1, Scope.DEFAULT, Limit(0, LimitSource.FALLBACK), again=True)


def wish(key: ConnectorKey = A1, *, again: bool = False) -> Wish:
    return Wish(key, Scope.SESSION, SHARE, "s1", 7, again=again, lease=True)


def told(value_w: int, *, ends_in_s: float | None = None, again: bool = True) -> Wish:
    limit = Limit(value_w, LimitSource.COMMISSIONING)
    return Wish(A1, Scope.SESSION, limit, "s1", 7, again=again, ends_in_s=ends_in_s)


def ledger() -> Ledger:
    return Ledger(station(charger("A"), charger("B")))


def test_nobody_is_under_test_and_every_wish_is_as_it_was() -> None:
    tests = UnderTest()
    assert list(tests.keys()) == []
    assert tests.wishes([FALLBACK, wish()], ledger()) == [FALLBACK, wish()]


def test_a_target_takes_the_place_of_the_share_until_it_is_released() -> None:
    tests = UnderTest()
    tests.hold(A1, Target(20_000, ends_in_s=60.0))
    assert list(tests.keys()) == [A1]
    other = wish(B1)
    assert tests.wishes([FALLBACK, wish(), other], ledger()) == [
        FALLBACK,
        told(20_000, ends_in_s=60.0),
        other,
    ]
    tests.release(A1)
    tests.release(A1)
    assert tests.wishes([wish()], ledger()) == [wish()]


def test_a_session_that_shares_the_slot_of_the_fallback_is_told_in_it() -> None:
    tests = UnderTest()
    tests.hold(A1, Target(20_000))
    shared = Wish(A1, Scope.DEFAULT, SHARE, lease=True)
    [found] = tests.wishes([shared], ledger())
    assert (found.scope, found.limit.value_w, found.lease) == (Scope.DEFAULT, 20_000, False)


def test_without_a_value_nothing_is_told_not_even_the_fallback() -> None:
    tests = UnderTest()
    tests.hold(A1, Target())
    assert tests.wishes([FALLBACK, wish(), wish(B1)], ledger()) == [wish(B1)]


def test_a_target_is_told_once_even_where_it_says_what_was_said_before() -> None:
    known = ledger()
    known.send(Entry(4, A1, Scope.SESSION, SHARE, EntryState.SENT, 0.0, session_id="s1"))
    tests = UnderTest()
    tests.hold(A1, Target(20_000, after_token=4))
    assert tests.wishes([wish(again=True)], known) == [told(20_000)]
    known.send(Entry(5, A1, Scope.SESSION, SHARE, EntryState.SENT, 0.0, session_id="s1"))
    assert tests.wishes([wish(again=True)], known) == [told(20_000, again=False)]


async def test_whoever_waits_for_a_cycle_is_woken_by_the_next_one_only() -> None:
    tests = UnderTest()
    tests.wake()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(tests.cycle())
        await asyncio.sleep(0)
        assert not waiting.done()
        tests.wake()
