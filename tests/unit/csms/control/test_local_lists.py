from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from csms.control.local_lists import ListState, ListStatus
from csms.errors import ChargerOfflineError, StorageError, UnknownChargerError
from csms.ports import Answer, IdToken, LocalListUpdate, Outcome, TokenStatus
from tests.unit.csms.control.desk import Desk, desk
from tests.unit.csms.control.fakes import NO, SILENCE, START, YES

A, B, C = (IdToken(name) for name in "ABC")
MISMATCH = Answer(Outcome.REJECTED, "VersionMismatch")


class Lists:
    """The lists of a desk, with the charger A connected."""

    def __init__(self, it: Desk) -> None:
        self.link, self.store = it.rig.link, it.rig.store
        self.link.configuration["LocalAuthListEnabled"] = "true"
        self.lists = it.access.local_lists

    async def sync(self, *tokens: IdToken) -> ListStatus:
        """Bring the list to exactly these tokens."""
        for token in await self.store.load_tokens():
            await self.store.remove_token(token.id_token)
        await self.store.save_tokens(tokens)
        self.link.requests.clear()
        return await self.lists.sync("A")

    def sent(self) -> list[LocalListUpdate]:
        found = [asked[1] for asked in self.link.named("send_local_list")]
        assert all(isinstance(update, LocalListUpdate) for update in found)
        return found  # type: ignore[return-value]

    def kinds(self) -> list[tuple[int, bool]]:
        return [(update.version, update.full) for update in self.sent()]


@asynccontextmanager
async def lists() -> AsyncIterator[Lists]:
    async with desk() as it:
        yield Lists(it)


async def test_a_list_is_sent_whole_and_then_by_its_changes() -> None:
    async with lists() as it:
        assert await it.lists.status("A") == ListStatus("A")
        status = await it.sync(A, B)
        assert it.sent() == [LocalListUpdate(2, full=True, entries=(A, B))]
        expected = ListStatus("A", ListState.IN_SYNC, 2, 2, 0, enabled=True, at=START)
        assert status == expected == await it.lists.status("A")
        status = await it.sync(B, C)
        assert it.sent() == [LocalListUpdate(3, full=False, entries=(C,), removed=("A",))]
        assert (status.version, status.entries) == (3, 2)


async def test_a_list_that_is_up_to_date_is_left_alone() -> None:
    async with lists() as it:
        await it.sync(A)
        assert (await it.sync(A)).state is ListState.IN_SYNC
        assert it.sent() == []


@pytest.mark.parametrize("version", [0, 1, 77])
async def test_a_list_of_another_version_is_sent_whole(version: int) -> None:
    async with lists() as it:
        await it.sync(A)
        it.link.list_version = version
        status = await it.sync(A, B)
        assert it.kinds() == [(max(2, version) + 2, True)]
        assert status.state is ListState.IN_SYNC


@pytest.mark.parametrize("answer", [MISMATCH, Answer(Outcome.REJECTED, "Failed")])
async def test_a_change_that_is_refused_is_followed_by_the_whole_list(answer: Answer) -> None:
    async with lists() as it:
        await it.sync(A)
        it.link.list_answers = [answer]
        status = await it.sync(A, B)
        assert it.kinds() == [(3, False), (4, True)]
        assert (status.state, status.version, status.entries) == (ListState.IN_SYNC, 4, 2)


async def test_a_whole_list_that_is_refused_is_not_in_force() -> None:
    async with lists() as it:
        it.link.list_answers = [MISMATCH]
        status = await it.sync(A)
        assert (status.state, status.version) == (ListState.REFUSED, 0)
        assert status.detail == "VersionMismatch"


async def test_silence_leaves_open_what_the_charger_holds() -> None:
    async with lists() as it:
        await it.sync(A)
        it.link.list_answers = [SILENCE]
        status = await it.sync(A, B)
        assert (status.state, status.version, status.entries) == (ListState.UNANSWERED, 2, 1)
        it.link.list_version = 3  # it had applied the change
        assert (await it.sync(A, B)).state is ListState.IN_SYNC
        assert it.kinds() == [(5, True)]


async def test_long_lists_go_in_parts_and_go_on_where_they_were_cut() -> None:
    async with lists() as it:
        it.link.configuration["SendLocalListMaxLength"] = "2"
        many = [IdToken(f"T{number}") for number in range(5)]
        it.link.list_answers = [YES, SILENCE]
        assert (await it.sync(*many)).state is ListState.UNANSWERED
        assert it.kinds() == [(2, True), (3, False)]
        status = await it.sync(*many)
        assert it.kinds() == [(3, False), (4, False)]
        assert (status.state, status.entries) == (ListState.IN_SYNC, 5)


async def test_what_does_not_fit_is_left_out() -> None:
    async with lists() as it:
        it.link.configuration["LocalAuthListMaxLength"] = " 2 "
        status = await it.sync(IdToken("A", TokenStatus.BLOCKED), B, C)
        assert it.sent()[0].entries == (B, C)
        assert (status.entries, status.left_out) == (2, 1)


@pytest.mark.parametrize(
    "answer", [Answer(Outcome.UNSUPPORTED, "version -1"), Answer(Outcome.UNSUPPORTED)]
)
async def test_a_charger_without_a_list_is_sent_none(answer: Answer) -> None:
    async with lists() as it:
        it.link.answers["local_list_version"] = answer
        status = await it.sync(A)
        assert (status.state, it.sent()) == (ListState.UNSUPPORTED, [])
        assert status.detail in {"version -1", "unsupported"}


async def test_a_charger_that_holds_no_entry_is_sent_none() -> None:
    async with lists() as it:
        it.link.configuration["LocalAuthListMaxLength"] = "0"
        assert (await it.sync(A)).state is ListState.UNSUPPORTED
        assert it.sent() == []


@pytest.mark.parametrize(
    ("answer", "state"), [(SILENCE, ListState.UNANSWERED), (NO, ListState.REFUSED)]
)
async def test_a_charger_that_does_not_tell_its_version_is_sent_nothing(
    answer: Answer, state: ListState
) -> None:
    async with lists() as it:
        it.link.answers["local_list_version"] = answer
        assert (await it.sync(A)).state is state
        assert it.sent() == []


async def test_a_charger_that_does_not_use_its_list_is_said_so() -> None:
    async with lists() as it:
        it.link.configuration["LocalAuthListEnabled"] = "False"
        assert (await it.sync(A)).enabled is False
        it.link.configuration["LocalAuthListEnabled"] = "perhaps"
        assert (await it.sync(A)).enabled is None


async def test_who_is_not_there_is_sent_nothing() -> None:
    async with lists() as it:
        with pytest.raises(UnknownChargerError):
            await it.lists.sync("Z")
        with pytest.raises(UnknownChargerError):
            await it.lists.status("Z")
        it.link.connected.clear()
        with pytest.raises(ChargerOfflineError):
            await it.lists.sync("A")


async def test_a_list_that_cannot_be_kept_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lists() as it:

        async def fails(_charger_id: str, _document: object) -> None:
            raise StorageError("disk full")

        monkeypatch.setattr(it.store, "save_local_list", fails)
        with pytest.raises(StorageError):
            await it.sync(A)
        assert (await it.lists.status("A")).state is ListState.NEVER_SENT
