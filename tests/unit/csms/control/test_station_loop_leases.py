"""Limits that end by themselves: to whom, how long, and what their end frees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from csms.dispatch.capability import Proof
from csms.dispatch.commands import Form, Purpose, Scope, SetLimit
from csms.dispatch.commissioning import Lessons
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.ports import Answer, Outcome
from csms.station.facts import ChargerBooted, GridLimitGiven, MeterSample, VehicleMaximumDeclared
from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Limit,
    LimitSource,
    RateUnit,
    Station,
    Told,
)
from tests.stations import charger, station
from tests.unit.csms.control.fakes import (
    NO,
    ROUNDS,
    START,
    YES,
    FakeClock,
    FaultyStore,
    Rig,
    keeping_back,
    rig,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1 = ConnectorKey("B", 1)
LEASE_S, SKEW_S = 300.0, 60.0
NOT_SENT = Answer(Outcome.NOT_SENT, "not connected")


def site_of(*, fallback_w: int = 0, lease: bool | None = True) -> Station:
    """A shows that it keeps to the end of its limits, B does not."""
    first = charger("A", fallback_w=fallback_w)
    return station(
        replace(first, capabilities=Told(lease=lease)),
        charger("B", fallback_w=fallback_w),
        grid_limit_w=200_000,
    )


async def says_time(site: Rig, ahead_s: float, key: ConnectorKey = A1) -> None:
    """The charger sends a meter value that tells its time."""
    now = site.clock.now()
    site.loop.post(MeterSample(key, now, measured_at=now + ahead_s, soc_pct=50.0))
    await site.quiet()


def ends(site: Rig, key: ConnectorKey) -> tuple[float | None, float | None]:
    """When the newest limit ends by what the charger was told, and for how long it counts."""
    newest = site.newest(key)
    return newest.limit.expires_at, newest.counts_until


# ------------------------------------------------------------------------------ to whom


async def test_only_a_charger_shown_to_keep_to_an_end_is_given_one() -> None:
    async with rig(site_of(), "A", "B") as site:
        await site.start(A1, 60_000)
        await site.start(B1, 60_000)
        assert ends(site, A1) == (START + LEASE_S, START + LEASE_S + SKEW_S)
        assert ends(site, B1) == (None, None)
        assert [c.limit.expires_at for c in site.link.limits if c.scope is Scope.DEFAULT] == (
            [None] * 4
        )


async def test_a_charger_whose_time_is_not_known_is_given_an_end_when_it_is() -> None:
    async with rig(site_of(), "A") as site:
        await site.start(A1, 60_000)
        await site.disconnect("A")
        await site.connect("A")
        assert ends(site, A1) == (None, None)
        site.clock.advance(5.0)
        await says_time(site, 2.0)
        assert ends(site, A1) == (START + 5.0 + LEASE_S, START + 5.0 + LEASE_S + SKEW_S)
        assert site.loop.settled
        sent = len(site.link.limits)
        await says_time(site, 2.0)
        assert len(site.link.limits) == sent


async def test_a_charger_whose_clock_is_wrong_is_given_no_end() -> None:
    async with rig(site_of(), "A") as site:
        await says_time(site, 61.0, A2)
        site.clock.advance(1.0)
        await says_time(site, 61.0, A2)
        site.plug_in(A1, 60_000)
        await site.quiet()
        contact = site.loop.contacts.get("A")
        assert contact is not None
        assert contact.clock_ahead_s == 61.0
        assert ends(site, A1) == (None, None)


async def test_leases_of_a_clock_that_goes_wrong_count_until_a_later_limit_is_confirmed() -> None:
    async with rig(site_of(), "A", "B") as site:
        await site.start(A1, 120_000)
        await says_time(site, 61.0)
        assert [e.text for e in site.events.after(0) if e.kind == "clock_wrong"] == ["A by 61 s"]
        assert ends(site, A1)[1] is None
        await site.disconnect("A")
        await site.later(LEASE_S + SKEW_S + 1.0)
        await site.start(B1)
        assert site.counted() == {"A/1": 120_000, "B/1": 80_000}
        kept = [e for e in await site.store.load("SITE") if e.connector == A1 and e.session_id]
        assert [e.counts_until for e in kept] == [None]


async def test_a_clock_found_wrong_in_a_new_contact_lets_no_earlier_lease_run_out() -> None:
    async with rig(site_of(), "A", "B") as site:
        await site.start(A1, 120_000)
        await site.disconnect("A")
        site.link.configuration_ready.clear()
        await site.connect("A")
        await says_time(site, -3_600.0)
        await says_time(site, -3_600.0)
        assert [e.text for e in site.events.after(0) if e.kind == "clock_wrong"] == ["A by -3600 s"]
        await site.disconnect("A")
        await site.start(B1)
        await site.later(LEASE_S + SKEW_S + 1.0)
        assert site.counted() == {"A/1": 120_000, "B/1": 80_000}
        site.link.configuration_ready.set()


async def test_a_clock_that_is_set_back_gets_no_lease_from_its_first_reading_on() -> None:
    async with rig(site_of(), "A") as site:
        await site.start(A1, 60_000)
        await says_time(site, 0.0)
        await says_time(site, -3_600.0)
        assert ends(site, A1) == (START + LEASE_S, None)
        site.clock.advance(LEASE_S / 2)
        await says_time(site, -3_600.0)
        assert ends(site, A1) == (None, None)
        assert "clock_wrong" not in site.kinds()
        await says_time(site, 0.0)
        assert ends(site, A1)[1] == START + 1.5 * LEASE_S + SKEW_S


async def test_another_firmware_has_to_show_anew_that_it_keeps_to_an_end() -> None:
    async with rig(site_of(lease=None), "A", "B") as site:
        state = site.loop.state.chargers["A"]
        book = site.loop._capabilities  # noqa: SLF001
        site.loop.post(ChargerBooted("A", START, firmware="1"))
        await site.quiet()
        book.commissioned(site.loop.state.station.chargers[0], state, Lessons(lease=Proof.YES))
        await site.start(A1, 120_000)
        assert ends(site, A1)[1] == START + LEASE_S + SKEW_S
        # It is known again, and runs on: its limits end as before.
        site.link.script = lambda _: NOT_SENT
        site.loop.post(ChargerBooted("A", START, firmware="1"))
        await site.quiet()
        assert site.loop.ledger.next_expiry() == START + LEASE_S + SKEW_S
        site.loop.post(ChargerBooted("A", START, firmware="2"))
        await site.quiet()
        assert site.loop.ledger.next_expiry() is None
        site.link.script = lambda _: YES
        await site.later(LEASE_S / 2)
        assert ends(site, A1) == (None, None)


# ---------------------------------------------------------------------------- how long


async def test_a_lease_is_renewed_at_half_its_life_and_counts_from_then_on() -> None:
    async with rig(site_of(), "A") as site:
        await site.start(A1, 60_000)
        site.link.wire.clear()
        await site.later(LEASE_S / 2 - 0.1)
        assert site.link.wire == []
        await site.later(0.1)
        assert site.link.wire == ["A/1 60000", "A/1 60000 ok"]
        assert ends(site, A1)[0] == START + 1.5 * LEASE_S
        assert site.counted() == {"A/1": 60_000}
        assert site.loop.settled
        assert [e.token for e in site.loop.ledger.entries() if e.session_id] == [
            site.newest(A1).token
        ]


async def test_the_end_of_a_lease_out_of_reach_frees_its_power_and_no_sooner() -> None:
    async with rig(site_of(fallback_w=4_000), "A", "B") as site:
        await site.start(A1, 120_000)
        await site.disconnect("A")
        await site.start(B1)
        held = {"A/1": 120_000, "A/2": 4_000, "B/1": 72_000, "B/2": 4_000}
        assert site.counted() == held
        await site.later(LEASE_S + SKEW_S - 0.1)
        assert site.counted() == held
        await site.later(0.1)
        assert site.counted() == {"A/1": 4_000, "A/2": 4_000, "B/1": 188_000, "B/2": 4_000}
        kept = [e for e in await site.store.load("SITE") if e.connector == A1 and e.session_id]
        assert [(e.limit.value_w, e.counts_until) for e in kept] == [(4_000, None)]


async def test_a_lease_of_a_charger_found_not_to_keep_to_ends_frees_nothing() -> None:
    async with rig(site_of(fallback_w=4_000), "A", "B") as site:
        await site.start(A1, 120_000)
        await site.disconnect("A")
        await site.renew(site_of(fallback_w=4_000, lease=False))
        await site.start(B1)
        await site.later(LEASE_S + SKEW_S + 1.0)
        assert site.counted() == {"A/1": 120_000, "A/2": 4_000, "B/1": 72_000, "B/2": 4_000}


async def test_a_fallback_that_means_other_watts_now_is_sent_again() -> None:
    def ac(phases: int) -> Station:
        outlet = Connector(A1, 22_000, CurrentType.AC, phases=phases, fallback_w=4_140)
        return station(Charger("A", 22_000, (outlet,)), grid_limit_w=200_000)

    async with rig(ac(1), "A") as site:
        assert site.counted() == {"A/1": 4_140}
        sent = len(site.link.limits)
        site.link.script = lambda _: None
        await site.renew(ac(3))
        assert site.counted() == {"A/1": 22_000}
        site.link.release()
        await site.quiet()
        assert [c.phases for c in site.link.limits[sent:]] == [3]
        assert site.counted() == {"A/1": 4_140}


async def test_the_loop_wakes_when_a_lease_runs_out() -> None:
    async with rig(site_of(), "A") as site:
        await site.start(A1, 60_000)
        await site.disconnect("A")
        await site.later(LEASE_S + SKEW_S - 0.25)
        assert site.loop._pause_s() == 0.25  # noqa: SLF001


async def test_a_charger_that_is_back_after_its_lease_gets_its_share_again_into_room_only() -> None:
    async with rig(site_of(), "A", "B") as site:
        await site.start(A1, 120_000)
        await site.disconnect("A")
        await site.start(B1)
        await site.later(LEASE_S + SKEW_S)
        assert site.counted() == {"B/1": 200_000}
        site.link.wire.clear()
        site.link.script = keeping_back(B1)
        await site.connect("A")
        assert "B/1 100000" in site.link.wire
        assert "A/1 100000" not in site.link.wire
        site.link.release()
        await site.quiet()
        assert site.counted() == {"A/1": 100_000, "B/1": 100_000}


# ------------------------------------------------------------------- after a start of csms


async def test_the_first_cycle_after_a_start_only_lowers() -> None:
    async with rig(site_of(), "A", "B") as site:
        await site.start(A1, 60_000)
        await site.start(B1, 60_000)
        site.link.wire.clear()
        site.loop._first = True  # noqa: SLF001
        site.loop.post(VehicleMaximumDeclared(A1, START, 30_000))
        site.loop.post(VehicleMaximumDeclared(B1, START, 90_000))
        await site.loop.caught_up()
        await site.loop.caught_up()
        # The raise has room, and leaves in the second cycle.
        assert site.link.wire[:3] == ["A/1 30000", "A/1 30000 ok", "B/1 90000"]
        await site.quiet()
        assert site.limits() == {"A/1": 30_000, "B/1": 90_000}


async def test_what_was_kept_counts_until_it_has_run_out_whoever_connects() -> None:
    lease = Entry(
        1,
        A1,
        Scope.SESSION,
        Limit(150_000, LimitSource.GRID, START + 100.0),
        EntryState.SENT,
        START - 200.0,
        session_id="s9",
        counts_until=START + 160.0,
        after_w=4_000,
    )
    fallbacks = [
        Entry(n, key, Scope.DEFAULT, Limit(0, LimitSource.FALLBACK), EntryState.CONFIRMED, START)
        for n, key in enumerate((A1, A2), start=2)
    ]
    async with rig(site_of(), "B", entries=[lease, *fallbacks], seen=["A", "B"]) as site:
        await site.start(B1)
        assert site.counted() == {"A/1": 150_000, "B/1": 50_000}
        await site.later(160.0)
        assert site.counted() == {"A/1": 4_000, "B/1": 196_000}


# ------------------------------------------------------------------------ forms refused


def txprofile_is_refused(command: SetLimit) -> Answer:
    return NO if command.form.purpose is Purpose.SESSION else YES


async def test_a_charger_that_takes_defaults_only_is_limited_by_them_from_then_on() -> None:
    async with rig(site_of(fallback_w=4_000), "A") as site:
        site.link.script = txprofile_is_refused
        await site.start(A1, 60_000)
        last = site.link.limits[-1]
        assert last.form == Form(Purpose.DEFAULT, RateUnit.WATTS)
        assert (last.scope, last.limit.value_w, last.session_id) == (Scope.DEFAULT, 60_000, None)
        site.link.limits.clear()
        site.loop.post(VehicleMaximumDeclared(A1, site.clock.now(), 80_000))
        await site.quiet()
        assert [(c.scope, c.limit.value_w, c.transaction_id) for c in site.link.limits] == [
            (Scope.DEFAULT, 80_000, None)
        ]
        assert site.loop.settled
        site.link.limits.clear()
        await site.end(A1)
        assert [(str(c.connector), c.scope, c.limit.value_w) for c in site.link.limits] == [
            ("A/1", Scope.DEFAULT, 4_000)
        ]
        assert site.counted() == {"A/1": 4_000, "A/2": 4_000, "B/1": 4_000, "B/2": 4_000}
        site.link.limits.clear()
        await site.start(A1, 50_000)
        assert [(c.scope, c.limit.value_w) for c in site.link.limits] == [(Scope.DEFAULT, 50_000)]


async def test_a_limit_that_was_never_sent_is_taken_back_and_tried_again() -> None:
    async with rig(site_of(), "A") as site:
        site.link.script = lambda c: NOT_SENT if c.scope is Scope.SESSION else YES
        await site.start(A1, 60_000)
        assert site.counted() == {}
        assert [e for e in site.loop.ledger.entries() if e.session_id] == []
        assert [e.text for e in site.events.after(0) if e.kind == "limit_not_sent"] == [
            "A/1 60.0 kW: not sent not connected"
        ]
        site.link.script = lambda _: YES
        await site.later(0.3)
        assert site.counted() == {"A/1": 60_000}


# ------------------------------------------------------------------------ a store that hangs


class HangingStore(FaultyStore):
    """A store whose writes never return while it hangs."""

    hangs = False

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.tried = 0

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        if self.hangs:
            self.tried += 1
            await asyncio.Event().wait()
        await super().write(station_id, entries)


async def test_a_write_that_never_returns_lets_the_lower_go_and_holds_the_raise_back() -> None:
    store = HangingStore()
    async with rig(site_of(), "A", "B", store=store) as site:
        await site.start(A1)
        store.hangs = True
        site.link.wire.clear()
        site.plug_in(B1)
        while store.tried < 2:  # the lower, and then the raise that has room for it
            await site.loop.caught_up()
        assert site.link.wire == ["A/1 100000", "A/1 100000 ok"]
        assert site.counted() == {"A/1": 100_000}
        assert site.kinds().count("ledger_not_written") == 1
        assert not site.loop.settled
        store.hangs = False
        await site.quiet()
        assert site.counted() == {"A/1": 100_000, "B/1": 100_000}


async def test_no_limit_without_an_end_outlives_the_lease_that_the_store_knows_of() -> None:
    store = FaultyStore()
    async with rig(site_of(fallback_w=4_000), "A", "B", store=store) as site:
        await site.start(A1)
        await site.start(B1)
        kept = await store.load("SITE")
        store.broken = True
        await site.disconnect("A")
        await site.connect("A")
        # What it holds is not told again, while it cannot be told an end.
        assert site.newest(A1).limit.expires_at == START + LEASE_S
        sent = len(site.link.limits)
        site.loop.post(GridLimitGiven(site.clock.now(), 120_000, None, None))
        for _ in range(ROUNDS):
            await site.loop.caught_up()
        told = [c for c in site.link.limits[sent:] if c.connector == A1]
        assert [(c.limit.value_w, c.limit.expires_at) for c in told] == [(4_000, None)]
        store.broken = False
    after = Ledger(site.loop.state.station, kept, "AB")
    after.expire(START + LEASE_S + SKEW_S)
    assert after.worst_case_w(A1) == 4_000


# ------------------------------------------------------------------------ forgetful chargers


@pytest.mark.parametrize(
    "told", [Told(survives_reconnect=False), Told(survives_reboot=False, lease=True)]
)
async def test_a_charger_that_forgets_its_limits_counts_at_its_maximum_always(told: Told) -> None:
    forgetful = replace(charger("A", max_power_w=50_000, connectors=1), capabilities=told)
    built = station(forgetful, charger("B", connectors=1), grid_limit_w=200_000)
    async with rig(built, "A", "B") as site:
        assert site.counted() == {"A/1": 50_000}
        await site.start(A1, 20_000)
        await site.start(B1)
        # What is kept free for it whatever it is told, it may have.
        assert site.limits() == {"A/1": 50_000, "B/1": 150_000}
        await site.disconnect("A")
        await site.later(LEASE_S + SKEW_S + 1.0)
        assert site.counted() == {"A/1": 50_000, "B/1": 150_000}


async def test_power_that_somebody_else_reports_says_nothing_of_the_chargers_clock() -> None:
    async with rig(site_of(), "A", "B") as site:
        await site.start(A1, 60_000)
        kept = ends(site, A1)
        assert kept == (START + LEASE_S, START + LEASE_S + SKEW_S)
        site.loop.post(MeterSample(A1, site.clock.now(), power_w=50_000, by_charger=False))
        await site.quiet()
        assert ends(site, A1) == kept
