from __future__ import annotations

import asyncio

import pytest

from tests.simulation.virtual_time import EPOCH_S, LoopClock, VirtualLoop


def test_a_day_takes_no_time_and_comes_in_order() -> None:
    seen: list[tuple[float, str]] = []
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()

        async def day() -> None:
            over = loop.create_future()
            loop.call_later(86_400, over.set_result, None)
            loop.call_later(5, lambda: seen.append((loop.time(), "second")))
            loop.call_later(1, lambda: seen.append((loop.time(), "first")))
            await over

        runner.run(day())
        assert [name for _, name in seen] == ["first", "second"]
        assert [at for at, _ in seen] == [pytest.approx(1), pytest.approx(5)]
        assert LoopClock(loop).now() == pytest.approx(EPOCH_S + 86_400)


def test_waiting_for_nothing_is_an_error_and_no_hang() -> None:
    loop = VirtualLoop()
    with pytest.raises(AssertionError, match="never happen"):
        loop.run_forever()
    loop.close()
