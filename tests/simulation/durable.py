"""A database in memory that commits a little later, and loses what a crash cut off.

Everything goes through one queue in order, as in `storage.writer`. On a crash a part of what waits,
from its front, may have been committed all the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from csms.dispatch.conviction import Conviction
from csms.dispatch.ledger import Entry
from csms.errors import StorageError
from csms.ports import (
    ChargerRecord,
    Credential,
    Frame,
    IdToken,
    Losses,
    ModelKey,
    Quarantined,
    SecurityEvent,
    StoredSession,
)
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation
from csms.storage.memory import MemoryStore
from tests.simulation.settings import SiteFaults

COMMIT_S = (0.002, 0.02)
SLOW_COMMIT_S = (0.5, 5.0)


@dataclass(slots=True)
class _Write:
    """One write that waits. `done` None: nobody waits for it."""

    action: Callable[[], Any]
    done: asyncio.Future[Any] | None


class Disk(MemoryStore):
    """What outlives csms. `holder` is the store that has locked it, as `storage.lock` does."""

    holder: DurableStore | None = None


class DurableStore:
    """`ports.Store`. `memory` is the disk: it outlives this object.

    `on_ledger` hears of every change of the ledger as it is asked for; `injected` of every fault.
    """

    def __init__(
        self,
        memory: Disk,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        faults: SiteFaults,
        *,
        on_ledger: Callable[[Sequence[Entry]], None],
        injected: Callable[[str], None],
    ) -> None:
        self.memory = memory
        self.durable: dict[int, Entry] = {}
        self._loop = loop
        self._random = random
        self._faults = faults
        self._on_ledger = on_ledger
        self._injected = injected
        self._queue: deque[_Write] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._dead = False

    # ------------------------------------------------------------------ the disk

    def crash(self) -> None:
        """The process is gone: some of what waits was written, in order; the rest is lost."""
        kept = self._random.randint(0, len(self._queue))
        for _ in range(kept):
            self._attempt(self._queue.popleft())
        self._queue.clear()
        self._dead = True
        self._unlock()
        if self._timer is not None:
            self._timer.cancel()

    def _put(self, action: Callable[[], Any], done: asyncio.Future[Any] | None) -> None:
        if self._dead:
            return
        self._queue.append(_Write(action, done))
        if self._timer is None:
            self._timer = self._loop.call_later(self._commit_s(), self._commit)

    def _commit_s(self) -> float:
        if self._random.random() < self._faults.slow_commit:
            self._injected("slow commit")
            return self._random.uniform(*SLOW_COMMIT_S)
        return self._random.uniform(*COMMIT_S)

    def _commit(self) -> None:
        self._timer = None
        fails = self._random.random() < self._faults.failed_commit
        if fails:
            self._injected("failed commit")
        while self._queue:
            write = self._queue.popleft()
            if fails and write.done is not None:
                if not write.done.done():
                    write.done.set_exception(StorageError("the disk said no"))
            else:
                self._attempt(write)

    @staticmethod
    def _attempt(write: _Write) -> None:
        try:
            result = write.action()
        except StorageError as error:
            if write.done is not None and not write.done.done():
                write.done.set_exception(error)
            return
        if write.done is not None and not write.done.done():
            write.done.set_result(result)

    async def _durably(self, action: Callable[[], Any]) -> Any:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._put(action, done)
        return await done

    # ------------------------------------------------------------------ writes

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        self._on_ledger(entries)
        await self._durably(lambda: self._keep(station_id, entries))

    def write_later(self, station_id: str, entries: Sequence[Entry]) -> None:
        self._on_ledger(entries)
        self._put(lambda: self._keep(station_id, entries), None)

    def _keep(self, station_id: str, entries: Sequence[Entry]) -> None:
        self.memory.write_later(station_id, entries)
        for entry in entries:
            self.durable[entry.token] = entry

    def convict_later(
        self, station_id: str, changed: Mapping[ConnectorKey, Conviction | None]
    ) -> None:
        self._put(lambda: self.memory.convict_later(station_id, changed), None)

    async def start(self, session: StoredSession) -> StoredSession:
        kept: StoredSession = await self._durably(lambda: _now(self.memory.start(session)))
        return kept

    async def end(
        self,
        session_id: str,
        *,
        ended_at: float,
        meter_stop_wh: int | None,
        reason: str,
        timestamp: str | None = "",
    ) -> StoredSession | None:
        kept: StoredSession | None = await self._durably(
            lambda: _now(
                self.memory.end(
                    session_id,
                    ended_at=ended_at,
                    meter_stop_wh=meter_stop_wh,
                    reason=reason,
                    timestamp=timestamp,
                )
            )
        )
        return kept

    async def quarantine(self, item: Quarantined) -> bool:
        kept: bool = await self._durably(lambda: _now(self.memory.quarantine(item)))
        return kept

    async def declare_vehicle(self, session_id: str, vehicle_max_w: int | None) -> None:
        await self._durably(lambda: _now(self.memory.declare_vehicle(session_id, vehicle_max_w)))

    def sample(self, session_id: str | None, sample: MeterSample) -> None:
        self._put(lambda: self.memory.sample(session_id, sample), None)

    async def save_station(self, station_id: str, document: Mapping[str, Any]) -> None:
        await self._durably(lambda: _now(self.memory.save_station(station_id, document)))

    async def remove_station(self, station_id: str) -> None:
        await self._durably(lambda: _now(self.memory.remove_station(station_id)))

    async def save_charger(self, record: ChargerRecord) -> None:
        await self._durably(lambda: _now(self.memory.save_charger(record)))

    async def save_token(self, token: IdToken) -> None:
        await self._durably(lambda: _now(self.memory.save_token(token)))

    async def save_tokens(self, tokens: Sequence[IdToken], *, replace: bool = True) -> int:
        await self._durably(lambda: _now(self.memory.save_tokens(tokens, replace=replace)))
        return len(tokens)

    async def fill_tokens(self, tokens: Sequence[IdToken]) -> None:
        await self._durably(lambda: _now(self.memory.fill_tokens(tokens)))

    async def remove_token(self, id_token: str) -> bool:
        await self._durably(lambda: _now(self.memory.remove_token(id_token)))
        return True

    async def save_local_list(self, charger_id: str, document: Mapping[str, Any]) -> None:
        await self._durably(lambda: _now(self.memory.save_local_list(charger_id, document)))

    async def save_reservation(self, reservation: Reservation) -> None:
        await self._durably(lambda: _now(self.memory.save_reservation(reservation)))

    async def forget_reservations(self, before: float) -> None:
        await self._durably(lambda: _now(self.memory.forget_reservations(before)))

    async def save_capability(self, charger_id: str, document: Mapping[str, Any]) -> None:
        await self._durably(lambda: _now(self.memory.save_capability(charger_id, document)))

    async def save_model_capability(self, model: ModelKey, document: Mapping[str, Any]) -> None:
        await self._durably(lambda: _now(self.memory.save_model_capability(model, document)))

    async def save_reports(self, charger_id: str, document: Mapping[str, Any]) -> None:
        await self._durably(lambda: _now(self.memory.save_reports(charger_id, document)))

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        await self._durably(lambda: _now(self.memory.save_grid(station_id, document)))

    async def save_credential(self, credential: Credential) -> None:
        await self._durably(lambda: _now(self.memory.save_credential(credential)))

    def security_event(self, event: SecurityEvent) -> None:
        self._put(lambda: self.memory.security_event(event), None)

    def frame(self, frame: Frame) -> None:
        """Frames are not kept: nobody reads them here."""

    # ------------------------------------------------------------------ reads

    def written(self, token: int) -> bool:
        """Whether a limit of this token is on the disk."""
        return token in self.durable

    async def open(self) -> None:
        self._lock()
        await self.memory.open()

    async def close(self) -> None:
        self._unlock()
        await self.memory.close()

    def _lock(self) -> None:
        if self.memory.holder is not None:
            raise StorageError("the disk is in use by another csms")
        self.memory.holder = self

    def _unlock(self) -> None:
        if self.memory.holder is self:
            self.memory.holder = None

    async def find(self, charger_id: str, transaction_id: int) -> StoredSession | None:
        return await self.memory.find(charger_id, transaction_id)

    async def running(self) -> list[StoredSession]:
        return await self.memory.running()

    async def unfinished(self, charger_id: str, *, limit: int = 100) -> list[StoredSession]:
        return await self.memory.unfinished(charger_id, limit=limit)

    async def stopped(self, charger_id: str, timestamp: str) -> list[StoredSession]:
        return await self.memory.stopped(charger_id, timestamp)

    async def quarantined(self, charger_id: str, *, limit: int = 200) -> list[Quarantined]:
        return await self.memory.quarantined(charger_id, limit=limit)

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        return await self.memory.ended(station_id, limit=limit, before=before)

    async def samples(self, session_id: str, *, limit: int = 1000) -> list[MeterSample]:
        return await self.memory.samples(session_id, limit=limit)

    async def load(self, station_id: str) -> list[Entry]:
        return await self.memory.load(station_id)

    async def convictions(self, station_id: str) -> list[Conviction]:
        return await self.memory.convictions(station_id)

    def on_record(self, station_id: str) -> frozenset[ConnectorKey]:
        """The connectors that are convicted on the disk."""
        kept: list[Conviction] = _now(self.memory.convictions(station_id))
        return frozenset(c.connector for c in kept if c.cause is not None)

    async def last_token(self) -> int:
        return await self.memory.last_token()

    async def load_stations(self) -> dict[str, dict[str, Any]]:
        return await self.memory.load_stations()

    async def load_chargers(self) -> dict[str, ChargerRecord]:
        return await self.memory.load_chargers()

    async def load_capabilities(self) -> dict[str, dict[str, Any]]:
        return await self.memory.load_capabilities()

    async def load_model_capabilities(self) -> dict[ModelKey, dict[str, Any]]:
        return await self.memory.load_model_capabilities()

    async def load_reports(self) -> dict[str, dict[str, Any]]:
        return await self.memory.load_reports()

    async def load_grid(self, station_id: str) -> dict[str, Any] | None:
        return await self.memory.load_grid(station_id)

    async def probe(self, at: float) -> None:
        await self._durably(lambda: _now(self.memory.probe(at)))

    def free_share(self) -> float | None:
        return self.memory.free_share()

    def losses(self) -> Losses:
        return self.memory.losses()

    async def load_token(self, id_token: str) -> IdToken | None:
        return await self.memory.load_token(id_token)

    async def load_tokens(self, *, limit: int = 1000, after: str = "") -> list[IdToken]:
        return await self.memory.load_tokens(limit=limit, after=after)

    async def load_local_list(self, charger_id: str) -> dict[str, Any] | None:
        return await self.memory.load_local_list(charger_id)

    async def load_reservations(self) -> list[Reservation]:
        return await self.memory.load_reservations()

    async def load_group(self, parent_id_token: str) -> list[IdToken]:
        return await self.memory.load_group(parent_id_token)

    async def load_credentials(self) -> dict[str, Credential]:
        return await self.memory.load_credentials()

    async def security_events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        return await self.memory.security_events(charger_id=charger_id, limit=limit, before=before)

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        return []


def _now(call: Any) -> Any:
    """The result of a coroutine of the memory store, none of which ever waits."""
    try:
        call.send(None)
    except StopIteration as over:
        return over.value
    raise AssertionError("the memory store waited")
