"""Sessions at the request of people and programs: started and stopped from afar, and looked up."""

from __future__ import annotations

from collections.abc import Callable

from csms.control.recorder import StationRecorder
from csms.control.remote import RemoteRequests
from csms.control.station_loop import StationLoop
from csms.control.status import SessionStatus
from csms.control.tokens import Tokens
from csms.control.view import session_status
from csms.errors import (
    ChargerOfflineError,
    ConnectorOccupiedError,
    IdTokenRefusedError,
    UnknownChargerError,
    UnknownConnectorError,
    UnknownSessionError,
)
from csms.ports import ChargerLink, Clock, Store, StoredSession, TokenStatus
from csms.station.facts import MeterSample, VehicleMaximumDeclared
from csms.station.lifecycle import may_start
from csms.station.model import ConnectorKey
from csms.station.state import Session


class SessionRequests:
    """What may be asked of the sessions of all stations.

    `loop` gives the loop of a station, or raises UnknownStationError. `operator_id` is the token of
    a session that is started without one.
    """

    def __init__(
        self,
        *,
        store: Store,
        link: ChargerLink,
        clock: Clock,
        remote: RemoteRequests,
        recorder: StationRecorder,
        tokens: Tokens,
        loop: Callable[[str], StationLoop],
        operator_id: str,
    ) -> None:
        self._store = store
        self._link = link
        self._clock = clock
        self._remote = remote
        self._recorder = recorder
        self._tokens = tokens
        self._loop = loop
        self._operator_id = operator_id

    async def start(
        self,
        station_id: str,
        connector: ConnectorKey,
        *,
        vehicle_max_w: int | None = None,
        id_token: str | None = None,
    ) -> SessionStatus:
        """Start a session from afar; returns when the charger has started it and it has a share.

        Raises UnknownStationError, UnknownChargerError, UnknownConnectorError,
        ConnectorOccupiedError, IdTokenRefusedError, ChargerOfflineError, ChargerRefusedError,
        ChargerSilentError.
        """
        loop = self._loop(station_id)
        require_connector(loop, connector)
        if not self._link.is_connected(connector.charger_id):
            raise ChargerOfflineError(f"charger {connector.charger_id} is not connected")
        if not may_start(loop.state.connectors[connector]):
            raise ConnectorOccupiedError(_why_not(loop, connector))
        if id_token is not None:
            token = await self._tokens.authorize(connector.charger_id, id_token)
            if token.status is not TokenStatus.ACCEPTED:
                raise IdTokenRefusedError(f"id token {id_token!r} is {token.status.value}")
        session_id = await self._remote.start(
            connector, id_token or self._operator_id, vehicle_max_w
        )
        return await self._session_status(loop, session_id)

    async def stop(self, station_id: str, session_id: str) -> StoredSession:
        """Stop a session from afar; returns it as kept, ended.

        Raises UnknownStationError, UnknownSessionError, ChargerOfflineError, ChargerRefusedError,
        ChargerSilentError.
        """
        loop = self._loop(station_id)
        session = _session(loop, session_id)
        charger_id = session.connector.charger_id
        if not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")
        await self._remote.stop(charger_id, session.transaction_id, session_id)
        await loop.caught_up()
        stored = await self._store.find(charger_id, session.transaction_id)
        if stored is None:
            raise UnknownSessionError(f"session {session_id} is not in the store")
        return stored

    async def update_power(
        self,
        station_id: str,
        session_id: str,
        *,
        consumed_w: int | None = None,
        vehicle_max_w: int | None = None,
        forget_vehicle_max: bool = False,
    ) -> SessionStatus:
        """Take a report of consumption as if it had been metered, and a new vehicle maximum.

        `forget_vehicle_max` takes back what was declared of the vehicle before.

        Raises UnknownStationError, UnknownSessionError.
        """
        loop = self._loop(station_id)
        session = _session(loop, session_id)
        now = self._clock.now()
        if vehicle_max_w is not None or forget_vehicle_max:
            await self._store.declare_vehicle(session_id, vehicle_max_w)
            loop.post(VehicleMaximumDeclared(session.connector, now, vehicle_max_w))
        if consumed_w is not None:
            sample = MeterSample(session.connector, now, power_w=consumed_w, by_charger=False)
            self._recorder.record(sample)
        return await self._session_status(loop, session_id)

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """Past sessions, newest end first. Raises UnknownStationError."""
        self._loop(station_id)
        return await self._store.ended(station_id, limit=limit, before=before)

    async def _session_status(self, loop: StationLoop, session_id: str) -> SessionStatus:
        await loop.caught_up()
        return session_status(loop, _session(loop, session_id))


def require_connector(loop: StationLoop, key: ConnectorKey) -> None:
    """Raises UnknownChargerError and UnknownConnectorError for a connector not of this station."""
    charger = loop.state.station.charger(key.charger_id)
    if charger is None:
        raise UnknownChargerError(f"station {loop.station_id} has no charger {key.charger_id!r}")
    if key not in loop.state.connectors:
        raise UnknownConnectorError(
            f"charger {key.charger_id} has no connector {key.connector_id}; "
            f"it has {len(charger.connectors)}"
        )


def _why_not(loop: StationLoop, connector: ConnectorKey) -> str:
    """Why no session may be started on this connector."""
    state = loop.state.connectors[connector]
    if state.session is not None:
        return f"connector {connector} has a session already: {state.session.session_id}"
    error = "" if state.error_code in {"", "NoError"} else f" ({state.error_code})"
    return f"connector {connector} cannot take a session: it is {state.status.value}{error}"


def _session(loop: StationLoop, session_id: str) -> Session:
    session = loop.state.session(session_id)
    if session is None:
        raise UnknownSessionError(
            f"station {loop.station_id} has no running session {session_id!r}"
        )
    return session
