"""An event loop whose clock jumps to the next timer when nothing is ready: an hour takes no time.

Nothing outside the process is ever waited for, so a run depends on its seed alone.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

EPOCH_S = 1_767_225_600.0
"""UTC at the start of every simulation: 2026-01-01T00:00:00Z."""


class _Jump(selectors.BaseSelector):
    """Waits for no file. `elapsed_s` is the time of the loop."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """The loop registers its own wake-up pipe, which nobody writes to."""
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[fileobj]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Instead of waiting, it is later."""
        if timeout is None:
            raise AssertionError("everything waits for something that will never happen")
        if timeout > 0:
            self.elapsed_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The event loop of a simulation. `time` is seconds since its start."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.elapsed_s


class LoopClock:
    """`csms.ports.Clock` on a virtual loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._time: Callable[[], float] = loop.time

    def now(self) -> float:
        return EPOCH_S + self._time()

    def monotonic(self) -> float:
        return self._time()
