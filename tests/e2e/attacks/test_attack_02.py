"""A2: a second socket with the same identity.

Proof is a request of its own, the row's ping decides only between sockets that say nothing
(tests/e2e/test_hostile_clients.py): a charger that redials while its old socket is half open must
not be kept waiting. Where a key or certificate is set, an outsider gets no socket at all
(test_attack_01.py). The row's 1,000 alternating connections are 100 here.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from tests.e2e.dialogue import Csms, Dialogue, csms_of, start, station, stop, until
from tests.e2e.secured import KEY, OTHER_KEY, UNPROVEN, basic, boot, secured

ROUNDS = 100
ASKED_EVERY = 50


async def asked(csms: Csms, *sockets: Dialogue) -> list[int]:
    """How many requests each socket has got more, when one is sent to the charger."""
    before = [len(each.named("ClearCache")) for each in sockets]
    answer = await csms.api.post("/chargers/A/commands/ClearCache", json={})
    assert answer.status_code == 200, answer.text
    return [len(s.named("ClearCache")) - b for s, b in zip(sockets, before, strict=True)]


async def test_a_socket_that_only_listens_gets_nothing(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as first:
        await first.boot()
        async with contextlib.AsyncExitStack() as stack:
            listeners = [await stack.enter_async_context(csms.dial("A")) for _ in range(5)]
            assert await asked(csms, first, *listeners) == [1, 0, 0, 0, 0, 0]
            # Nor are there any number of them.
            await until(lambda: sum(each.closed is not None for each in listeners) == 2)
        assert await asked(csms, first) == [1]
        assert csms.events("connection_replaced") == []


async def test_commands_go_to_one_socket_and_no_session_is_doubled(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, contextlib.AsyncExitStack() as stack:
        sockets: list[Dialogue] = []
        loop = csms.app.supervisor.loop_of("A")
        assert loop is not None
        for number in range(1, ROUNDS + 1):
            sockets.append(await stack.enter_async_context(csms.dial("A")))
            await sockets[-1].start()
            if number % ASKED_EVERY == 0:
                # The newest socket is told the limits once more, and then hears what is asked.
                await until(lambda: loop.settled)
                assert await asked(csms, *sockets) == [0] * (len(sockets) - 1) + [1]
        await until(lambda: [s.closed for s in sockets] == [1008] * (ROUNDS - 1) + [None])
        assert len(await csms.sessions("running")) == 1
        assert len(csms.events("connection_replaced")) == ROUNDS - 1


async def test_what_an_older_socket_says_is_not_heard(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as old:
        one = (await old.start())["transactionId"]
        async with csms.dial("A") as new:
            await new.boot()
            await until(lambda: old.closed is not None)
            with contextlib.suppress(Exception):
                await old.say("StopTransaction", stop(one))
            assert await new.told("StartTransaction", start()) is not None
            assert len(await csms.sessions("running")) == 1


async def test_an_outsider_disturbs_no_charger_that_has_a_key(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        async with csms.dial("CP001", basic("CP001", KEY)) as charger:
            await boot(charger)
            for headers in (None, basic("CP001", OTHER_KEY)):
                assert await csms.outcome("CP001", headers) == UNPROVEN
            await charger.send('[2,"h","Heartbeat",{}]')
            async with asyncio.timeout(5):
                while not str(await charger.recv()).startswith('[3,"h"'):
                    pass
        found = [(event["kind"], event["chargerId"]) for event in await csms.events()]
        assert found == [("authentication_failed", "CP001")] * 2
