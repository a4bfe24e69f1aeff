"""In which form a charger is told a limit, and what its answers teach."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace

import pytest

from csms.control.capabilities import CapabilityBook
from csms.control.contact import Contact
from csms.control.orders import Order, OrderBook
from csms.dispatch.capability import Proof, ladder
from csms.dispatch.commands import Form, Kind, Purpose, Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.dispatch.planner import Wish
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import Charger, ConnectorKey, Limit, LimitSource, RateUnit, Told
from csms.station.state import StationState
from csms.storage.memory import MemoryStore
from tests.stations import charger, station

NOW = 1_000.0
A1 = ConnectorKey("A", 1)
TX = Form(Purpose.SESSION, RateUnit.WATTS)
POLICY = DispatchPolicy(lease_s=200.0, clock_skew_s=30.0)


def contact(ahead_s: float | None = 0.0) -> Contact:
    built = Contact(NOW)
    if ahead_s is not None:
        built.said_time(NOW + ahead_s, NOW)
    return built


def wish(value_w: int = 90_000, *, scope: Scope = Scope.SESSION, lease: bool = True) -> Wish:
    limit = Limit(value_w, LimitSource.GRID)
    if scope is Scope.DEFAULT:
        return Wish(A1, scope, limit, lease=lease)
    return Wish(A1, scope, limit, "s1", 7, lease=lease)


@dataclass
class Bench:
    """An order book for one charger."""

    charger: Charger
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        state = StationState.of(station(self.charger))
        self.capabilities = CapabilityBook(self.store)
        self.book = OrderBook(state, self.capabilities, itertools.count(1), POLICY)

    def order(self, asked: Wish, known: Contact | None = None) -> Order:
        connector = self.charger.connectors[0]
        return self.book.order(asked, self.charger, connector, known or contact(), NOW)

    async def accepted(self, order: Order) -> None:
        async with asyncio.TaskGroup() as tasks:
            connector = self.charger.connectors[0]
            self.book.accepted(order.command, order.tried_as, self.charger, connector, tasks)

    async def refused(self, order: Order, *, unsupported: bool = False) -> bool:
        async with asyncio.TaskGroup() as tasks:
            return self.book.refused(
                order.command,
                order.tried_as,
                self.charger,
                self.charger.connectors[0],
                tasks,
                unsupported=unsupported,
            )

    def forms(self) -> tuple[Form, ...]:
        known = self.book.capability(self.charger)
        alone = len(self.charger.connectors) == 1
        return ladder(Scope.SESSION, self.charger.connectors[0], known, alone=alone)


def bench(*, connectors: int = 2, fallback_w: int = 3_000, lease: bool | None = None) -> Bench:
    built = charger("A", connectors=connectors, fallback_w=fallback_w)
    return Bench(replace(built, rate_unit=RateUnit.WATTS, capabilities=Told(lease=lease)))


# --------------------------------------------------------------------------------- leases


def test_a_lease_has_its_end_and_what_follows_it_in_the_command_and_in_the_ledger() -> None:
    order = bench(lease=True).order(wish())
    limit = Limit(90_000, LimitSource.GRID, NOW + 200.0)
    assert (order.command.limit, order.command.after_w) == (limit, 3_000)
    assert order.entry == Entry(
        1,
        A1,
        Scope.SESSION,
        limit,
        EntryState.SENT,
        NOW,
        session_id="s1",
        counts_until=NOW + 230.0,
        after_w=3_000,
    )


@pytest.mark.parametrize("lease", [None, False])
def test_a_charger_that_was_not_shown_to_keep_to_the_end_is_told_none(lease: bool | None) -> None:
    order = bench(lease=lease).order(wish())
    assert order.command.limit.expires_at is None
    assert (order.entry.counts_until, order.entry.after_w) == (None, 0)


@pytest.mark.parametrize(("ahead_s", "trusted"), [(None, False), (31.0, False), (-30.0, True)])
def test_only_a_clock_that_is_right_is_told_an_end(ahead_s: float | None, trusted: bool) -> None:
    order = bench(lease=True).order(wish(), contact(ahead_s))
    assert (order.command.limit.expires_at is not None) is trusted
    assert (order.entry.counts_until is not None) is trusted


def test_a_fallback_has_no_end() -> None:
    order = bench(lease=True).order(wish(3_000, scope=Scope.DEFAULT, lease=False))
    assert order.command.limit.expires_at is None
    assert order.command.scope is Scope.DEFAULT
    assert order.entry.counts_until is None


def test_a_limit_that_would_not_fall_needs_no_end() -> None:
    used = bench(lease=True, fallback_w=8_000)
    for value_w in (5_000, 8_000):
        order = used.order(wish(value_w))
        assert order.command.after_w == value_w
        assert (order.command.limit.expires_at, order.entry.counts_until) == (None, None)
    assert used.order(wish(8_001)).entry.after_w == 8_000


def test_a_limit_without_an_end_is_given_again_as_soon_as_it_can_have_one() -> None:
    used = bench(lease=True)

    def again(asked: Wish, in_force: Entry | None, known: Contact) -> bool:
        connector = used.charger.connectors[0]
        return used.book.wanting_end(asked, in_force, used.charger, connector, known).again

    endless = used.order(wish(), contact(None)).entry
    assert again(wish(), endless, contact())
    assert not again(wish(), endless, contact(None))
    assert not again(wish(), used.order(wish()).entry, contact())
    assert not again(wish(), None, contact())
    assert not again(wish(3_000), endless, contact())


async def test_a_form_without_room_for_an_end_is_no_lease() -> None:
    used = bench(lease=True)
    first = used.order(wish())
    await used.refused(first)
    second = used.order(wish())
    assert second.command.form == replace(TX, periods=1)
    assert second.command.limit.expires_at is None
    assert second.entry.counts_until is None


# ---------------------------------------------------------------------------------- forms


async def test_every_form_is_tried_in_order_and_then_the_first_again() -> None:
    used = bench()
    forms = used.forms()
    tried = []
    for _ in forms:
        order = used.order(wish())
        tried.append(order.command.form)
        exhausted = await used.refused(order)
    assert tuple(tried) == forms
    assert exhausted
    assert used.order(wish()).command.form == forms[0]


async def test_a_limit_written_as_the_default_counts_as_one() -> None:
    used = bench()
    order = used.order(wish())
    await used.refused(order, unsupported=True)
    order = used.order(wish())
    assert order.command.form.purpose is Purpose.DEFAULT
    assert order.tried_as is Scope.SESSION
    assert (order.command.scope, order.entry.scope) == (Scope.DEFAULT, Scope.DEFAULT)
    assert (order.command.session_id, order.command.transaction_id) == (None, None)
    assert order.entry.session_id is None


async def test_what_was_accepted_is_kept_and_written_so_from_then_on() -> None:
    used = bench()
    await used.refused(used.order(wish()), unsupported=True)
    await used.accepted(used.order(wish()))
    assert used.book.capability(used.charger).shares_slot
    shared = replace(wish(), scope=Scope.DEFAULT, session_id=None, transaction_id=None)
    assert used.order(shared).command.form == Form(Purpose.DEFAULT, RateUnit.WATTS)
    kept = await used.store.load_capabilities()
    assert kept["A"]["sessionForm"]["purpose"] == "default"


async def test_a_form_that_worked_is_given_another_chance() -> None:
    used = bench()
    await used.accepted(used.order(wish()))
    assert await used.refused(used.order(wish()))
    assert used.order(wish()).command.form == TX
    # Refused for the second time in a row: the next form.
    assert not await used.refused(used.order(wish()))
    assert used.order(wish()).command.form == replace(TX, periods=1)


async def test_a_form_that_worked_again_has_its_chance_again() -> None:
    used = bench()
    for _ in range(3):
        await used.accepted(used.order(wish()))
        assert await used.refused(used.order(wish()))
    assert used.order(wish()).command.form == TX


async def test_a_form_that_is_not_supported_gets_no_other_chance() -> None:
    used = bench()
    await used.accepted(used.order(wish()))
    await used.refused(used.order(wish()), unsupported=True)
    assert used.order(wish()).command.form.purpose is Purpose.DEFAULT


async def test_fallbacks_have_forms_of_their_own() -> None:
    used = bench()
    fallback = wish(3_000, scope=Scope.DEFAULT, lease=False)
    await used.refused(used.order(fallback))
    assert used.order(fallback).command.form == Form(
        Purpose.DEFAULT, RateUnit.WATTS, periods=1, kind=Kind.RELATIVE
    )
    assert used.order(wish()).command.form == TX


async def test_what_is_tried_on_a_connector_that_is_gone_is_forgotten() -> None:
    used = bench()
    await used.refused(used.order(wish()))
    assert used.order(wish()).command.form == replace(TX, periods=1)
    used.book.forget([A1])
    assert used.order(wish()).command.form == replace(TX, periods=1)
    used.book.forget([])
    assert used.order(wish()).command.form == TX


async def test_a_refusal_before_the_connector_went_is_forgotten_too() -> None:
    used = bench()
    await used.accepted(used.order(wish()))
    await used.refused(used.order(wish()))
    used.book.forget([])
    assert await used.refused(used.order(wish()))  # another chance, as if for the first time


async def test_the_charger_as_a_whole_is_limited_only_when_it_has_one_connector() -> None:
    for connectors, whole in ((1, True), (2, False)):
        used = bench(connectors=connectors)
        forms = []
        for _ in range(len(used.forms())):
            order = used.order(wish())
            forms.append(order.command.form.purpose)
            await used.refused(order)
        assert (Purpose.CHARGER in forms) is whole


def test_the_book_knows_what_is_configured() -> None:
    assert bench(lease=True).book.capability(bench(lease=True).charger).lease is Proof.YES


# ---------------------------------------------------------------- an end that is being tested


def test_an_end_under_test_is_told_to_anybody_and_counts_at_what_may_follow() -> None:
    asked = replace(wish(lease=False), ends_in_s=60.0)
    order = bench(lease=False).order(asked, contact(None))
    assert order.command.limit.expires_at == NOW + 60.0
    assert order.command.after_w == 3_000
    assert (order.entry.counts_until, order.entry.after_w) == (None, 200_000)


def test_a_form_without_an_end_cannot_be_tested_for_one() -> None:
    one_period = replace(charger("A"), capabilities=Told(periods=1))
    order = Bench(one_period).order(replace(wish(), ends_in_s=60.0))
    assert (order.command.limit.expires_at, order.entry.after_w) == (None, 0)
