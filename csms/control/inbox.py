"""What waits for the loop: bounded, in order, newest value only where only the newest counts."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A queue with one reader.

    An item put with a key replaces a waiting item of that key, and goes to the end. When `capacity`
    items wait, the oldest item with a key makes room for one with a key; items without a key are
    always taken: there are few of them, and each matters.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._items: dict[Hashable, Item] = {}
        self._keyed: dict[Hashable, None] = {}
        self._serial = 0
        self._filled = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item, key: Hashable | None = None) -> None:
        """Add an item. Never blocks."""
        if key is None:
            self._serial += 1
            self._items[self._serial] = item
        else:
            slot = ("keyed", key)
            if slot in self._items:
                # To the end with it: it must not overtake what was put before it.
                del self._items[slot], self._keyed[slot]
            elif len(self._items) >= self._capacity:
                self._drop_oldest_keyed()
            self._items[slot] = item
            self._keyed[slot] = None
        self._filled.set()

    async def take(self, timeout_s: float) -> list[Item]:
        """Everything that waits, oldest first; waits for something up to `timeout_s`, then []."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._filled.wait()
        except TimeoutError:
            return []
        items = list(self._items.values())
        self._items.clear()
        self._keyed.clear()
        self._filled.clear()
        return items

    def _drop_oldest_keyed(self) -> None:
        oldest = next(iter(self._keyed), None)
        if oldest is not None:
            del self._keyed[oldest]
            del self._items[oldest]
            self.dropped += 1
