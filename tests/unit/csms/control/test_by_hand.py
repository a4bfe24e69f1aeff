"""Charging profiles sent by hand: in the ledger first, and never more than fits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from csms.control.under_test import Target
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.errors import ChargerSilentError, LimitRefusedError, StorageError
from csms.ports import Exchange, Outcome
from csms.station.model import ConnectorKey, LimitSource
from tests.stations import charger, station
from tests.unit.csms.control.fakes import FaultyStore, Site, exchange, site

A1, B1 = ConnectorKey("A", 1), ConnectorKey("B", 1)
SITE = station(
    charger("A", max_power_w=150_000, connectors=1),
    charger("B", max_power_w=100_000, connectors=1),
    grid_limit_w=200_000,
)


def request(limit: float = 60_000, **changes: Any) -> dict[str, Any]:
    profile = {
        "chargingProfileId": 1_000,
        "stackLevel": 5,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
        **changes,
    }
    return {"connectorId": 1, "csChargingProfiles": profile}


async def send(
    at: Site, payload: Mapping[str, Any], charger_id: str = "A", action: str = "SetChargingProfile"
) -> Exchange:
    ended = await at.supervisor.commands().call(charger_id, action, payload)
    await at.quiet()
    return ended


async def clear(at: Site, **filters: Any) -> Exchange:
    return await send(at, filters, action="ClearChargingProfile")


def manual(at: Site) -> list[Entry]:
    return [e for e in at.loop().ledger.entries() if e.scope is Scope.MANUAL]


def worst_w(at: Site, key: ConnectorKey = A1) -> int:
    return at.loop().ledger.worst_case_w(key)


async def connected(at: Site) -> None:
    await at.connect("A")
    await at.connect("B")
    assert (worst_w(at, A1), worst_w(at, B1)) == (0, 0)


async def test_it_is_durable_and_counts_before_it_is_sent() -> None:
    store = FaultyStore()
    async with site(SITE, store=store) as at:
        await connected(at)
        seen: list[tuple[int, int]] = []

        def look(_: str) -> Exchange:
            written = [e for batch in store.writes for e in batch if e.scope is Scope.MANUAL]
            seen.append((worst_w(at), written[0].limit.value_w))
            return exchange()

        at.link.calls = look
        assert (await send(at, request())).answer == {"status": "Accepted"}
        assert seen == [(60_000, 60_000)]
        (entry,) = manual(at)
        assert (entry.limit.source, entry.state) == (LimitSource.OPERATOR, EntryState.CONFIRMED)
        assert entry.stack_level == 5
        assert entry in await store.load("SITE")


async def test_csms_gives_its_own_limits_again_and_the_one_by_hand_goes_on_counting() -> None:
    async with site(SITE) as at:
        await connected(at)
        before = len(at.link.limits)
        await send(at, request())
        assert [c.scope for c in at.link.limits[before:]] == [Scope.DEFAULT]
        assert worst_w(at) == 60_000


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.REJECTED, EntryState.REFUSED),
        (Outcome.UNSUPPORTED, EntryState.REFUSED),
        (Outcome.ACCEPTED, EntryState.CONFIRMED),
    ],
)
async def test_no_answer_frees_anything(outcome: Outcome, state: EntryState) -> None:
    async with site(SITE) as at:
        await connected(at)
        at.link.calls = lambda _: exchange(outcome)
        await send(at, request())
        assert [e.state for e in manual(at)] == [state]
        assert worst_w(at) == 60_000


async def test_silence_frees_nothing_and_a_late_answer_is_taken() -> None:
    async with site(SITE) as at:
        await connected(at)
        at.link.calls = lambda _: exchange(Outcome.TIMEOUT)
        with pytest.raises(ChargerSilentError):
            await send(at, request())
        await at.quiet()
        assert [e.state for e in manual(at)] == [EntryState.UNANSWERED]
        shown = at.supervisor.status("SITE").connector(A1)
        assert shown.reason == "a profile sent by hand may be in force"
        on_late = at.link.late_calls[-1]
        assert on_late is not None
        on_late(exchange())
        await at.quiet()
        assert [e.state for e in manual(at)] == [EntryState.CONFIRMED]


async def test_what_was_never_sent_counts_no_more() -> None:
    async with site(SITE) as at:
        await connected(at)
        at.link.calls = lambda _: exchange(Outcome.NOT_SENT)
        with pytest.raises(ChargerSilentError):
            await send(at, request())
        await at.quiet()
        assert (manual(at), worst_w(at)) == ([], 0)


async def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    async with site(SITE) as at:
        await connected(at)
        await send(at, request(120_000))
        with pytest.raises(LimitRefusedError, match=r"B/1 100.0 kW.*too much for grid by 20.0 kW"):
            await send(at, request(100_000), "B")
        assert [e.connector for e in manual(at)] == [A1]
        assert [r[1] for r in at.link.requests if r[0] == "call"] == ["A"]


async def test_an_id_of_csms_is_refused() -> None:
    async with site(SITE) as at:
        await connected(at)
        with pytest.raises(LimitRefusedError, match="chargingProfileId"):
            await send(at, request(chargingProfileId=3))
        assert manual(at) == []


async def test_a_limit_that_cannot_be_kept_is_not_sent() -> None:
    store = FaultyStore()
    async with site(SITE, store=store) as at:
        await connected(at)
        store.broken = True
        with pytest.raises(StorageError, match="disk full"):
            await send(at, request())
        await at.quiet()
        assert manual(at) == []
        assert [r for r in at.link.requests if r[0] == "call"] == []


async def test_that_of_a_session_ends_with_it() -> None:
    async with site(SITE) as at:
        await connected(at)
        at.obeying()
        transaction_id = await at.start(A1)
        purpose = {"chargingProfilePurpose": "TxProfile", "transactionId": transaction_id}
        await send(at, request(150_000, **purpose))
        (session,) = at.supervisor.status("SITE").sessions()
        assert [e.session_id for e in manual(at)] == [session.session_id]
        await at.supervisor.sessions().stop("SITE", session.session_id)
        await at.quiet()
        assert (manual(at), worst_w(at)) == ([], 0)


async def test_a_session_that_ends_while_it_is_on_its_way() -> None:
    async with site(SITE) as at:
        await connected(at)
        at.obeying()
        transaction_id = await at.start(A1)
        (session,) = at.supervisor.status("SITE").sessions()
        at.link.calls = lambda _: None
        purpose = {"chargingProfilePurpose": "TxProfile", "transactionId": transaction_id}
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(send(at, request(150_000, **purpose)))
            await at.quiet()
            await at.supervisor.sessions().stop("SITE", session.session_id)
            await at.quiet()
            assert len(manual(at)) == 1
            assert at.link.held_call is not None
            at.link.held_call.set_result(exchange())
            await sending
        assert manual(at) == []


async def test_clearing_counts_at_the_maximum_until_the_fallback_is_confirmed_again() -> None:
    async with site(SITE) as at:
        await connected(at)
        await send(at, request())
        at.link.calls = lambda _: None
        async with asyncio.TaskGroup() as tasks:
            clearing = tasks.create_task(clear(at))
            await at.quiet()
            assert worst_w(at) == 150_000
            at.link.script = lambda _: None
            assert at.link.held_call is not None
            at.link.held_call.set_result(exchange())
            await clearing
        assert manual(at) == []
        assert worst_w(at) == 150_000
        at.link.release()
        await at.quiet()
        assert worst_w(at) == 0


@pytest.mark.parametrize(
    ("outcome", "filters", "left_w"),
    [
        (Outcome.ACCEPTED, {"id": 1_000}, 60_000),
        (Outcome.REJECTED, {}, 60_000),
        (Outcome.ACCEPTED, {}, 0),
    ],
)
async def test_only_clearing_everything_frees_what_was_sent_by_hand(
    outcome: Outcome, filters: dict[str, Any], left_w: int
) -> None:
    async with site(SITE) as at:
        await connected(at)
        await send(at, request())
        at.link.calls = lambda _: exchange(outcome)
        await clear(at, **filters)
        assert worst_w(at) == left_w


async def test_a_charger_whose_connectors_share_its_maximum_can_be_cleared() -> None:
    pair = station(
        charger("A", max_power_w=150_000, connectors=2),
        charger("B", max_power_w=100_000, connectors=1),
        grid_limit_w=200_000,
    )
    async with site(pair) as at:
        await connected(at)
        await send(at, request())
        at.link.calls = lambda _: exchange(Outcome.DISCONNECTED)
        with pytest.raises(ChargerSilentError):
            await clear(at)
        # Each connector may give all that the charger has, both together no more than that.
        assert [worst_w(at, ConnectorKey("A", n)) for n in (1, 2)] == [150_000] * 2
        assert at.loop().ledger.charger_w("A") == 150_000
        shown = at.supervisor.status("SITE").connector(A1)
        assert shown.reason == "its limits may have been cleared"
        at.link.calls = lambda _: exchange()
        await clear(at)
        assert manual(at) == []
        assert worst_w(at) == 0


async def test_an_unanswered_clear_counts_at_the_maximum() -> None:
    async with site(SITE) as at:
        await connected(at)
        at.link.calls = lambda _: exchange(Outcome.DISCONNECTED)
        with pytest.raises(ChargerSilentError):
            await clear(at)
        await at.quiet()
        assert worst_w(at) == 150_000
        at.link.calls = lambda _: exchange()
        await clear(at)
        assert worst_w(at) == 0


async def test_so_many_may_count_and_no_more() -> None:
    async with site(SITE) as at:
        await connected(at)
        for _ in range(16):
            await send(at, request(1_000))
        with pytest.raises(LimitRefusedError, match="16 limits sent by hand"):
            await send(at, request(1_000))
        await clear(at)
        await send(at, request(1_000))


async def test_not_while_the_charger_is_being_commissioned() -> None:
    async with site(SITE) as at:
        await connected(at)
        at.loop().under_test.hold(A1, Target())
        with pytest.raises(LimitRefusedError, match="is being commissioned"):
            await send(at, request())
        await at.supervisor.commands().call("A", "ClearCache", {})


async def test_a_link_that_fails_leaves_the_limit_in_doubt() -> None:
    async with site(SITE) as at:
        await connected(at)

        def fails(_: str) -> Exchange:
            raise RuntimeError

        at.link.calls = fails
        with pytest.raises(ChargerSilentError):
            await send(at, request())
        await at.quiet()
        assert [e.state for e in manual(at)] == [EntryState.UNANSWERED]


async def test_nobody_waits_for_ever_when_csms_is_stopped() -> None:
    async with asyncio.TaskGroup() as tasks:
        async with site(SITE) as at:
            await connected(at)
            at.link.calls = lambda _: None
            sending = tasks.create_task(told_why(at))
            await at.quiet()
        assert await sending == "csms is being stopped"


async def told_why(at: Site) -> str:
    try:
        await at.supervisor.commands().call("A", "SetChargingProfile", request())
    except ChargerSilentError as error:
        return str(error)
    return "answered"
