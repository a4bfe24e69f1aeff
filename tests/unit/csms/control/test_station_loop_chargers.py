"""Chargers and sessions that come and go."""

from __future__ import annotations

from csms.control.sender import LimitAnswered
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.station.facts import (
    ChargerBooted,
    SessionEnded,
    VehicleMaximumDeclared,
)
from csms.station.model import (
    ConnectorKey,
)
from tests.stations import charger, station, two_chargers
from tests.unit.csms.control.fakes import (
    GONE,
    NO,
    SILENCE,
    START,
    YES,
    answering,
    keeping_back,
    refusing,
    rig,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1, B2 = ConnectorKey("B", 1), ConnectorKey("B", 2)


# ------------------------------------------------------------------------ chargers come and go


async def test_an_offline_charger_counts_at_its_last_limit() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 120_000)
        await site.disconnect("A")
        assert site.conditions() == [Condition.OFFLINE_RESERVED, Condition.CONTROLLED]
        await site.start(B1)
        assert site.limits() == {"A/1": 120_000, "B/1": 80_000}
        assert site.counted() == {"A/1": 120_000, "B/1": 80_000}
        assert site.kinds().count("charger_disconnected") == 1


async def test_a_charger_never_seen_counts_at_its_fallback() -> None:
    async with rig(two_chargers(fallback_w=10_000), "B") as site:
        await site.start(B1)
        # 200 kW less 2 x 10 kW on A and 10 kW on the other connector of B.
        assert site.limits() == {"B/1": 170_000}


async def test_a_reconnected_charger_is_given_its_limits_again() -> None:
    async with rig(two_chargers(), "A", "B") as site:
        await site.start(A1, 120_000)
        await site.disconnect("A")
        await site.start(B1)
        site.link.wire.clear()
        await site.connect("A")
        assert site.link.wire[:2] == ["A/1 default 0", "A/2 default 0"]
        assert "A/1 100000 ok" in site.link.wire
        assert site.limits() == {"A/1": 100_000, "B/1": 100_000}
        count = len(site.link.wire)
        await site.later(60.0)
        assert len(site.link.wire) == count


async def test_a_new_socket_replaces_the_old_one() -> None:
    async with rig(two_chargers(), "A") as site:
        await site.start(A1, 120_000)
        site.clock.advance(5.0)
        site.link.wire.clear()
        await site.connect("A")
        assert "A/1 120000 ok" in site.link.wire
        contact = site.loop.contacts.get("A")
        assert contact is not None
        assert contact.since == START + 5.0


async def test_a_reconnected_charger_is_not_kept_waiting_for_an_old_failure() -> None:
    async with rig(two_chargers(), "A") as site:
        site.link.script = answering(GONE, A1)
        await site.start(A1, 120_000)
        await site.disconnect("A")
        site.link.script = lambda _: YES
        await site.connect("A")
        assert site.link.wire[-1] == "A/1 120000 ok"


async def test_neither_a_reboot_nor_a_new_session_waits_for_an_old_failure() -> None:
    async with rig(two_chargers(), "A") as site:
        site.link.script = refusing(NO, A1)
        await site.start(A1, 120_000)
        site.link.script = lambda _: YES
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        assert site.link.wire[-1] == "A/1 120000 ok"
        site.link.script = refusing(NO, A1)
        site.loop.post(VehicleMaximumDeclared(A1, site.clock.now(), 90_000))
        await site.quiet()
        site.link.script = lambda _: YES
        await site.end(A1)
        await site.start(A1, 50_000)
        assert site.link.wire[-1] == "A/1 50000 ok"


async def test_a_rebooted_charger_is_given_its_limits_again() -> None:
    async with rig(two_chargers(), "A") as site:
        await site.start(A1, 120_000)
        site.link.wire.clear()
        site.link.script = keeping_back(A1)
        site.loop.post(ChargerBooted("A", site.clock.now(), "ACME", "Fast"))
        await site.quiet()
        assert site.link.wire[:2] == ["A/1 default 0", "A/2 default 0"]
        assert site.link.wire[-1] == "A/1 120000"
        doubted = [e for e in site.store.kept_later if e.state is EntryState.UNANSWERED]
        assert [(e.connector, e.limit.value_w) for e in doubted] == [
            (A1, 0),
            (A1, 120_000),
            (A2, 0),
        ]
        site.link.release()
        await site.quiet()
        assert {e.state for e in site.loop.ledger.entries()} == {EntryState.CONFIRMED}
        assert [e.text for e in site.events.after(0) if e.kind == "charger_booted"] == [
            "A ACME Fast"
        ]


async def test_a_charger_without_a_confirmed_fallback_is_waited_for_and_then_reckoned_with() -> (
    None
):
    async with rig(two_chargers(300_000), "B") as site:
        await site.start(B1)
        site.link.script = answering(NO, A1, A2, scope=Scope.DEFAULT)
        await site.connect("A")
        assert site.conditions() == [Condition.REGISTERING, Condition.CONTROLLED]
        assert site.limits() == {"B/1": 200_000}
        await site.later(14.0)
        assert site.conditions() == [Condition.REGISTERING, Condition.CONTROLLED]
        assert site.limits() == {"B/1": 200_000}
        await site.later(1.0)
        # From now on A counts at its 200 kW.
        assert site.conditions() == [Condition.UNCONTROLLED, Condition.CONTROLLED]
        assert site.limits() == {"B/1": 100_000}
        site.link.script = lambda _: YES
        await site.later(60.0)
        assert site.conditions() == [Condition.CONTROLLED, Condition.CONTROLLED]
        assert site.limits() == {"B/1": 200_000}


# ------------------------------------------------------------------------------ sessions


async def test_a_session_that_is_replaced_takes_its_limits_with_it() -> None:
    async with rig(two_chargers(), "A") as site:
        await site.start(A1, 150_000)
        site.link.unplugged(A1)
        await site.start(A1, 40_000)
        assert site.link.last(A1).session_id == "s2"
        assert site.counted() == {"A/1": 40_000}
        assert {e.session_id for e in site.loop.ledger.entries()} == {None, "s2"}
        assert {e.session_id for e in await site.store.load("SITE")} == {None, "s2"}


async def test_the_same_start_again_changes_nothing() -> None:
    async with rig(two_chargers(), "A") as site:
        await site.start(A1, 150_000)
        site.sessions = 0
        before = list(site.link.limits)
        await site.start(A1, 150_000)
        assert site.link.limits == before
        assert site.counted() == {"A/1": 150_000}


async def test_the_end_of_an_older_session_told_again_takes_nothing_from_the_next() -> None:
    async with rig(two_chargers(), "A") as site:
        await site.start(A1, 150_000)
        await site.start(A1, 40_000)
        await site.disconnect("A")
        site.link.script = lambda c: None if c.scope is Scope.DEFAULT else YES
        await site.connect("A")
        site.link.wire.clear()
        site.loop.post(SessionEnded(site.clock.now(), "s1", A1))
        await site.quiet()
        site.link.release()
        await site.quiet()
        assert site.link.wire[-1] == "A/1 40000 ok"
        assert "session_ended" not in site.kinds()


async def test_a_session_on_a_connector_the_station_does_not_have_is_no_error() -> None:
    async with rig(two_chargers(), "A") as site:
        nowhere = ConnectorKey("A", 9)
        await site.start(nowhere)
        await site.end(nowhere)
        assert site.counted() == {}
        assert site.loop.state.sessions() == []


async def test_a_late_yes_from_before_a_reboot_confirms_no_fallback() -> None:
    async with rig(two_chargers(), "B") as site:
        site.link.script = answering(SILENCE, A1, scope=Scope.DEFAULT)
        await site.connect("A")
        old = next(c for c in site.link.limits if c.connector == A1)
        # What it is told after the reboot is still on its way when the old answer comes.
        site.link.script = lambda c: None if c.connector == A1 else YES
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        site.loop.post(LimitAnswered(old, YES, late=True))
        await site.quiet()
        assert not site.loop.ledger.confirmed(A1)
        assert site.counted()["A/1"] == 200_000


async def test_a_yes_that_comes_after_a_reboot_is_asked_for_again() -> None:
    async with rig(two_chargers(), "B") as site:
        site.link.script = lambda c: None if c.connector == A1 else YES
        await site.connect("A")
        site.loop.post(ChargerBooted("A", site.clock.now()))
        site.link.script = lambda _: YES
        await site.quiet()
        sent = len([c for c in site.link.limits if c.connector == A1])
        site.link.release()
        await site.quiet()
        assert len([c for c in site.link.limits if c.connector == A1]) == sent + 1
        assert site.loop.ledger.confirmed(A1)


async def test_what_a_reboot_has_lost_is_told_again_without_waiting() -> None:
    async with rig(two_chargers(), "B") as site:
        site.link.script = lambda c: None if c.connector == A1 else YES
        await site.connect("A")
        site.loop.post(ChargerBooted("A", site.clock.now()))
        site.link.script = lambda _: YES
        await site.quiet()
        site.link.release(SILENCE)
        await site.quiet()
        assert site.loop.ledger.confirmed(A1)


async def test_what_an_idle_charger_refused_is_tried_again_when_a_session_begins() -> None:
    built = station(charger("A", max_power_w=50_000, connectors=1, fallback_w=5_000))
    async with rig(built) as site:
        site.link.script = refusing(NO, A1)
        await site.connect("A")
        await site.later(200.0)
        refused = len(site.link.limits)
        site.link.script = refusing(NO)
        await site.quiet()
        assert len(site.link.limits) == refused
        await site.start(A1, 20_000)
        assert site.counted() == {"A/1": 20_000}
