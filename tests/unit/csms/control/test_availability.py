"""ChangeAvailability by hand, beside what csms does about connectors that do not obey."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from csms.control.availability import AvailabilitySent
from csms.dispatch.by_hand import Availability
from csms.dispatch.compliance import Cause, Step
from csms.dispatch.conviction import Conviction
from csms.errors import ChargerSilentError, NotPardonedError, UnknownChargerError
from csms.ports import Exchange, Outcome
from csms.station.model import ConnectorKey
from tests.stations import charger, station
from tests.unit.csms.control.fakes import FaultyStore, Site, exchange, site

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
SITE = station(charger("A"))
BAD = Conviction(A1, Cause.LIMIT, 150_000, 150_000, 50_000, Step.UNAVAILABLE, 900.0)


async def say(at: Site, connector_id: int, *, operative: bool) -> Exchange:
    payload = {
        "connectorId": connector_id,
        "type": "Operative" if operative else "Inoperative",
    }
    ended = await at.supervisor.commands().call("A", "ChangeAvailability", payload)
    await at.quiet()
    return ended


async def pardon(at: Site, key: ConnectorKey = A1) -> None:
    await at.supervisor.pardon(key)
    await at.quiet()


def kept(store: FaultyStore) -> dict[str, tuple[bool, bool]]:
    """Which connectors are out of service, by csms and by an operator."""
    known = store._convictions.get("SITE", {})  # noqa: SLF001
    return {str(key): (c.out_of_service, c.by_hand) for key, c in known.items()}


def convicted(*kept: Conviction) -> FaultyStore:
    store = FaultyStore()
    store.convict_later("SITE", {c.connector: c for c in kept})
    return store


async def test_it_is_sent_and_kept_until_it_is_taken_back() -> None:
    store = FaultyStore()
    async with site(SITE, store=store) as at:
        await at.connect("A")
        assert await say(at, 0, operative=False) == exchange()
        assert kept(store) == {"A/1": (False, True), "A/2": (False, True)}
        await say(at, 1, operative=True)
        assert kept(store) == {"A/2": (False, True)}
        await say(at, 0, operative=True)
        assert kept(store) == {}
        assert at.link.named("change_availability") == []


async def test_a_pardon_leaves_what_an_operator_took_out_of_service() -> None:
    store = convicted(BAD)
    async with site(SITE, store=store) as at:
        await at.connect("A")
        assert at.link.named("change_availability") == [("A", 1, False)]
        await say(at, 1, operative=False)
        await pardon(at)
        assert at.link.named("change_availability") == [("A", 1, False)]
        assert kept(store)["A/1"] == (False, True)
        told = [e.text for e in at.supervisor.events() if e.kind == "pardoned"]
        assert told == ["A/1; out of service by hand, and stays so"]
        await say(at, 1, operative=True)
        assert kept(store)["A/1"] == (False, False)


async def test_what_an_operator_took_out_is_not_put_back_after_a_restart() -> None:
    out = Conviction(A1, None, 0, 0, 0, Step.NONE, 0.0, out_of_service=True, by_hand=True)
    store = convicted(out)
    async with site(SITE, store=store) as at:
        await at.connect("A")
        await pardon(at)
        assert at.link.named("change_availability") == []
        assert kept(store) == {"A/1": (False, True)}


@pytest.mark.parametrize("connector_id", [0, 1])
async def test_what_does_not_obey_is_not_put_back_by_hand_before_a_pardon(
    connector_id: int,
) -> None:
    async with site(SITE, store=convicted(BAD)) as at:
        await at.connect("A")
        with pytest.raises(NotPardonedError, match=r"A/1: out of service.*pardon it first"):
            await say(at, connector_id, operative=True)
        assert at.link.named("call") == []
        await say(at, 2, operative=True)
        await pardon(at)
        await say(at, connector_id, operative=True)
        assert len(at.link.named("call")) == 2


@pytest.mark.parametrize(
    ("outcome", "stands"),
    [
        (Outcome.REJECTED, {}),
        (Outcome.UNSUPPORTED, {}),
        (Outcome.INVALID, {"A/1": (False, True)}),
        (Outcome.ACCEPTED, {"A/1": (False, True)}),
    ],
)
async def test_only_a_no_takes_it_back(
    outcome: Outcome, stands: dict[str, tuple[bool, bool]]
) -> None:
    store = FaultyStore()
    async with site(SITE, store=store) as at:
        await at.connect("A")
        at.link.calls = lambda _: exchange(outcome)
        await say(at, 1, operative=False)
        assert kept(store) == stands


async def test_silence_does_not_take_it_back_but_what_never_left_does() -> None:
    store = FaultyStore()
    async with site(SITE, store=store) as at:
        await at.connect("A")
        at.link.calls = lambda _: exchange(Outcome.TIMEOUT)
        with pytest.raises(ChargerSilentError):
            await say(at, 1, operative=False)
        at.link.calls = lambda _: exchange(Outcome.NOT_SENT)
        with pytest.raises(ChargerSilentError, match="was not sent"):
            await say(at, 2, operative=False)
        await at.quiet()
        assert kept(store) == {"A/1": (False, True)}


async def test_a_request_that_breaks_may_have_been_sent() -> None:
    store = FaultyStore()

    def breaks(_: str) -> Exchange:
        raise ZeroDivisionError

    async with site(SITE, store=store) as at:
        await at.connect("A")
        at.link.calls = breaks
        with capture_logs() as logs, pytest.raises(ChargerSilentError):
            await say(at, 1, operative=False)
        assert "call_by_hand_failed" in [e["event"] for e in logs]
        assert kept(store) == {"A/1": (False, True)}


async def test_a_charger_that_is_gone_when_its_turn_comes() -> None:
    async with site(SITE) as at:
        done: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

        async def call() -> Exchange:
            raise AssertionError

        said = Availability(0, operative=False)
        for _ in range(2):
            at.loop().post(AvailabilitySent(at.clock, "Z", said, call, done))
        with pytest.raises(UnknownChargerError):
            await at.loop().result(done)


async def test_the_end_of_csms_is_the_end_of_the_wait() -> None:
    async def waits(at: Site) -> None:
        with pytest.raises(ChargerSilentError, match="being stopped"):
            await say(at, 1, operative=False)

    async with asyncio.TaskGroup() as tasks, site(SITE) as at:
        await at.connect("A")
        at.link.calls = lambda _: None
        tasks.create_task(waits(at))
        await at.quiet()
