"""Starting and stopping sessions from afar: ask the charger, then wait until it has done it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from csms.errors import ChargerRefusedError, ChargerSilentError, ConnectorOccupiedError
from csms.ports import Answer, ChargerLink, Outcome
from csms.station.model import ConnectorKey

TOKEN_KEPT_WHOLE = 16
TOKEN_CUT_LEAST = 8


@dataclass(slots=True)
class PendingStart:
    """A RemoteStartTransaction whose StartTransaction has not come yet.

    `started` gets the id of the session, None when another driver's session took the connector.
    """

    id_token: str
    vehicle_max_w: int | None
    started: asyncio.Future[str | None]


class RemoteRequests:
    """Requests in hand. A session is known by its id, a start by its connector."""

    def __init__(self, link: ChargerLink, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._starts: dict[ConnectorKey, PendingStart] = {}
        self._stops: dict[str, list[asyncio.Future[None]]] = {}

    async def start(self, connector: ConnectorKey, id_token: str, vehicle_max_w: int | None) -> str:
        """Start a session and return its id once the charger has reported it.

        Raises ConnectorOccupiedError when a start is in hand already or another driver was faster,
        ChargerRefusedError, ChargerSilentError.
        """
        if connector in self._starts:
            raise ConnectorOccupiedError(f"a session is being started on connector {connector}")
        started: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._starts[connector] = PendingStart(id_token, vehicle_max_w, started)
        try:
            answer = await self._link.remote_start(connector, id_token)
            if not started.done():
                require(answer, f"start a session on connector {connector}")
            async with asyncio.timeout(self._timeout_s):
                session_id = await started
        except TimeoutError as error:
            raise ChargerSilentError(
                f"connector {connector} accepted to start a session but reported none "
                f"within {self._timeout_s:g} s: perhaps no vehicle is plugged in"
            ) from error
        finally:
            del self._starts[connector]
        if session_id is None:
            raise ConnectorOccupiedError(
                f"another driver started a session on connector {connector}"
            )
        return session_id

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
                require(answer, f"stop session {session_id}")
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

    def declared_for(self, connector: ConnectorKey, id_token: str) -> int | None:
        """What was declared of the vehicle, if a start with this token is in hand here."""
        pending = self._starts.get(connector)
        if pending is None or not _is_for(pending, id_token):
            return None
        return pending.vehicle_max_w

    def asked_for(self, charger_id: str, id_token: str) -> bool:
        """Whether a start with this token is in hand on this charger."""
        return any(
            connector.charger_id == charger_id and is_same_token(pending.id_token, id_token)
            for connector, pending in self._starts.items()
        )

    def session_started(self, connector: ConnectorKey, session_id: str, id_token: str) -> None:
        """The charger reported a session with this token on this connector."""
        pending = self._starts.get(connector)
        if pending is not None and not pending.started.done():
            pending.started.set_result(session_id if _is_for(pending, id_token) else None)

    def session_ended(self, session_id: str) -> None:
        """The charger reported the end of this session."""
        for ended in self._stops.get(session_id, ()):
            if not ended.done():
                ended.set_result(None)


def is_same_token(asked: str, reported: str) -> bool:
    """Whether a charger means the token it was asked to start with.

    Case does not count (OCPP 1.6 §7.28). Some chargers cut a token, others spoil what comes after
    its 16th character.
    """
    whole = asked.strip().casefold()[:TOKEN_KEPT_WHOLE]
    found = reported.strip().casefold()[:TOKEN_KEPT_WHOLE]
    return found == whole or (len(found) >= TOKEN_CUT_LEAST and whole.startswith(found))


def _is_for(pending: PendingStart, id_token: str) -> bool:
    """A charger that names nobody is taken to have done what it was asked."""
    return not id_token.strip() or is_same_token(pending.id_token, id_token)


def require(answer: Answer, what: str) -> None:
    """Nothing, when the charger said yes. Raises ChargerSilentError, ChargerRefusedError."""
    if answer.outcome in {Outcome.TIMEOUT, Outcome.DISCONNECTED, Outcome.NOT_SENT}:
        raise ChargerSilentError(f"no answer to the request to {what} ({answer.outcome.value})")
    if not answer.accepted:
        why = answer.detail or answer.outcome.value
        raise ChargerRefusedError(f"the charger refused to {what}: {why}")
