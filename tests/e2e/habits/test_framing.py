from __future__ import annotations

import pytest

from tests.e2e.habits.stories import stories
from tests.e2e.habits.story import play

STORIES = stories("framing")


@pytest.mark.parametrize("name", STORIES)
async def test_habit(name: str) -> None:
    await play(STORIES[name])
