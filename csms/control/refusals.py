"""Sessions whose token was refused, and that go on all the same.

A charger with `StopTransactionOnInvalidId` ends such a session by itself (OCPP 1.6 §9.1). Others
wait for the vehicle to leave: those are asked to stop it (RemoteStopTransaction).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from csms.control.events import EventLog
from csms.errors import StorageError
from csms.ports import ChargerLink, Store, StoredSession, TokenStatus

log = structlog.get_logger(__name__)

PAUSES_S = (10.0, 20.0, 40.0, 80.0, 160.0, *[300.0] * 15)
"""What a charger gets to end a refused session by itself, and then between two requests."""
MOST = 1_000
"""Refused sessions waited for at the same time."""

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Refusals:
    """Sees to it that a refused session ends, as far as its charger can be brought to end it.

    A quiet charger (`is_quiet`) is asked nothing.
    """

    def __init__(
        self,
        store: Store,
        link: ChargerLink,
        events: EventLog,
        is_quiet: Callable[[str], bool],
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._store = store
        self._link = link
        self._events = events
        self._is_quiet = is_quiet
        self._pauses_s = tuple(pauses_s)
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._spawn: Spawn | None = None

    async def open(self, spawn: Spawn) -> None:
        """Begin, with those that were left when csms went down. `spawn` runs a task."""
        self._spawn = spawn
        for session in await self._store.running():
            self.watch(session)

    def stop(self) -> None:
        """Wait for none of them any more."""
        self._spawn = None
        for task in self._waiting.values():
            task.cancel()

    def watch(self, session: StoredSession) -> None:
        """See to the end of this session, if it was refused and has not ended."""
        if session.id_status is TokenStatus.ACCEPTED or session.ended_at is not None:
            return
        if self._spawn is None or session.session_id in self._waiting:
            return
        if len(self._waiting) >= MOST:
            log.warning("refused_session_not_watched", connector=str(session.connector))
            return
        self._waiting[session.session_id] = self._spawn(self._see_to(session))

    async def _see_to(self, session: StoredSession) -> None:
        try:
            for pause_s in self._pauses_s:
                await asyncio.sleep(pause_s)
                if await self._is_over(session):
                    return
                await self._ask(session)
            self._say("refused_session_goes_on", session)
        finally:
            del self._waiting[session.session_id]

    async def _is_over(self, session: StoredSession) -> bool:
        try:
            found = await self._store.find(session.connector.charger_id, session.transaction_id)
        except StorageError as error:
            log.warning("refused_session_not_read", error=str(error))
            return False
        return found is None or found.ended_at is not None

    async def _ask(self, session: StoredSession) -> None:
        charger_id = session.connector.charger_id
        if self._is_quiet(charger_id):
            return
        answer = await self._link.remote_stop(charger_id, session.transaction_id)
        if answer.accepted:
            self._say("refused_session_stopped", session)
        else:
            why = answer.detail or answer.outcome.value
            log.info("refused_session_not_stopped", connector=str(session.connector), why=why)

    def _say(self, kind: str, session: StoredSession) -> None:
        text = f"{session.connector} by {session.id_token} ({session.id_status.value})"
        self._events.add(session.station_id, kind, text)
