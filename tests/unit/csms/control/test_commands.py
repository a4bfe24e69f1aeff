from __future__ import annotations

import pytest

from csms.control.commands import ChargerCommands
from csms.control.events import EventLog
from csms.control.reports import ReportBook
from csms.errors import (
    ChargerOfflineError,
    ChargerSilentError,
    KeyRefusedError,
    PayloadRefusedError,
    UnknownActionError,
    UnknownChargerError,
    UnknownStationError,
)
from csms.ports import ChargerReport, Exchange, Outcome, Topic
from tests.stations import charger, station
from tests.unit.csms.control.fakes import START, exchange, security_of, site

SITE = station(charger("A"))


async def test_a_request_is_sent_and_its_end_returned() -> None:
    async with site(SITE) as at:
        await at.connect("A")
        ended = await at.supervisor.commands().call("A", "Reset", {"type": "Soft"})
        assert ended == exchange()
        assert ("call", "A", "Reset", {"type": "Soft"}) in at.link.requests
        events = [e.text for e in at.supervisor.events() if e.kind == "command"]
        assert events == ["A Reset"]


async def test_a_callerror_is_an_end_like_others() -> None:
    async with site(SITE) as at:
        await at.connect("A")
        at.link.calls = lambda _: exchange(Outcome.UNSUPPORTED, code="NotSupported")
        ended = await at.supervisor.commands().call("A", "ClearCache", {})
        assert (ended.error_code, ended.answer) == ("NotSupported", None)


@pytest.mark.parametrize(
    ("outcome", "error", "words"),
    [
        (Outcome.TIMEOUT, ChargerSilentError, "did not answer: ClearCache, message m1, after 1.0"),
        (Outcome.DISCONNECTED, ChargerSilentError, "lost its connection"),
        (Outcome.NOT_SENT, ChargerSilentError, "was busy"),
    ],
)
async def test_no_answer_is_an_error(outcome: Outcome, error: type[Exception], words: str) -> None:
    async with site(SITE) as at:
        await at.connect("A")
        at.link.calls = lambda _: exchange(outcome)
        with pytest.raises(error, match=words):
            await at.supervisor.commands().call("A", "ClearCache", {})


async def test_a_charger_that_goes_before_it_is_asked() -> None:
    async with site(SITE) as at:
        await at.connect("A")

        def gone(_: str) -> Exchange:
            at.link.connected.clear()
            return exchange(Outcome.NOT_SENT)

        at.link.calls = gone
        with pytest.raises(ChargerOfflineError, match="was not sent"):
            await at.supervisor.commands().call("A", "ClearCache", {})


async def test_what_cannot_be_asked() -> None:
    async with site(SITE) as at:
        commands = at.supervisor.commands()
        with pytest.raises(UnknownChargerError):
            await commands.call("Z", "ClearCache", {})
        with pytest.raises(UnknownActionError, match="'Heartbeat' is no request"):
            await commands.call("A", "Heartbeat", {})
        with pytest.raises(PayloadRefusedError, match="Reset: type: 'Warm'"):
            await commands.call("A", "Reset", {"type": "Warm"})
        with pytest.raises(PayloadRefusedError):
            await commands.call("A", "Reset", {"type": float("nan")}, force=True)
        with pytest.raises(ChargerOfflineError):
            await commands.call("A", "Reset", {"type": "Soft"})
        assert at.link.requests == []


async def test_force_sends_what_is_not_as_the_standard_has_it() -> None:
    async with site(SITE) as at:
        await at.connect("A")
        await at.supervisor.commands().call("A", "Reset", {"type": "Warm"}, force=True)
        assert ("call", "A", "Reset", {"type": "Warm"}) in at.link.requests


async def test_what_a_charger_said_and_ids_for_requests() -> None:
    async with site(SITE) as at:
        commands = at.supervisor.commands()
        report = ChargerReport("A", Topic.LOG, "Uploaded", START)
        await at.supervisor.recorder.report(report)
        assert commands.reports("A", Topic.LOG) == [report]
        with pytest.raises(UnknownChargerError):
            commands.reports("Z", Topic.LOG)
        first = commands.new_request_id()
        assert commands.new_request_id() == first + 1
        assert 0 < first < 2**31


KEY = "0123456789abcdefghij"
TOLD = KEY.encode().hex().upper()


@pytest.mark.parametrize(
    ("outcome", "good"),
    [(Outcome.ACCEPTED, True), (Outcome.TIMEOUT, True), (Outcome.REJECTED, False)],
)
async def test_a_key_told_by_hand_is_good_before_the_charger_knows_it(
    outcome: Outcome, good: bool
) -> None:
    async with site(SITE) as at:
        await at.connect("A")
        book = at.security.book
        good_when_told: list[bool] = []

        def tell(_: str) -> Exchange:
            good_when_told.append(book.verify("A", KEY.encode()) is not None)
            return exchange(outcome)

        at.link.calls = tell
        payload = {"key": "authorizationkey", "value": KEY}
        asked = at.supervisor.commands().call("A", "ChangeConfiguration", payload)
        if outcome is Outcome.TIMEOUT:
            with pytest.raises(ChargerSilentError):
                await asked
        else:
            assert (await asked).outcome is outcome
        told = {"key": "authorizationkey", "value": TOLD}
        assert ("call", "A", "ChangeConfiguration", told) in at.link.requests
        assert good_when_told == [True]
        assert (book.verify("A", KEY.encode()) is not None) is good


@pytest.mark.parametrize("value", ["short", "x" * 21, 12345678])
async def test_a_key_that_is_none_is_not_told(value: object) -> None:
    async with site(SITE) as at:
        await at.connect("A")
        before = list(at.link.requests)
        payload = {"key": "AuthorizationKey", "value": value}
        with pytest.raises(KeyRefusedError):
            await at.supervisor.commands().call("A", "ChangeConfiguration", payload, force=True)
        assert at.link.requests == before


async def test_nobody_waits_for_a_station_that_has_been_removed() -> None:
    async with site(SITE) as at:
        await at.connect("A")
        loop = at.loop()
    commands = ChargerCommands(
        link=at.link,
        clock=at.clock,
        events=EventLog(at.clock),
        store=at.store,
        token=lambda: 1,
        reports=ReportBook(at.store),
        loop_of=lambda _: loop,
        keys=security_of(at.store, at.link, at.clock).desk,
    )
    with pytest.raises(UnknownStationError, match="has been removed"):
        await commands.call("A", "ClearChargingProfile", {})
