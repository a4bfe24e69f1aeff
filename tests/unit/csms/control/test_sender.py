"""Limits on their way: durable first, then on the wire, and taken back when they were not sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from structlog.testing import capture_logs

from csms.control.events import EventLog
from csms.control.orders import Order
from csms.control.sender import LimitAnswered, Sender
from csms.dispatch.commands import Form, Purpose, Scope, SetLimit
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Wish
from csms.ports import Answer, Outcome
from csms.station.model import ConnectorKey, Limit, LimitSource, RateUnit
from tests.stations import charger, station
from tests.unit.csms.control.fakes import ROUNDS, START, YES, FakeClock, FakeLink, FaultyStore

A1, A2, B1 = ConnectorKey("A", 1), ConnectorKey("A", 2), ConnectorKey("B", 1)
FORM = Form(Purpose.SESSION, RateUnit.WATTS)


class HangingStore(FaultyStore):
    """A store that never finishes a write while it hangs."""

    hangs = False

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        await super().write(station_id, entries)


def order(token: int, value_w: int, *, key: ConnectorKey = A1, lease_s: float = 0.0) -> Order:
    limit = Limit(value_w, LimitSource.GRID, START + lease_s if lease_s else None)
    command = SetLimit(token, key, Scope.SESSION, limit, FORM, str(key), 7)
    entry = Entry(
        token,
        key,
        Scope.SESSION,
        limit,
        EntryState.SENT,
        START,
        session_id=str(key),
        counts_until=START + lease_s if lease_s else None,
    )
    return Order(command, entry, Scope.SESSION)


def wish(value_w: int, *, key: ConnectorKey = A1, scope: Scope = Scope.SESSION) -> Wish:
    return Wish(key, scope, Limit(value_w, LimitSource.GRID), str(key), 7)


@dataclass
class Desk:
    """A sender at work."""

    sender: Sender
    ledger: Ledger
    link: FakeLink
    store: HangingStore
    clock: FakeClock
    events: EventLog
    answers: list[LimitAnswered]
    tasks: asyncio.TaskGroup

    async def send(self, *orders: Order) -> int:
        held_back = await self.sender.send(orders, self.tasks)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        return held_back

    def land(self, order: Order, state: EntryState = EntryState.CONFIRMED) -> None:
        self.sender.landed(order.command)
        self.ledger.settle(order.command.token, state, self.clock.now())

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.after(0)]


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """A sender for the chargers A and B, whose fallbacks of 0 W are confirmed."""
    built = station(charger("A"), charger("B"), grid_limit_w=200_000)
    ledger = Ledger(built, seen=["A", "B"])
    for token, connector in enumerate(built.connectors(), start=1):
        limit = Limit(0, LimitSource.FALLBACK)
        ledger.send(Entry(token, connector.key, Scope.DEFAULT, limit, EntryState.SENT, START))
        ledger.settle(token, EntryState.CONFIRMED, START)
    clock = FakeClock()
    link, store, events = FakeLink(), HangingStore(clock), EventLog(clock)
    answers: list[LimitAnswered] = []
    sender = Sender(
        "SITE", ledger, link=link, store=store, clock=clock, events=events, post=answers.append
    )
    async with asyncio.TaskGroup() as tasks:
        yield Desk(sender, ledger, link, store, clock, events, answers, tasks)
        link.release()


async def test_a_limit_is_durable_then_on_the_wire_and_its_answer_comes_back() -> None:
    async with desk() as at:
        first = order(9, 50_000)
        kept: list[list[Entry]] = []
        at.link.before_limit = lambda _: kept.extend(at.store.writes)
        assert await at.send(first) == 0
        assert kept == [[first.entry]]
        assert at.link.wire == ["A/1 50000", "A/1 50000 ok"]
        assert at.answers == [LimitAnswered(first.command, YES)]
        assert list(at.sender.busy()) == [A1]
        assert at.sender.landed(first.command) is first
        assert list(at.sender.busy()) == []
        assert at.sender.landed(first.command) is None


async def test_nothing_to_send_writes_nothing() -> None:
    async with desk() as at:
        assert await at.send() == 0
        assert at.store.writes == []


async def test_an_answer_to_an_older_limit_does_not_land_the_newer() -> None:
    async with desk() as at:
        at.link.script = lambda _: None
        await at.send(order(9, 50_000))
        assert at.sender.landed(order(8, 50_000).command) is None
        assert at.sender.landed(order(9, 50_000, key=A2).command) is None
        assert list(at.sender.busy()) == [A1]


async def test_lowers_are_outstanding_for_as_long_as_patience_lasts() -> None:
    async with desk() as at:
        first = order(9, 50_000)
        await at.send(first)
        assert not at.sender.lowers_outstanding(START, 2.0)
        at.land(first)
        at.link.script = lambda _: None
        await at.send(order(10, 30_000))
        assert at.sender.lowers_outstanding(START + 1.9, 2.0)
        assert not at.sender.lowers_outstanding(START + 2.0, 2.0)


# ------------------------------------------------------------------------------- recalled


@pytest.mark.parametrize(
    ("wanted", "recalled"),
    [
        (wish(30_000), True),
        (wish(50_000), False),
        (wish(60_000), False),
        (wish(30_000, scope=Scope.DEFAULT), False),
        (wish(30_000, key=A2), False),
    ],
)
async def test_a_lower_replaces_a_higher_limit_in_flight(wanted: Wish, recalled: bool) -> None:
    async with desk() as at:
        at.link.script = lambda _: None
        await at.send(order(9, 50_000))
        at.sender.recall_for([wanted])
        assert (A1 not in at.sender.busy()) is recalled
        # It may be in force all the same.
        assert at.ledger.worst_case_w(A1) == 50_000
        states = [e.state for e in at.ledger.entries() if e.token == 9]
        assert states == [EntryState.UNANSWERED if recalled else EntryState.SENT]
        assert [e.token for e in at.store.kept_later] == ([9] if recalled else [])
        at.link.release()
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        assert len(at.answers) == (0 if recalled else 1)


# ------------------------------------------------------------------------- not durable in time


async def test_without_a_store_lowers_go_out_and_raises_are_taken_back() -> None:
    async with desk() as at:
        high = order(9, 90_000)
        await at.send(high)
        at.land(high)
        at.store.broken = True
        assert await at.send(order(10, 50_000), order(11, 40_000, key=B1)) == 1
        assert at.link.wire[2:] == ["A/1 50000", "A/1 50000 ok"]
        assert at.ledger.worst_case_w(B1) == 0
        assert [(e.token, e.state) for e in at.store.kept_later] == [(11, EntryState.SUPERSEDED)]
        assert at.kinds() == ["ledger_not_written"]
        # Said once, until the store has worked again.
        await at.send(order(12, 40_000, key=B1))
        assert at.kinds() == ["ledger_not_written"]
        at.store.broken = False
        assert await at.send(order(13, 40_000, key=B1)) == 0
        at.store.broken = True
        await at.send(order(14, 10_000, key=A2))
        assert at.kinds() == ["ledger_not_written"] * 2


async def test_without_a_store_a_raise_into_what_is_set_aside_is_taken_back_too() -> None:
    async with desk() as at:
        assert at.ledger.set_aside(A1, 90_000)
        at.store.broken = True
        assert await at.send(order(9, 50_000)) == 1
        assert at.link.wire == []


async def test_without_a_store_no_lease_is_renewed() -> None:
    async with desk() as at:
        first = order(9, 90_000, lease_s=300.0)
        await at.send(first)
        at.land(first)
        at.store.broken = True
        assert await at.send(order(10, 90_000, lease_s=450.0)) == 1
        assert len(at.link.limits) == 1
        assert at.ledger.next_expiry() == START + 300.0
        # Nor is anything without an end put in its place; a lower goes out.
        assert await at.send(order(11, 90_000)) == 1
        assert len(at.link.limits) == 1
        assert await at.send(order(12, 40_000, lease_s=450.0)) == 0
        at.land(order(12, 40_000))
        at.store.broken = False
        assert await at.send(order(13, 40_000, lease_s=500.0)) == 0


@pytest.mark.parametrize(("high_s", "low_s"), [(300.0, 300.0), (0.0, 450.0), (500.0, 450.0)])
async def test_without_a_store_a_lower_ends_no_later_than_what_a_restart_would_know(
    high_s: float, low_s: float
) -> None:
    async with desk() as at:
        high = order(9, 90_000, lease_s=high_s)
        await at.send(high)
        at.land(high)
        at.store.broken = True
        await at.send(order(10, 40_000, lease_s=450.0))
        assert at.link.limits[-1].limit.expires_at == START + low_s
        at.land(order(10, 40_000))
        (kept,) = (e for e in at.ledger.entries() if e.scope is Scope.SESSION)
        assert kept.limit == at.link.limits[-1].limit
        assert kept.counts_until == START + low_s


@pytest.mark.parametrize(("after_w", "told_w"), [(0, 0), (6_000, 6_000), (50_000, 40_000)])
async def test_without_a_store_a_lower_without_an_end_is_what_counts_after_the_lease(
    after_w: int, told_w: int
) -> None:
    async with desk() as at:
        high = order(9, 90_000, lease_s=300.0)
        high = replace(high, entry=replace(high.entry, after_w=after_w))
        await at.send(high)
        at.land(high)
        kept = Ledger(at.ledger.station, at.ledger.entries(), "AB")
        # Distrusted, but the store does not know of that.
        at.store.broken = True
        at.ledger.distrust("A")
        assert await at.send(order(10, 40_000)) == 0
        assert at.link.limits[-1].limit == Limit(told_w, LimitSource.GRID)
        at.land(order(10, 0))
        (held,) = (e for e in at.ledger.entries() if e.scope is Scope.SESSION)
        assert held.limit == at.link.limits[-1].limit
        kept.expire(START + 300.0)
        assert kept.worst_case_w(A1) >= told_w


@pytest.mark.parametrize(("fallback_w", "told_w"), [(0, 0), (6_000, 6_000), (60_000, 50_000)])
async def test_without_a_store_a_lower_that_only_the_hardware_is_above_is_no_lease(
    fallback_w: int, told_w: int
) -> None:
    async with desk() as at:
        default = replace(order(9, fallback_w).entry, scope=Scope.DEFAULT, session_id=None)
        at.ledger.send(default)
        at.ledger.settle(9, EntryState.CONFIRMED, START)
        at.ledger.doubt("A")
        kept = Ledger(at.ledger.station, at.ledger.entries(), "AB")
        at.store.broken = True
        assert await at.send(order(10, 50_000, lease_s=300.0)) == 0
        # After a restart only the fallback is known, and counts alone as soon as it is confirmed.
        assert at.link.limits[-1].limit.value_w == told_w
        at.land(order(10, 0))
        kept.settle(9, EntryState.CONFIRMED, START)
        assert kept.worst_case_w(A1) >= told_w


async def test_without_a_store_a_charger_is_not_told_again_what_it_holds() -> None:
    async with desk() as at:
        first = order(9, 50_000)
        await at.send(first)
        at.land(first)
        at.ledger.suspect(A1, 100_000)
        at.store.broken = True
        assert await at.send(order(10, 80_000)) == 1
        assert await at.send(order(11, 50_000)) == 0
        at.land(order(11, 50_000), EntryState.UNANSWERED)
        # What it is suspected of is no room for a raise.
        assert await at.send(order(12, 80_000)) == 1
        assert at.link.limits[-1].limit.value_w == 50_000


async def test_without_a_store_a_charger_of_which_nothing_is_kept_is_limited() -> None:
    async with desk() as at:
        for entry in list(at.ledger.entries()):
            at.ledger.unsend(entry.token)
        at.store.broken = True
        assert await at.send(order(10, 50_000)) == 0
        assert at.link.limits[-1].limit.value_w == 50_000


async def test_without_a_store_what_an_operator_sends_by_hand_makes_no_room() -> None:
    async with desk() as at:
        first = order(9, 10_000)
        await at.send(first)
        at.land(first)
        at.store.broken = True
        limit = Limit(50_000, LimitSource.OPERATOR)
        at.ledger.send(Entry(10, A1, Scope.MANUAL, limit, EntryState.SENT, START))
        await at.send(order(11, 40_000))
        assert max(command.limit.value_w for command in at.link.limits) == 10_000


async def test_a_write_that_never_returns_holds_raises_back_and_lets_lowers_go() -> None:
    async with desk() as at:
        high = order(9, 90_000)
        await at.send(high)
        at.land(high)
        at.store.hangs = True
        held_back = await at.send(order(10, 50_000), order(11, 40_000, key=B1))
        assert held_back == 1
        assert at.link.wire[2:] == ["A/1 50000", "A/1 50000 ok"]
        assert [e.text for e in at.events.after(0)] == ["no answer"]
        assert at.ledger.worst_case_w(B1) == 0


@pytest.mark.parametrize(("takes_s", "held_back"), [(0.9, 0), (1.1, 1)])
async def test_a_raise_that_took_too_long_to_write_is_taken_back(
    takes_s: float, held_back: int
) -> None:
    async with desk() as at:
        at.store.write_takes_s = takes_s
        assert await at.send(order(9, 50_000)) == held_back
        assert at.ledger.worst_case_w(A1) == (0 if held_back else 50_000)


# ------------------------------------------------------------------------ checked once more


async def test_raises_that_would_break_the_law_are_held_back_with_an_alarm() -> None:
    async with desk() as at:
        with capture_logs() as logs:
            held_back = await at.send(order(9, 150_000), order(10, 60_000, key=B1))
        assert held_back == 2
        assert at.link.wire == []
        assert at.ledger.total_w() == 0
        assert [e.text for e in at.events.after(0) if e.kind == "ledger_law"] == [
            "raises held back: {'grid': 10000}"
        ]
        assert [e["event"] for e in logs if e["log_level"] == "critical"] == ["ledger_law"]


async def test_what_was_overdrawn_before_holds_no_lower_back() -> None:
    async with desk() as at:
        high = order(9, 150_000)
        await at.send(high)
        at.land(high)
        at.ledger.rebuild(replace(at.ledger.station, grid_limit_w=100_000))
        assert await at.send(order(10, 50_000)) == 0
        assert at.kinds() == []


async def test_a_link_that_breaks_counts_as_silence() -> None:
    async with desk() as at:

        def breaks(command: SetLimit) -> Answer:
            raise RuntimeError("bug")

        at.link.script = breaks
        with capture_logs() as logs:
            await at.send(order(9, 50_000))
        assert [a.answer.outcome for a in at.answers] == [Outcome.TIMEOUT]
        assert [e["event"] for e in logs if e["log_level"] == "error"] == ["set_limit_failed"]


async def test_changes_are_written_later_if_there_are_any() -> None:
    async with desk() as at:
        at.sender.keep([])
        assert at.store.kept_later == []
        at.sender.keep([order(9, 1).entry])
        assert at.store.kept_later == [order(9, 1).entry]


async def test_a_limit_below_what_goes_on_anyhow_lowers_nothing() -> None:
    async with desk() as at:
        at.ledger.set_floor(A1, 5_000)
        at.link.script = lambda _: None
        await at.send(order(9, 0))
        assert not at.sender.lowers_outstanding(START, 2.0)
        assert at.ledger.worst_case_w(A1) == 5_000
