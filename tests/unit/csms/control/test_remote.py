from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from csms.control.remote import RemoteRequests, is_same_token
from csms.errors import ChargerRefusedError, ChargerSilentError, ConnectorOccupiedError
from csms.ports import Answer, Outcome
from csms.station.model import ConnectorKey
from tests.unit.csms.control.fakes import GONE, NO, SILENCE, FakeLink

ONE = ConnectorKey("CP001", 1)
TWO = ConnectorKey("CP001", 2)
LONG_S = 3_600.0


class Setting:
    """Requests over a link on which the charger does what a test says."""

    def __init__(self, timeout_s: float = LONG_S) -> None:
        self.link = FakeLink()
        self.requests = RemoteRequests(self.link, timeout_s)

    def starts_at_once(self, session_id: str = "s1") -> None:
        async def started(connector: ConnectorKey, id_token: str) -> None:
            self.requests.session_started(connector, session_id, id_token)

        self.link.on_remote_start = started

    def stops_at_once(self, session_id: str = "s1") -> None:
        async def stopped(charger_id: str, transaction_id: int) -> None:
            self.requests.session_ended(session_id)

        self.link.on_remote_stop = stopped


async def turns(count: int = 5) -> None:
    """Let other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_start_ends_when_the_charger_reports_the_session() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(setting.requests.start(ONE, "TAG", 50_000))
        await turns()
        assert not starting.done()
        setting.requests.session_started(TWO, "another connector", "TAG")
        await turns()
        assert not starting.done()
        setting.requests.session_started(ONE, "s1", "TAG")
        setting.requests.session_started(ONE, "reported twice", "TAG")
    assert starting.result() == "s1"
    assert setting.link.named("remote_start") == [(ONE, "TAG")]


async def test_the_session_may_be_reported_before_the_request_is_answered() -> None:
    setting = Setting(timeout_s=0)
    setting.starts_at_once()
    assert await setting.requests.start(ONE, "TAG", None) == "s1"


async def test_a_session_that_was_reported_counts_more_than_the_answer() -> None:
    setting = Setting(timeout_s=0)
    setting.starts_at_once()
    setting.link.answers["remote_start"] = NO
    assert await setting.requests.start(ONE, "TAG", None) == "s1"


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNSUPPORTED, Outcome.INVALID])
async def test_a_refused_start_says_so(outcome: Outcome) -> None:
    setting = Setting()
    setting.link.answers["remote_start"] = Answer(outcome, "Faulted")
    with pytest.raises(ChargerRefusedError) as raised:
        await setting.requests.start(ONE, "TAG", None)
    assert str(raised.value) == (
        "the charger refused to start a session on connector CP001/1: Faulted"
    )


async def test_a_refusal_without_a_word_of_its_own_says_what_it_was() -> None:
    setting = Setting()
    setting.link.answers["remote_start"] = Answer(Outcome.REJECTED)
    with pytest.raises(ChargerRefusedError, match=r"connector CP001/1: rejected$"):
        await setting.requests.start(ONE, "TAG", None)


@pytest.mark.parametrize("answer", [SILENCE, GONE])
async def test_a_start_without_an_answer_says_so(answer: Answer) -> None:
    setting = Setting()
    setting.link.answers["remote_start"] = answer
    with pytest.raises(ChargerSilentError) as raised:
        await setting.requests.start(ONE, "TAG", None)
    assert str(raised.value) == (
        f"no answer to the request to start a session on connector CP001/1 ({answer.outcome.value})"
    )


async def test_an_accepted_start_that_never_comes_says_so() -> None:
    setting = Setting(timeout_s=0)
    with pytest.raises(ChargerSilentError) as raised:
        await setting.requests.start(ONE, "TAG", None)
    assert str(raised.value) == (
        "connector CP001/1 accepted to start a session but reported none within 0 s: "
        "perhaps no vehicle is plugged in"
    )


async def test_one_start_per_connector_at_a_time() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(setting.requests.start(ONE, "TAG", None))
        other = tasks.create_task(setting.requests.start(TWO, "TAG", None))
        await turns()
        with pytest.raises(ConnectorOccupiedError, match="being started on connector CP001/1"):
            await setting.requests.start(ONE, "TAG", None)
        setting.requests.session_started(ONE, "s1", "TAG")
        setting.requests.session_started(TWO, "s2", "TAG")
    assert (starting.result(), other.result()) == ("s1", "s2")


@pytest.mark.parametrize("answer", [NO, SILENCE, None])
async def test_a_connector_is_free_again_after_a_start_failed(answer: Answer | None) -> None:
    setting = Setting(timeout_s=0)
    if answer is not None:
        setting.link.answers["remote_start"] = answer
    with pytest.raises((ChargerRefusedError, ChargerSilentError)):
        await setting.requests.start(ONE, "TAG", 1)
    assert setting.requests.declared_for(ONE, "TAG") is None
    setting.link.answers.clear()
    setting.starts_at_once()
    assert await setting.requests.start(ONE, "TAG", None) == "s1"


async def test_what_was_declared_is_known_while_the_start_is_in_hand() -> None:
    setting = Setting()
    assert setting.requests.declared_for(ONE, "TAG") is None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(setting.requests.start(ONE, "TAG", 50_000))
        await turns()
        assert setting.requests.declared_for(ONE, "TAG") == 50_000
        assert setting.requests.declared_for(ONE, "OTHER") is None
        assert setting.requests.declared_for(TWO, "TAG") is None
        setting.requests.session_started(ONE, "s1", "TAG")
    assert setting.requests.declared_for(ONE, "TAG") is None


async def test_another_drivers_session_ends_the_start_at_once() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(error_of(setting.requests.start(ONE, "MINE", 50_000)))
        await turns()
        setting.requests.session_started(ONE, "s1", "DRIVER")
        setting.requests.session_started(ONE, "s2", "MINE")
    assert starting.result() == "another driver started a session on connector CP001/1"


async def test_another_drivers_session_counts_more_than_the_answer() -> None:
    setting = Setting()

    async def other(connector: ConnectorKey, id_token: str) -> None:
        setting.requests.session_started(connector, "s1", "DRIVER")

    setting.link.on_remote_start = other
    setting.link.answers["remote_start"] = NO
    with pytest.raises(ConnectorOccupiedError, match="another driver"):
        await setting.requests.start(ONE, "MINE", None)


async def error_of(starting: Coroutine[Any, Any, str]) -> str:
    with pytest.raises(ConnectorOccupiedError) as raised:
        await starting
    return str(raised.value)


@pytest.mark.parametrize(
    ("asked", "reported", "same"),
    [
        ("CSMS", "CSMS", True),
        ("Csms", "cSMS", True),
        ("CSMS", " CSMS ", True),
        ("CSMS", "CSM", False),
        ("CSMS", "CSMSX", False),
        ("CSMS", "", False),
        ("ABCDEFGHIJKLMNOPQRST", "ABCDEFGHIJKLMNO", True),
        ("ABCDEFGHIJKLMNOPQRST", "abcdefghijklmnop????", True),
        ("ABCDEFGHIJKLMNOPQRST", "ABCDEFGH", True),
        ("ABCDEFGHIJKLMNOPQRST", "ABCDEFG", False),
        ("ABCDEFGHIJKLMNOPQRST", "ABCDEFGHX", False),
    ],
)
async def test_a_token_is_known_again_also_when_it_was_cut(
    asked: str, reported: str, same: bool
) -> None:
    assert is_same_token(asked, reported) is same


async def test_a_charger_that_names_no_token_did_what_it_was_asked() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(setting.requests.start(ONE, "TAG", 50_000))
        await turns()
        assert setting.requests.declared_for(ONE, "") == 50_000
        assert not setting.requests.asked_for("CP001", "")
        setting.requests.session_started(ONE, "s1", "")
    assert starting.result() == "s1"


async def test_a_session_nobody_asked_for_is_no_error() -> None:
    setting = Setting()
    setting.requests.session_started(ONE, "s1", "TAG")
    setting.requests.session_ended("s1")
    assert setting.link.requests == []


async def test_a_stop_ends_when_the_charger_reports_the_end() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        stopping = tasks.create_task(setting.requests.stop("CP001", 7, "s1"))
        await turns()
        setting.requests.session_ended("another session")
        await turns()
        assert not stopping.done()
        setting.requests.session_ended("s1")
        setting.requests.session_ended("s1")
    assert setting.link.named("remote_stop") == [("CP001", 7)]


async def test_the_end_may_be_reported_before_the_request_is_answered() -> None:
    setting = Setting(timeout_s=0)
    setting.stops_at_once()
    setting.link.answers["remote_stop"] = SILENCE
    await setting.requests.stop("CP001", 7, "s1")
    assert setting.link.named("remote_stop") == [("CP001", 7)]


async def test_a_refused_stop_says_so() -> None:
    setting = Setting()
    setting.link.answers["remote_stop"] = Answer(Outcome.REJECTED)
    with pytest.raises(ChargerRefusedError) as raised:
        await setting.requests.stop("CP001", 7, "s1")
    assert str(raised.value) == "the charger refused to stop session s1: rejected"


@pytest.mark.parametrize("answer", [SILENCE, GONE])
async def test_a_stop_without_an_answer_says_so(answer: Answer) -> None:
    setting = Setting()
    setting.link.answers["remote_stop"] = answer
    with pytest.raises(ChargerSilentError, match="no answer to the request to stop session s1"):
        await setting.requests.stop("CP001", 7, "s1")


async def test_an_accepted_stop_that_never_comes_says_so() -> None:
    setting = Setting(timeout_s=0)
    with pytest.raises(ChargerSilentError) as raised:
        await setting.requests.stop("CP001", 7, "s1")
    assert str(raised.value) == (
        "charger CP001 accepted to stop session s1 but did not report its end within 0 s"
    )


async def test_everybody_who_asked_to_stop_hears_of_the_end() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(setting.requests.stop("CP001", 7, "s1"))
        tasks.create_task(setting.requests.stop("CP001", 7, "s1"))
        await turns()
        setting.requests.session_ended("s1")
    assert setting.link.named("remote_stop") == [("CP001", 7), ("CP001", 7)]


async def test_a_second_stop_that_is_refused_does_not_end_the_wait_of_the_first() -> None:
    setting = Setting()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(setting.requests.stop("CP001", 7, "s1"))
        await turns()
        setting.link.answers["remote_stop"] = NO
        with pytest.raises(ChargerRefusedError):
            await setting.requests.stop("CP001", 7, "s1")
        setting.requests.session_ended("s1")
        await turns()
        told = first.done()
        first.cancel()
    assert told


async def test_nothing_is_kept_of_requests_that_are_over() -> None:
    setting = Setting(timeout_s=0)
    setting.starts_at_once()
    setting.stops_at_once()
    await setting.requests.start(ONE, "TAG", None)
    await setting.requests.stop("CP001", 7, "s1")
    with pytest.raises(ChargerSilentError):
        await setting.requests.stop("CP001", 7, "s2")
    assert setting.requests._starts == {}  # noqa: SLF001
    assert setting.requests._stops == {}  # noqa: SLF001


async def test_a_token_is_asked_for_while_its_start_is_in_hand() -> None:
    setting = Setting()
    assert not setting.requests.asked_for("CP001", "TAG")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(setting.requests.start(ONE, "TAG", None))
        await turns()
        assert setting.requests.asked_for("CP001", "TAG")
        assert not setting.requests.asked_for("CP001", "OTHER")
        assert not setting.requests.asked_for("CP002", "TAG")
        setting.requests.session_started(ONE, "s1", "TAG")
    assert not setting.requests.asked_for("CP001", "TAG")
