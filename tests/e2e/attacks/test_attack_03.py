"""A3: no rate limit on authentication.

The row asks for 10,000 tries a second for a minute; a test machine sends as many as it can from one
address, while a charger comes in a few times.
"""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

from tests.e2e.hostile import request
from tests.e2e.secured import KEY, OTHER_KEY, UNPROVEN, Secured, basic, secured

GUESSERS = 20
LOGINS = 10
FEWEST = 100
"""A flood has more guesses than this."""
FAIR = 10
"""Whoever waits for so many rounds of the guessers is kept waiting."""


async def test_a_guesser_is_told_to_wait_and_locks_nobody_out(tmp_path: Path) -> None:
    limits = {"failures_per_source_per_min": 20, "failures_per_charger_per_min": 5}
    async with secured(tmp_path, **limits) as csms:
        await csms.secure("CP001", 1, key=KEY)
        await csms.secure("CP002", 1, key=OTHER_KEY)
        assert await csms.outcome("CP002", basic("CP002", OTHER_KEY)) == (101, b"")
        wrong, wrong_for_002 = basic("CP001", "wrong" * 3), basic("CP002", "wrong" * 3)
        found = [await csms.outcome("CP001", wrong) for _ in range(8)]
        assert [answer[0] for answer in found] == [401] * 5 + [429] * 3
        # Guessing is over for this charger from here, even with the right key …
        assert (await csms.outcome("CP001", basic("CP001", KEY)))[0] == 429
        for number in range(30):
            await csms.outcome(f"X{number}", wrong)
        assert (await csms.outcome("X99", wrong))[0] == 429
        # … and one that has proven itself from here goes on coming in, whoever uses its name.
        for _ in range(12):
            assert await csms.outcome("CP002", wrong_for_002) == UNPROVEN
        assert await csms.outcome("CP002", basic("CP002", OTHER_KEY)) == (101, b"")
        kinds = [event["kind"] for event in await csms.events()]
        assert kinds.count("too_many_attempts") == 2
        assert len(kinds) <= 25


async def test_a_charger_that_is_told_to_wait_is_told_how_long(tmp_path: Path) -> None:
    async with secured(tmp_path, failures_per_charger_per_min=1) as csms:
        await csms.outcome("CP001", basic("CP001", KEY))
        answer = await raw(csms, "CP001", basic("CP001", KEY))
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nRetry-After: 60\r\n" in answer


async def raw(csms: Secured, identity: str, headers: dict[str, str]) -> bytes:
    """The bytes of the answer to a handshake."""
    host, _, port = csms.app.ocpp_url.split("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request(identity, *(f"{k}: {v}" for k, v in headers.items())))
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_flood_of_guesses_keeps_no_charger_waiting(tmp_path: Path) -> None:
    async with secured(tmp_path, failures_per_source_per_min=60) as csms:
        await csms.secure("CP001", 1, key=KEY)
        assert await csms.outcome("CP001", basic("CP001", KEY)) == (101, b"")
        tries, over = 0, asyncio.Event()

        async def guess(name: str) -> None:
            nonlocal tries
            while not over.is_set():
                await raw(csms, name, basic(name, "wrong" * 3))
                tries += 1

        waited: list[int] = []
        async with asyncio.timeout(250), asyncio.TaskGroup() as tasks:
            for number in range(GUESSERS):
                tasks.create_task(guess(f"X{number}" if number % 2 else "CP002"))
            while tries <= FEWEST or len(waited) < LOGINS:
                before = tries
                async with csms.dial("CP001", basic("CP001", KEY)):
                    waited.append(tries - before)
            over.set()
        middle = statistics.median(waited)
        print(f"{tries} guesses; {len(waited)} logins, each while {middle:.0f} were answered")  # noqa: T201
        assert middle <= FAIR * GUESSERS
        assert len(await csms.events()) < 100
