"""Sessions, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from csms.ports.tokens import TokenStatus
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as kept. `ended_at` None while it runs; `id_status` is the verdict at start."""

    session_id: str
    transaction_id: int
    station_id: str
    connector: ConnectorKey
    id_token: str
    id_status: TokenStatus
    started_at: float
    meter_start_wh: int
    start_timestamp: str
    vehicle_max_w: int | None = None
    meter_wh: int | None = None
    ended_at: float | None = None
    meter_stop_wh: int | None = None
    reason: str | None = None

    @property
    def energy_wh(self) -> int:
        """Energy delivered, from the stop register or else the last sample; never negative."""
        last = self.meter_stop_wh if self.meter_stop_wh is not None else self.meter_wh
        return 0 if last is None else max(0, last - self.meter_start_wh)


class SessionStore(Protocol):
    """Sessions, running and ended. A write is durable when its call returns."""

    async def start(self, session: StoredSession) -> StoredSession:
        """Insert, or return the session that is there already.

        The key is (charger, connector, id_token, start_timestamp, meter_start_wh). Raises
        StorageError when `transaction_id` is taken.
        """
        ...

    async def end(
        self, session_id: str, *, ended_at: float, meter_stop_wh: int | None, reason: str
    ) -> StoredSession | None:
        """End it, or return it unchanged when it had ended before; None when there is none."""
        ...

    async def find(self, charger_id: str, transaction_id: int) -> StoredSession | None:
        """The session of this charger with this transaction id."""
        ...

    async def running(self) -> list[StoredSession]:
        """Every session that has not ended, with the newest meter register known."""
        ...

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """Ended sessions of a station, newest end first, those that ended before `before`."""
        ...

    async def declare_vehicle(self, session_id: str, vehicle_max_w: int | None) -> None:
        """Keep what somebody declared the vehicle can take."""
        ...

    def sample(self, session_id: str | None, sample: MeterSample) -> None:
        """Keep a meter sample, soon and in order; never blocks, drops the oldest under overload.

        The session's meter register follows its samples, but never backward.
        """
        ...

    async def samples(self, session_id: str, *, limit: int = 1000) -> list[MeterSample]:
        """The newest samples of a session, oldest first."""
        ...
