"""Everything about who may charge, in one place: tokens, lists, reservations, refused sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from csms.control.authorization import TokenPolicy
from csms.control.events import EventLog
from csms.control.local_lists import LocalLists
from csms.control.refusals import Refusals, Spawn
from csms.control.reservations import Reservations
from csms.control.station_loop import StationLoop
from csms.control.tokens import Tokens
from csms.ports import ChargerLink, Clock, IdToken, StartReport, Store, StoredSession


class Access:
    """What the recorder asks of a token, and what the API does with tokens."""

    def __init__(
        self,
        *,
        store: Store,
        link: ChargerLink,
        clock: Clock,
        events: EventLog,
        asked_for: Callable[[str, str], bool],
        policy: TokenPolicy,
        loop_of: Callable[[str], StationLoop | None],
    ) -> None:
        self.tokens = Tokens(store, clock, policy, asked_for)
        self.local_lists = LocalLists(store, link, clock, loop_of)
        self.reservations = Reservations(store, link, clock, events, self.tokens, loop_of)
        self._loop_of = loop_of
        self._refusals = Refusals(store, link, events, self._is_quiet)

    async def open(self, spawn: Spawn) -> None:
        """Read what was kept and begin; `spawn` runs a task."""
        await self.tokens.fill()
        await self.reservations.open()
        await self._refusals.open(spawn)

    def stop(self) -> None:
        """End every task that was begun."""
        self._refusals.stop()

    def _is_quiet(self, charger_id: str) -> bool:
        loop = self._loop_of(charger_id)
        charger = None if loop is None else loop.state.station.charger(charger_id)
        return charger is not None and charger.quiet

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        """The token with the status that holds now."""
        return await self.tokens.authorize(charger_id, id_token)

    @asynccontextmanager
    async def starting(self, report: StartReport) -> AsyncIterator[IdToken]:
        """The token with the verdict on this start, which is to be kept within the block."""

        def is_reserved(group: str | None) -> bool:
            return self.reservations.keeps_out(report.connector, report.id_token, group)

        async with self.tokens.starting(report, is_reserved) as token:
            yield token

    async def started(self, report: StartReport, stored: StoredSession) -> None:
        """A start was kept, now or before: it uses up a reservation, or if refused it must end."""
        await self.reservations.started(report, stored)
        self._refusals.watch(stored)
