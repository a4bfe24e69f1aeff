"""Sessions, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from csms.ports.tokens import TokenStatus
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.station.register import Register


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as kept, with the answer its start got.

    `id_status`, `id_expires_at` and `parent_id_token` are the verdict on the token then.
    `meter_start_told` is False when the start named no usable register. `ended_at` is None while
    the session runs. `stop_timestamp` is the time as sent in the StopTransaction, "" when it named
    none; None as long as no StopTransaction has come. `meter_wh` and the three after it are what
    the readings have come to (see `csms.station.register`).
    """

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
    stop_timestamp: str | None = None
    id_expires_at: float | None = None
    parent_id_token: str | None = None
    meter_start_told: bool = True
    meter_before_wh: int | None = None
    meter_fresh_from_wh: int | None = None
    meter_fresh_wh: int | None = None

    @property
    def provisional(self) -> bool:
        """Whether it is only presumed to have ended: its StopTransaction has not come."""
        return self.ended_at is not None and self.stop_timestamp is None

    @property
    def register(self) -> Register:
        """What the samples have come to, without the register of the stop."""
        return Register(
            self.meter_start_wh if self.meter_start_told else None,
            self.meter_wh,
            self.meter_before_wh,
            self.meter_fresh_from_wh,
            self.meter_fresh_wh,
        )

    def metered(self, register: Register) -> StoredSession:
        """The session with these readings."""
        return replace(
            self,
            meter_wh=register.high_wh,
            meter_before_wh=register.before_wh,
            meter_fresh_from_wh=register.fresh_from_wh,
            meter_fresh_wh=register.fresh_wh,
        )

    @property
    def energy_wh(self) -> int:
        """Energy delivered, by the samples and at last the stop register; never negative."""
        return self._final().energy_wh

    @property
    def estimated(self) -> bool:
        """Whether the energy of an ended session is not simply its stop less its start register."""
        return self.ended_at is not None and (self.meter_stop_wh is None or self._final().doubtful)

    def _final(self) -> Register:
        register = self.register
        return register if self.meter_stop_wh is None else register.read(self.meter_stop_wh)


class SessionStore(Protocol):
    """Sessions, running and ended. A write is durable when its call returns."""

    async def start(self, session: StoredSession) -> StoredSession:
        """Insert, or return the session that is there already.

        The key is (charger, connector, id_token, start_timestamp, meter_start_wh). Raises
        StorageError when `transaction_id` is taken.
        """
        ...

    async def end(
        self,
        session_id: str,
        *,
        ended_at: float,
        meter_stop_wh: int | None,
        reason: str,
        timestamp: str | None = "",
    ) -> StoredSession | None:
        """End it and return it; None when there is none.

        `timestamp` is that of the StopTransaction, None when the end is only presumed. The first
        stop wins over all later ones and over a presumed end; the first presumed end wins over
        later ones. The session comes back as it is then, ended by this call or before.
        """
        ...

    async def unfinished(self, charger_id: str, *, limit: int = 100) -> list[StoredSession]:
        """Sessions of this charger whose StopTransaction has not come.

        Those that run come first, newest start first; then those presumed to have ended, newest
        end first.
        """
        ...

    async def stopped(self, charger_id: str, timestamp: str) -> list[StoredSession]:
        """Sessions of this charger whose StopTransaction bore this time; oldest start first."""
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

        Without a session, it belongs to the one of its charger that has its transaction id. The
        session's readings follow its samples until a StopTransaction names the last one.
        """
        ...

    async def samples(self, session_id: str, *, limit: int = 1000) -> list[MeterSample]:
        """The newest samples of a session, oldest first."""
        ...
