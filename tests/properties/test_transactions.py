"""Whatever chargers repeat, lose, delay or contradict: one session per start, and its energy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings

from csms.ports import StoredSession
from csms.storage import MemoryStore
from tests.properties.transactions import Play, Step, holds, steps
from tests.unit.csms.control.fakes import FaultyStore

EXAMPLES = 250


@settings(max_examples=EXAMPLES)
@given(steps)
def test_sessions_are_true_under_every_replay(played: list[Step]) -> None:
    holds(played)


class ForgetfulOfPresumption(FaultyStore):
    """Takes the first end for the last word, also one that was only presumed."""

    async def end(self, session_id: str, **ending: Any) -> StoredSession | None:
        known = self._sessions[session_id]
        if known.ended_at is not None:
            return known
        return await super().end(session_id, **ending)


class Doubling(FaultyStore):
    """Makes a session of every start that is repeated."""

    async def start(self, session: StoredSession) -> StoredSession:
        self._starts.clear()
        return await MemoryStore.start(self, session)


@pytest.mark.parametrize(
    ("store", "played"),
    [
        # Begun, begun again on the same connector, and the first one stopped at last.
        (ForgetfulOfPresumption, [(0, 0, 0), (0, 0, 0), (4, 0, 0)]),
        (Doubling, [(0, 0, 0), (1, 0, 0)]),
    ],
)
def test_a_store_that_breaks_a_rule_is_found_out(
    store: type[FaultyStore], played: list[Step]
) -> None:
    holds(played)
    with pytest.raises(AssertionError):
        asyncio.run(Play(store()).run(played))
