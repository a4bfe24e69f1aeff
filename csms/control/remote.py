"""Starting and stopping sessions from afar: ask the charger, then wait until it has done it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from csms.errors import ChargerRefusedError, ChargerSilentError, ConnectorOccupiedError
from csms.ports import Answer, ChargerLink, Outcome
from csms.station.model import ConnectorKey


@dataclass(slots=True)
class PendingStart:
    """A RemoteStartTransaction whose StartTransaction has not come yet."""

    id_token: str
    vehicle_max_w: int | None
    started: asyncio.Future[str]


class RemoteRequests:
    """Requests in hand. A session is known by its id, a start by its connector."""

    def __init__(self, link: ChargerLink, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._starts: dict[ConnectorKey, PendingStart] = {}
        self._stops: dict[str, list[asyncio.Future[None]]] = {}

    async def start(self, connector: ConnectorKey, id_token: str, vehicle_max_w: int | None) -> str:
        """Start a session and return its id once the charger has reported it.

        Raises ConnectorOccupiedError when a start is in hand already, ChargerRefusedError,
        ChargerSilentError.
        """
        if connector in self._starts:
            raise ConnectorOccupiedError(f"a session is being started on connector {connector}")
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._starts[connector] = PendingStart(id_token, vehicle_max_w, started)
        try:
            answer = await self._link.remote_start(connector, id_token)
            if not started.done():
                _require(answer, f"start a session on connector {connector}")
            async with asyncio.timeout(self._timeout_s):
                return await started
        except TimeoutError as error:
            raise ChargerSilentError(
                f"connector {connector} accepted to start a session but reported none "
                f"within {self._timeout_s:g} s"
            ) from error
        finally:
            del self._starts[connector]

    async def stop(self, charger_id: str, transaction_id: int, session_id: str) -> None:
        """Stop a session; returns once the charger has reported its end.

        Raises ChargerRefusedError, ChargerSilentError.
        """
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._stops.setdefault(session_id, [])
        waiting.append(ended)
        try:
            answer = await self._link.remote_stop(charger_id, transaction_id)
            if not ended.done():
                _require(answer, f"stop session {session_id}")
            async with asyncio.timeout(self._timeout_s):
                await ended
        except TimeoutError as error:
            raise ChargerSilentError(
                f"charger {charger_id} accepted to stop session {session_id} but did not report "
                f"its end within {self._timeout_s:g} s"
            ) from error
        finally:
            waiting.remove(ended)
            if not waiting:
                del self._stops[session_id]

    def declared_for(self, connector: ConnectorKey) -> int | None:
        """What was declared of the vehicle when this connector's start was asked for."""
        pending = self._starts.get(connector)
        return pending.vehicle_max_w if pending is not None else None

    def asked_for(self, charger_id: str, id_token: str) -> bool:
        """Whether a start with this token is in hand on this charger."""
        return any(
            connector.charger_id == charger_id and pending.id_token == id_token
            for connector, pending in self._starts.items()
        )

    def session_started(self, connector: ConnectorKey, session_id: str) -> None:
        """The charger reported a session on this connector."""
        pending = self._starts.get(connector)
        if pending is not None and not pending.started.done():
            pending.started.set_result(session_id)

    def session_ended(self, session_id: str) -> None:
        """The charger reported the end of this session."""
        for ended in self._stops.get(session_id, ()):
            if not ended.done():
                ended.set_result(None)


def _require(answer: Answer, what: str) -> None:
    if answer.outcome in {Outcome.TIMEOUT, Outcome.DISCONNECTED}:
        raise ChargerSilentError(f"no answer to the request to {what} ({answer.outcome.value})")
    if not answer.accepted:
        raise ChargerRefusedError(
            f"the charger refused to {what}: {answer.outcome.value} {answer.detail}".rstrip()
        )
