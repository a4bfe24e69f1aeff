from __future__ import annotations

import asyncio

import pytest

from csms.control.recorder import RecorderSettings
from csms.errors import TokenExistsError, UnknownTokenError
from csms.ports import IdToken, TokenStatus
from csms.station.model import ConnectorKey
from csms.station.tokens import Concurrency
from tests.unit.csms.control.desk import A1, Desk, desk
from tests.unit.csms.control.fakes import START, start_report

A2 = ConnectorKey("A", 2)
LISTED = RecorderSettings(accept_unknown_tokens=False, id_tokens=frozenset({"Card", "CARD", "B"}))
ONE = IdToken("TAG", concurrency=Concurrency.ONE_PER_TOKEN)
FAMILY = "FAMILY"


async def test_the_tokens_of_the_settings_are_put_into_the_store_once() -> None:
    async with desk(LISTED) as it:
        await it.rig.store.save_token(IdToken("b", TokenStatus.BLOCKED))
        await it.access.tokens.fill()
        names = [token.id_token for token in await it.access.tokens.page(9)]
        assert names == ["b", "Card"]
        statuses = [
            (await it.recorder.authorize("A", name)).status for name in ("card", "B", "ELSE")
        ]
        assert statuses == [TokenStatus.ACCEPTED, TokenStatus.BLOCKED, TokenStatus.INVALID]


async def test_settings_without_tokens_fill_nothing() -> None:
    async with desk() as it:
        await it.access.tokens.fill()
        assert await it.access.tokens.page(9) == []


async def test_without_the_database_a_token_is_answered_as_it_was_last() -> None:
    strict = RecorderSettings(accept_unknown_tokens=False)
    async with desk(strict) as it:
        await it.rig.store.save_token(IdToken("GOOD"))
        await it.rig.store.save_token(IdToken("BAD", TokenStatus.BLOCKED))
        await it.rig.store.save_token(IdToken("NEVER ASKED FOR"))
        for name in ("GOOD", "BAD"):
            await it.recorder.authorize("A", name)
        it.rig.store.tokens_fail = True
        statuses = [
            (await it.recorder.authorize("A", name)).status
            for name in ("good", "BAD", "NEVER ASKED FOR")
        ]
        assert statuses == [TokenStatus.ACCEPTED, TokenStatus.BLOCKED, TokenStatus.INVALID]


async def test_only_the_tokens_asked_for_last_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("csms.control.tokens.REMEMBERED", 1)
    async with desk(RecorderSettings(accept_unknown_tokens=False)) as it:
        await it.access.tokens.put([IdToken("ONE"), IdToken("TWO")])
        await it.recorder.authorize("A", "ONE")
        await it.recorder.authorize("A", "TWO")
        it.rig.store.tokens_fail = True
        assert (await it.recorder.authorize("A", "ONE")).status is TokenStatus.INVALID
        assert (await it.recorder.authorize("A", "TWO")).status is TokenStatus.ACCEPTED


async def test_tokens_are_added_changed_and_removed() -> None:
    async with desk() as it:
        tokens = it.access.tokens
        await tokens.add(IdToken("TAG"))
        with pytest.raises(TokenExistsError, match="there is an id token 'tag' already"):
            await tokens.add(IdToken("tag"))
        await tokens.put([IdToken("tag", TokenStatus.BLOCKED), IdToken("TWO")])
        assert await tokens.find("TAG") == IdToken("tag", TokenStatus.BLOCKED)
        assert [t.id_token for t in await tokens.page(1, "TAG")] == ["TWO"]
        await tokens.remove("Tag")
        for asked in (tokens.find, tokens.remove):
            with pytest.raises(UnknownTokenError, match="no id token 'TAG'"):
                await asked("TAG")


async def test_a_driver_who_shows_no_token_may_be_let_in() -> None:
    free = RecorderSettings(accept_unknown_tokens=False, free_vend_token="FREE")  # noqa: S106
    async with desk(free) as it:
        assert await it.recorder.authorize("A", "") == IdToken("")
        await it.rig.store.save_token(IdToken("free", TokenStatus.BLOCKED))
        assert (await it.recorder.authorize("A", "")).status is TokenStatus.BLOCKED


# ------------------------------------------------------------------------------ one at a time


async def statuses_of(it: Desk, *starts: tuple[ConnectorKey, str]) -> list[str]:
    answered = []
    for number, (key, id_token) in enumerate(starts):
        report = start_report(key, id_token, at=START + number)
        answered.append((await it.recorder.start_session(report)).token.status.value)
        await it.rig.quiet()
    return answered


async def test_a_token_that_may_run_one_session_runs_one() -> None:
    async with desk() as it:
        await it.rig.store.save_token(ONE)
        assert await statuses_of(it, (A1, "TAG"), (A2, "tag")) == ["Accepted", "ConcurrentTx"]
        assert [s.connector for s in it.rig.loop.state.sessions()] == [A1]
        # It is only asked for, which is no start (§7.2).
        assert (await it.recorder.authorize("A", "TAG")).status is TokenStatus.ACCEPTED


async def test_one_session_of_a_token_after_the_other() -> None:
    async with desk() as it:
        await it.rig.store.save_token(ONE)
        first = await it.start(A1)
        await it.stop(first.transaction_id)
        assert (await it.start(A2)).id_status is TokenStatus.ACCEPTED


async def test_a_start_that_is_repeated_is_not_concurrent_with_itself() -> None:
    async with desk() as it:
        await it.rig.store.save_token(ONE)
        starts = [(await it.recorder.start_session(start_report(A1))) for _ in range(3)]
        assert {verdict.token.status for verdict in starts} == {TokenStatus.ACCEPTED}


async def test_a_start_on_its_own_connector_ends_what_ran_there() -> None:
    async with desk() as it:
        await it.rig.store.save_token(ONE)
        assert await statuses_of(it, (A1, "TAG"), (A1, "TAG")) == ["Accepted", "Accepted"]


async def test_a_refused_session_is_not_in_the_way() -> None:
    async with desk() as it:
        await it.rig.store.save_token(IdToken("TAG", TokenStatus.BLOCKED))
        await it.recorder.start_session(start_report(A1))
        await it.rig.store.save_token(ONE)
        assert await statuses_of(it, (A2, "TAG")) == ["Accepted"]


async def test_a_group_that_may_run_one_session_runs_one() -> None:
    async with desk(connectors=3) as it:
        one = Concurrency.ONE_PER_GROUP
        for name in ("ANNA", "BOB"):
            token = IdToken(name, parent_id_token=FAMILY, concurrency=one)
            await it.rig.store.save_token(token)
        await it.rig.store.save_token(IdToken("CAROL", concurrency=one))
        starts = ((A1, "ANNA"), (A2, "BOB"), (ConnectorKey("A", 3), "CAROL"))
        assert await statuses_of(it, *starts) == ["Accepted", "ConcurrentTx", "Accepted"]


async def test_two_starts_at_the_same_moment_do_not_miss_each_other() -> None:
    async with desk() as it:
        await it.rig.store.save_token(ONE)
        async with asyncio.TaskGroup() as tasks:
            starts = [
                tasks.create_task(it.recorder.start_session(start_report(key))) for key in (A1, A2)
            ]
        found = [start.result().token.status.value for start in starts]
        assert sorted(found) == ["Accepted", "ConcurrentTx"]


async def test_expiry_and_parent_are_told_with_the_verdict() -> None:
    async with desk() as it:
        token = IdToken("TAG", expires_at=START + 60, parent_id_token=FAMILY)
        await it.rig.store.save_token(token)
        verdict = await it.recorder.start_session(start_report(A1))
        assert verdict.token == token


async def test_without_the_database_a_token_is_answered_as_it_was_changed_last() -> None:
    async with desk() as it:
        tokens = it.access.tokens
        for name in ("LOST", "LEFT"):
            await tokens.add(IdToken(name))
            await it.recorder.authorize("A", name)
        await tokens.put([IdToken("lost", TokenStatus.BLOCKED)])
        await tokens.add(IdToken("NEW", TokenStatus.EXPIRED))
        await tokens.remove("LEFT")
        it.rig.store.tokens_fail = True
        statuses = [
            (await it.recorder.authorize("A", name)).status for name in ("LOST", "NEW", "LEFT")
        ]
        assert statuses == [TokenStatus.BLOCKED, TokenStatus.EXPIRED, TokenStatus.ACCEPTED]
