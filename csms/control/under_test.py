"""Connectors that a test decides about, and what they are to be told instead of their share."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Ledger
from csms.dispatch.planner import Wish
from csms.station.model import ConnectorKey, Limit, LimitSource


@dataclass(frozen=True, slots=True)
class Target:
    """What a connector under test is told. `value_w` None: nothing at all, not even its fallback.

    `ends_in_s`: the limit gets this end, to be obeyed or not. `after_token` is that of the newest
    limit there was before: a later one is told even where it says the same.
    """

    value_w: int | None = None
    ends_in_s: float | None = None
    after_token: int = 0


class UnderTest:
    """The connectors of one station that are under test.

    A target only takes the place of a wish: it goes out by the one way there is, through the
    planner and the ledger.
    """

    def __init__(self) -> None:
        self._targets: dict[ConnectorKey, Target] = {}
        self._stir = asyncio.Event()

    def keys(self) -> Collection[ConnectorKey]:
        """The connectors under test."""
        return self._targets.keys()

    def hold(self, key: ConnectorKey, target: Target) -> None:
        """From the next cycle on this is what the connector is told."""
        self._targets[key] = target

    def release(self, key: ConnectorKey) -> None:
        """The test is over: the connector takes part again."""
        self._targets.pop(key, None)

    def wishes(self, wishes: Iterable[Wish], ledger: Ledger) -> list[Wish]:
        """The wishes of a cycle, with those of connectors under test as their targets say."""
        told = (self._told(wish, ledger) for wish in wishes)
        return [wish for wish in told if wish is not None]

    def _told(self, wish: Wish, ledger: Ledger) -> Wish | None:
        target = self._targets.get(wish.connector)
        if target is None:
            return wish
        if target.value_w is None:
            return None
        if wish.scope is Scope.DEFAULT and not wish.lease:
            return wish
        newest = ledger.newest(wish.connector, wish.scope, wish.session_id)
        return replace(
            wish,
            limit=Limit(target.value_w, LimitSource.COMMISSIONING),
            again=newest is None or newest.token <= target.after_token,
            lease=False,
            ends_in_s=target.ends_in_s,
        )

    def wake(self) -> None:
        """A cycle is over."""
        self._stir.set()
        self._stir.clear()

    async def cycle(self) -> None:
        """Wait until a cycle is over."""
        await self._stir.wait()
