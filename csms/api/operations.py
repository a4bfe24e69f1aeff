"""What the API asks of the stations: `csms.control.supervisor.Supervisor`, or a test's fake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from csms.control.admission import Knock
from csms.control.charger_security import ChargerSecurity, KeyChange
from csms.control.events import Event
from csms.control.grid_limits import GridStatus
from csms.control.local_lists import ListStatus
from csms.control.status import ConnectorView, SessionStatus, StationStatus
from csms.control.trials import Report
from csms.ports import (
    ChargerReport,
    Exchange,
    IdToken,
    Losses,
    SecurityEvent,
    SecurityProfile,
    StoredSession,
    Topic,
)
from csms.station.grid import GridStep
from csms.station.model import ConnectorKey, Station
from csms.station.tokens import Reservation


class SessionOperations(Protocol):
    """Sessions, running and ended. Failures are `csms.errors.StationError`s."""

    async def start(
        self,
        station_id: str,
        connector: ConnectorKey,
        *,
        vehicle_max_w: int | None = None,
        id_token: str | None = None,
    ) -> SessionStatus:
        """Start a session from afar; returns once the charger has started it."""
        ...

    async def stop(self, station_id: str, session_id: str) -> StoredSession:
        """Stop a session from afar; returns once the charger has stopped it."""
        ...

    async def update_power(
        self,
        station_id: str,
        session_id: str,
        *,
        consumed_w: int | None = None,
        vehicle_max_w: int | None = None,
        forget_vehicle_max: bool = False,
    ) -> SessionStatus:
        """Take a report of consumption as if metered, and a new vehicle maximum or none."""
        ...

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """Past sessions, newest end first."""
        ...


class GridLimitOperations(Protocol):
    """What may be said and asked of grid limits at run time. Every answer is how it is then.

    Failures are UnknownStationError, and StorageError when it could not be kept.
    """

    def status(self, station_id: str) -> GridStatus:
        """The grid limit in force."""
        ...

    async def give(
        self,
        station_id: str,
        limit_w: int,
        *,
        valid_for_s: float | None = None,
        heartbeat_s: float | None = None,
    ) -> GridStatus:
        """A new limit, and how often its source will be heard from."""
        ...

    async def heartbeat(self, station_id: str) -> GridStatus:
        """The source of limits is alive."""
        ...

    async def schedule(self, station_id: str, steps: Sequence[GridStep]) -> GridStatus:
        """A new schedule, in order. Raises ConfigurationRefusedError."""
        ...

    async def withdraw(self, station_id: str) -> GridStatus:
        """Back to the configured limit. Raises GridFailSafeError."""
        ...


class CommissioningOperations(Protocol):
    """Commissioning tests of chargers. Failures are `csms.errors.StationError`s."""

    def start(self, connector: ConnectorKey, lease_s: float) -> Report:
        """Begin a test; returns at once. Raises CommissioningRefusedError, ChargerOfflineError."""
        ...

    def report(self, charger_id: str) -> Report:
        """The test running, or the last one. Raises NeverCommissionedError."""
        ...


class TokenOperations(Protocol):
    """Id tokens. Failures are `csms.errors.StationError`s, and StorageError."""

    async def page(self, limit: int, after: str = "") -> list[IdToken]:
        """Tokens in the order of their names, those that come after this name."""
        ...

    async def find(self, id_token: str) -> IdToken:
        """The token as kept. Raises UnknownTokenError."""
        ...

    async def add(self, token: IdToken) -> None:
        """Keep a new token. Raises TokenExistsError."""
        ...

    async def put(self, tokens: Sequence[IdToken]) -> None:
        """Keep tokens, replacing those of the same names: all or none."""
        ...

    async def remove(self, id_token: str) -> None:
        """Delete a token. Raises UnknownTokenError."""
        ...


class LocalListOperations(Protocol):
    """Local authorization lists of chargers. Failures are `csms.errors.StationError`s."""

    async def status(self, charger_id: str) -> ListStatus:
        """How the list was left. Raises UnknownChargerError."""
        ...

    async def sync(self, charger_id: str) -> ListStatus:
        """Bring the list up to date. Raises UnknownChargerError, ChargerOfflineError."""
        ...


class ReservationOperations(Protocol):
    """Reservations of chargers. Failures are `csms.errors.StationError`s."""

    def of(self, charger_id: str) -> list[Reservation]:
        """Those of a charger as they are now, oldest first. Raises UnknownChargerError."""
        ...

    async def reserve(
        self,
        connector: ConnectorKey,
        id_token: str,
        expires_at: float,
        parent_id_token: str | None = None,
    ) -> Reservation:
        """Keep a connector, number 0 for any one, for a token."""
        ...

    async def cancel(self, charger_id: str, reservation_id: int) -> Reservation:
        """End a reservation. Raises UnknownReservationError."""
        ...


class AccessOperations(Protocol):
    """Who may charge."""

    @property
    def tokens(self) -> TokenOperations:
        """The id tokens."""
        ...

    @property
    def local_lists(self) -> LocalListOperations:
        """The lists of them that chargers hold."""
        ...

    @property
    def reservations(self) -> ReservationOperations:
        """Connectors kept for a token."""
        ...


class CommandOperations(Protocol):
    """Requests to chargers in OCPP's own words. Failures are `csms.errors.CsmsError`s."""

    async def call(
        self, charger_id: str, action: str, payload: Mapping[str, Any], *, force: bool = False
    ) -> Exchange:
        """Send a request; returns the charger's answer, or its CALLERROR."""
        ...

    def new_request_id(self) -> int:
        """A requestId that was not used lately."""
        ...

    def reports(self, charger_id: str, topic: Topic) -> Sequence[ChargerReport]:
        """What the charger said on this topic, newest first. Raises UnknownChargerError."""


class SecurityOperations(Protocol):
    """What chargers must show. Failures are KeyRefusedError, ChargerOfflineError, StorageError."""

    def of(self, charger_id: str) -> ChargerSecurity:
        """What this charger must show."""
        ...

    async def configure(
        self,
        charger_id: str,
        profile: SecurityProfile,
        *,
        key: str | None = None,
        common_name: str | None = None,
    ) -> ChargerSecurity:
        """Say what it must show from now on."""
        ...

    async def change_key(self, charger_id: str, key: str | None = None) -> KeyChange:
        """Tell it another key."""
        ...

    async def events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        """The newest security events, newest first."""
        ...


class VitalsOperations(Protocol):
    """How the process itself is."""

    def lag_s(self) -> float:
        """How late the event loop was, at worst, in the last moments."""
        ...

    async def unready(self) -> list[str]:
        """Why csms is not ready for chargers; empty when it is."""
        ...


class Operations(Protocol):
    """Everything that may be asked. Failures are `csms.errors.StationError`s."""

    def healthy(self) -> bool:
        """Whether the stations are being run."""
        ...

    def dropped_facts(self) -> int:
        """How many facts no station took, because too many waited."""
        ...

    def losses(self) -> Losses:
        """What the store could not keep."""
        ...

    def station_ids(self) -> list[str]:
        """Every station, in the order of the configuration."""
        ...

    def default_station_id(self) -> str:
        """The station of the short form. Raises UnknownStationError when there is none."""
        ...

    def station(self, station_id: str) -> Station:
        """How the station is built. Raises UnknownStationError."""
        ...

    def status(self, station_id: str) -> StationStatus:
        """The station at this moment. Raises UnknownStationError."""
        ...

    async def configure(self, station: Station) -> None:
        """Change or add a station. Raises ConfigurationRefusedError."""
        ...

    async def remove(self, station_id: str) -> None:
        """Remove a station that no file has. Raises ConfigurationRefusedError."""
        ...

    def sessions(self) -> SessionOperations:
        """The sessions of the stations."""
        ...

    def grid_limits(self) -> GridLimitOperations:
        """The grid limits of the stations."""
        ...

    def commissioning(self) -> CommissioningOperations:
        """The commissioning tests."""
        ...

    def access(self) -> AccessOperations:
        """Who may charge."""
        ...

    def commands(self) -> CommandOperations:
        """Requests to chargers."""
        ...

    async def pardon(self, connector: ConnectorKey) -> ConnectorView:
        """Begin anew with a connector that did not obey. Raises UnknownChargerError, …."""
        ...

    def knocked(self) -> Sequence[Knock]:
        """Chargers that were refused because no station has them."""
        ...

    def events(self, after: int = 0) -> Sequence[Event]:
        """What happened, since the event of this number, oldest first."""
        ...

    def last_event(self) -> int:
        """The number of the newest event."""
        ...
