from __future__ import annotations

import pytest

from tests.e2e.habits.stories import SWITCHES
from tests.e2e.habits.story import play


@pytest.mark.parametrize("name", SWITCHES)
async def test_switch(name: str) -> None:
    await play(SWITCHES[name][1])
