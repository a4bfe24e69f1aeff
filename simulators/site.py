"""A whole site of simulated charge points in one process, each on a websocket of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from simulators.charge_point.client import (
    ChargePointClient,
    ClientSettings,
    Dial,
    websocket_dialler,
)
from simulators.charge_point.events import Watcher, nobody
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.quirks import Quirks
from simulators.clock import Clock
from simulators.record import LimitRecord


def split_name(connector: str) -> tuple[str, int]:
    """(charger id, connector number) of `ID/n`. Raises ValueError."""
    charger_id, _, number = connector.rpartition("/")
    return charger_id, int(number)


class Site:
    """Charge points by id, and the one record they all write.

    `dial_for` makes the way to csms of a charger; tests give one without sockets.
    """

    def __init__(
        self,
        hardware: Iterable[Hardware],
        dial_for: Callable[[str], Dial],
        clock: Clock,
        *,
        settings: ClientSettings | None = None,
        quirks: Mapping[str, Quirks] | None = None,
        watcher: Watcher = nobody,
    ) -> None:
        self.clock = clock
        self.record = LimitRecord()
        self.points: dict[str, ChargePointClient] = {
            item.charger_id: ChargePointClient(
                item,
                dial_for(item.charger_id),
                clock,
                settings=settings,
                quirks=(quirks or {}).get(item.charger_id),
                record=self.record,
                watcher=watcher,
            )
            for item in hardware
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Site]:
        """Every charge point lives inside this block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(point.run()) for point in self.points.values()]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()

    async def all_booted(self) -> None:
        """Return once csms has accepted every charge point."""
        for point in self.points.values():
            await point.booted.wait()

    def limit_w(self, connector: str) -> float:
        """The limit in force on the transaction of `ID/n`; 0 without one."""
        charger_id, number = split_name(connector)
        return self.points[charger_id].behaviour.connector(number).limit_w

    def complaints(self) -> list[str]:
        """What the charge points found wrong with csms's answers."""
        return [
            f"{charger_id}: {complaint}"
            for charger_id, point in self.points.items()
            for complaint in point.complaints
        ]


def networked(
    url: str, settings: ClientSettings, quirks: Mapping[str, Quirks] | None = None
) -> Callable[[str], Dial]:
    """Diallers to the csms at `url` (`ws://host:port/path`), one per charger id."""
    misbehaving = quirks or {}
    return lambda charger_id: websocket_dialler(
        url, charger_id, settings, misbehaving.get(charger_id)
    )
