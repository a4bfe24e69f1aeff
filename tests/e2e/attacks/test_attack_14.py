"""A14: a browser as the client, led here by somebody's web page."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.typing import Origin

from tests.e2e.secured import KEY, basic, client_tls, secured

REFUSED = (403, b"Not for browsers.\n")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:9000", "null", "file://", ""]
)
async def test_any_origin_is_refused_whatever_else_is_shown(tmp_path: Path, origin: str) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        right = {**basic("CP001", KEY), "Origin": origin}
        for tls in (None, client_tls()):
            assert await csms.outcome("CP001", right, tls) == REFUSED
        assert await csms.outcome("CP001", basic("CP001", KEY)) == (101, b"")
        events = await csms.events()
        assert [event["kind"] for event in events] == ["browser_refused"] * 2


async def test_browsers_learn_nothing_of_the_ids(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        for identity in ("CP001", "CP999", "..", "%00"):
            found = await csms.outcome(identity, origin=Origin("https://evil.example"))
            assert found == REFUSED
