from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from csms.control.recorder import RecorderSettings
from csms.ports import IdToken, TokenStatus
from tests.unit.csms.control.desk import A1, desk
from tests.unit.csms.control.fakes import start_report


async def test_the_settings_fill_the_store_when_it_opens() -> None:
    settings = RecorderSettings(accept_unknown_tokens=False, id_tokens=frozenset({"CARD"}))
    async with desk(settings) as it, asyncio.TaskGroup() as tasks:
        assert (await it.access.authorize("A", "CARD")).status is TokenStatus.INVALID
        await it.access.open(tasks.create_task)
        assert await it.access.authorize("A", "CARD") == IdToken("CARD")


async def test_a_refused_start_is_seen_to_once() -> None:
    async with desk() as it, asyncio.TaskGroup() as tasks:
        spawned: list[asyncio.Task[None]] = []

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            spawned.append(tasks.create_task(work))
            return spawned[-1]

        await it.access.open(spawn)
        await it.rig.store.save_token(IdToken("TAG", TokenStatus.BLOCKED))
        for _ in range(2):
            await it.recorder.start_session(start_report(A1))
        assert len(spawned) == 1
        await asyncio.sleep(0)
        it.access.stop()
    assert spawned[0].cancelled()
