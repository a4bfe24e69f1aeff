"""Connectors kept for a token: asked of the charger, kept over a restart, used up by a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from csms.control.events import EventLog
from csms.control.remote import require
from csms.control.station_loop import StationLoop
from csms.control.tokens import Tokens
from csms.errors import (
    ChargerOfflineError,
    IdTokenRefusedError,
    ReservationRefusedError,
    UnknownChargerError,
    UnknownConnectorError,
    UnknownReservationError,
)
from csms.ports import ChargerLink, Clock, StartReport, Store, StoredSession, TokenStatus
from csms.station.model import ConnectorKey
from csms.station.state import ConnectorStatus
from csms.station.tokens import Reservation, ReservationState, is_kept_for_others, used_by

KEPT_S = 7 * 86_400.0
"""How long a reservation is shown after it has expired."""
LONGEST_S = 30 * 86_400.0
OUT_OF_ORDER = {ConnectorStatus.FAULTED, ConnectorStatus.UNAVAILABLE}


class Reservations:
    """The reservations of all chargers. One is kept once its charger has accepted it."""

    def __init__(
        self,
        store: Store,
        link: ChargerLink,
        clock: Clock,
        events: EventLog,
        tokens: Tokens,
        loop_of: Callable[[str], StationLoop | None],
    ) -> None:
        self._store = store
        self._link = link
        self._clock = clock
        self._events = events
        self._tokens = tokens
        self._loop_of = loop_of
        self._kept: dict[int, Reservation] = {}
        self._last_id = 0

    async def open(self) -> None:
        """Read what was kept."""
        await self._store.forget_reservations(self._clock.now() - KEPT_S)
        self._kept = {r.reservation_id: r for r in await self._store.load_reservations()}
        self._last_id = max(self._kept, default=0)

    def of(self, charger_id: str) -> list[Reservation]:
        """The reservations of a charger as they are now, oldest first. UnknownChargerError."""
        self._loop(charger_id)
        now = self._clock.now()
        mine = (r for r in self._kept.values() if r.connector.charger_id == charger_id)
        return [replace(r, state=r.state_at(now)) for r in mine]

    async def reserve(
        self,
        connector: ConnectorKey,
        id_token: str,
        expires_at: float,
        parent_id_token: str | None = None,
    ) -> Reservation:
        """Keep a connector for a token, number 0 for any one, and for its group if it has one.

        Raises UnknownChargerError, UnknownConnectorError, ChargerOfflineError, IdTokenRefusedError,
        ReservationRefusedError, ChargerRefusedError, ChargerSilentError.
        """
        self._require_place(connector)
        token = await self._tokens.authorize(connector.charger_id, id_token)
        if token.status is not TokenStatus.ACCEPTED:
            raise IdTokenRefusedError(f"id token {id_token!r} is {token.status.value}")
        now = self._clock.now()
        if not now < expires_at <= now + LONGEST_S:
            raise ReservationRefusedError("a reservation ends in the future, within 30 days")
        self._last_id += 1
        parent = parent_id_token or token.parent_id_token
        asked = Reservation(self._last_id, connector, id_token, expires_at, parent)
        require(await self._link.reserve(asked), f"reserve connector {connector}")
        await self._keep(asked)
        await self._forget_old(now)
        self._say("reserved", asked)
        return asked

    async def cancel(self, charger_id: str, reservation_id: int) -> Reservation:
        """End a reservation; one that has ended stays as it is.

        Raises UnknownChargerError, UnknownReservationError, ChargerOfflineError,
        ChargerRefusedError (then it stays), ChargerSilentError.
        """
        found = next((r for r in self.of(charger_id) if r.reservation_id == reservation_id), None)
        if found is None:
            raise UnknownReservationError(
                f"charger {charger_id} has no reservation {reservation_id}"
            )
        if found.state is not ReservationState.ACTIVE:
            return found
        self._require_connected(charger_id)
        answer = await self._link.cancel_reservation(charger_id, reservation_id)
        require(answer, f"cancel reservation {reservation_id}")
        if self._kept[reservation_id].state is ReservationState.ACTIVE:
            await self._keep(replace(found, state=ReservationState.CANCELLED))
            self._say("reservation_cancelled", found)
        return self._kept[reservation_id]

    # ------------------------------------------------------------------ sessions

    def keeps_out(self, connector: ConnectorKey, id_token: str, parent: str | None) -> bool:
        """Whether no session of this token may begin here: the connector is for somebody else."""
        active = self._active(connector.charger_id)
        if not active:
            return False
        free = self._others_free(connector, active)
        return is_kept_for_others(active, connector, id_token, parent, others_free=free)

    async def started(self, report: StartReport, session: StoredSession) -> None:
        """A session was kept, now or before: it uses up the reservation it names, or its own."""
        active = self._active(report.connector.charger_id)
        if not active or session.ended_at is not None:
            return
        if session.id_status is not TokenStatus.ACCEPTED:
            return
        if any(r.session_id == session.session_id for r in self._kept.values()):
            return
        charger_id = report.connector.charger_id
        parent = (await self._tokens.authorize(charger_id, report.id_token)).parent_id_token
        used = used_by(active, report.connector, report.id_token, parent, report.reservation_id)
        if used is not None:
            state = ReservationState.USED
            await self._keep(replace(used, state=state, session_id=session.session_id))
            self._say("reservation_used", used)

    # ------------------------------------------------------------------ inside

    def _active(self, charger_id: str) -> list[Reservation]:
        now = self._clock.now()
        return [
            r
            for r in self._kept.values()
            if r.connector.charger_id == charger_id and r.state_at(now) is ReservationState.ACTIVE
        ]

    def _others_free(self, connector: ConnectorKey, active: list[Reservation]) -> int:
        loop = self._loop_of(connector.charger_id)
        if loop is None:
            return 0
        by_number = {r.connector for r in active}
        return sum(
            key.charger_id == connector.charger_id
            and key != connector
            and key not in by_number
            and state.session is None
            and state.status not in OUT_OF_ORDER
            for key, state in loop.state.connectors.items()
        )

    async def _keep(self, reservation: Reservation) -> None:
        await self._store.save_reservation(reservation)
        self._kept[reservation.reservation_id] = reservation

    async def _forget_old(self, now: float) -> None:
        before = now - KEPT_S
        old = [number for number, r in self._kept.items() if r.expires_at < before]
        if old:
            await self._store.forget_reservations(before)
            for number in old:
                del self._kept[number]

    def _loop(self, charger_id: str) -> StationLoop:
        loop = self._loop_of(charger_id)
        if loop is None:
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        return loop

    def _require_place(self, connector: ConnectorKey) -> None:
        loop = self._loop(connector.charger_id)
        if connector.connector_id != 0 and connector not in loop.state.connectors:
            raise UnknownConnectorError(
                f"charger {connector.charger_id} has no connector {connector.connector_id}"
            )
        self._require_connected(connector.charger_id)

    def _require_connected(self, charger_id: str) -> None:
        if not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")

    def _say(self, kind: str, reservation: Reservation) -> None:
        loop = self._loop_of(reservation.connector.charger_id)
        text = f"{reservation.connector} for {reservation.id_token} ({reservation.reservation_id})"
        self._events.add(loop.station_id if loop is not None else "", kind, text)
