"""`ports.Store` in a database: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from csms.dispatch.conviction import Conviction
from csms.dispatch.ledger import Entry
from csms.errors import IdTakenError, StorageError
from csms.ports import (
    ChargerRecord,
    Clock,
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
from csms.storage import (
    convictions,
    dialect,
    frames,
    id_tokens,
    ledger,
    lock,
    migration,
    probe,
    quarantine,
    reservations,
    samples,
    security,
    sessions,
    stations,
)
from csms.storage.reader import Reader
from csms.storage.reserve import Measure, Reserve
from csms.storage.retention import Turn
from csms.storage.work import Stream
from csms.storage.writer import Counters, Writer, WriterSettings

Result = TypeVar("Result")
KeptRow = ledger.LedgerRow | convictions.ConvictionRow


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """How much may wait and how much is kept.

    `frames_kept` and `quarantine_kept` are for all chargers together. A superseded limit is kept
    for `limits_kept_s` and a meter sample for `samples_kept_s`, counted back from the newest one
    written. `reserve_bytes` is the size of the file that is given up on a full disk; 0 for none.
    """

    writer: WriterSettings = field(default_factory=WriterSettings)
    waiting_samples: int = 10_000
    waiting_frames: int = 10_000
    frames_kept: int = 100_000
    quarantine_kept: int = 10_000
    waiting_security_events: int = 1_000
    security_events_kept: int = 10_000
    limits_kept_s: float = 30 * 86_400.0
    samples_kept_s: float = 400 * 86_400.0
    busy_timeout_s: float = 5.0
    reserve_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a store has done since it was opened, for people who watch it."""

    commits: int
    operations: int
    rows: int
    failed: int
    refused: int
    lost: int
    dropped_samples: int
    dropped_frames: int


class SqlStore:
    """`ports.Store` on one writing and one reading thread.

    A read sees every write that was asked for before it, except that `find` may see a session's
    meter register a moment late. With less than 1 % of the disk free only what cannot wait is
    written: limits, keys, settings. `url` is a SQLAlchemy URL; one that cannot be used raises
    StorageError here or in `open`. `measure` tells how full a disk is.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        settings: SqlSettings | None = None,
        measure: Measure = shutil.disk_usage,
    ) -> None:
        self._url = dialect.parse(url)
        self._clock = clock
        self._settings = settings or SqlSettings()
        self._reserve = Reserve(self._url, self._settings.reserve_bytes, measure)
        self._samples = Stream(self._save_samples, self._settings.waiting_samples)
        self._frames = Stream(self._save_frames, self._settings.waiting_frames)
        self._security = Stream(self._save_events, self._settings.waiting_security_events)
        self._security_turn = Turn()
        self._samples_turn = Turn()
        self._frames_turn = Turn(max(1, self._settings.frames_kept // 10))
        self._quarantine_turn = Turn(max(1, self._settings.quarantine_kept // 10))
        self._limits_turn = Turn()
        self._counters = Counters()
        self._opened: tuple[Writer, Reader] | None = None
        self._release: lock.Release = _nothing

    # ------------------------------------------------------------------ opening and closing

    async def open(self) -> None:
        """Make ready: lock, migrate (SQLite) or check (others), then start both threads."""
        if self._opened is not None:
            raise StorageError("the store is already open")
        release = await asyncio.to_thread(lock.acquire, self._url)
        try:
            await self._open_threads()
        except BaseException:
            release()
            raise
        self._release = release

    async def _open_threads(self) -> None:
        streams = (self._samples, self._frames, self._security)
        writer = Writer(
            self._connect_writer, self._settings.writer, streams, self._save_kept, self._reserve
        )
        await writer.open()
        reader = Reader(self._connect_reader)
        try:
            await reader.open()
        except BaseException:
            await writer.close()
            raise
        self._counters = writer.counters
        self._opened = (writer, reader)

    async def close(self) -> None:
        """Write what is queued, then let go. Raises StorageError when limits were lost."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        writer, reader = opened
        # The writer's connection goes last: the last one to go checkpoints the WAL.
        try:
            await reader.close()
            await writer.close()
        finally:
            self._release()

    def statistics(self) -> Statistics:
        """What was done since `open`."""
        done = self._counters
        return Statistics(
            commits=done.commits,
            operations=done.operations,
            rows=done.rows,
            failed=done.failed,
            refused=done.refused,
            lost=done.lost,
            dropped_samples=self._samples.dropped,
            dropped_frames=self._frames.dropped,
        )

    async def probe(self, at: float) -> None:
        """See `ports.Store`."""
        await self._write(lambda connection: probe.save(connection, at))

    def free_share(self) -> float | None:
        """See `ports.Store`."""
        return self._reserve.free_share()

    def losses(self) -> Losses:
        """See `ports.Store`."""
        return Losses(self._samples.dropped, self._frames.dropped, self._counters.lost)

    def _connect_writer(self) -> Connection:
        engine = dialect.writer_engine(self._url, busy_timeout_s=self._settings.busy_timeout_s)
        return self._connect(engine, self._prepare)

    def _connect_reader(self) -> Connection:
        engine = dialect.reader_engine(self._url, busy_timeout_s=self._settings.busy_timeout_s)
        return self._connect(engine, lambda _connection: None)

    def _connect(self, engine: Engine, prepare: Callable[[Connection], None]) -> Connection:
        doing = f"cannot open {self._url.render_as_string()}"
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            raise dialect.storage_error(error, doing) from error
        try:
            prepare(connection)
        except SQLAlchemyError as error:
            connection.close()
            raise dialect.storage_error(error, doing) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection) -> None:
        dialect.check_writer(connection)
        with connection.begin():
            if dialect.is_sqlite(self._url):
                migration.upgrade(connection)
            else:
                migration.check(connection)

    # ------------------------------------------------------------------ in the writing thread

    def _save_samples(self, connection: Connection, rows: Sequence[samples.SampleRow]) -> None:
        samples.save(connection, rows)
        if self._samples_turn.due(len(rows)):
            newest = max(sample.at for _, sample in rows)
            before = newest - self._settings.samples_kept_s
            samples.prune(connection, before, self._samples_turn.at_most)

    def _save_frames(self, connection: Connection, rows: Sequence[Frame]) -> None:
        frames.save(connection, rows)
        if self._frames_turn.due(len(rows)):
            frames.prune(connection, self._settings.frames_kept, self._frames_turn.at_most)

    def _save_kept(self, connection: Connection, rows: Collection[KeptRow]) -> None:
        """Rows that nobody waits for: limits are pairs, convictions are triples."""
        self._save_limits(connection, [row for row in rows if len(row) == 2])
        convictions.save(connection, [row for row in rows if len(row) == 3])

    def _save_events(self, connection: Connection, rows: Sequence[SecurityEvent]) -> None:
        security.save_events(connection, rows)
        if self._security_turn.due(len(rows)):
            kept = self._settings.security_events_kept
            security.prune_events(connection, kept, self._security_turn.at_most)

    def _save_limits(self, connection: Connection, rows: Collection[ledger.LedgerRow]) -> None:
        ledger.save(connection, rows)
        if rows and self._limits_turn.due(len(rows)):
            newest = max(entry.sent_at for _, entry in rows)
            before = newest - self._settings.limits_kept_s
            ledger.prune(connection, before, self._limits_turn.at_most)

    # ------------------------------------------------------------------ ways in and out

    def _threads(self) -> tuple[Writer, Reader]:
        if self._opened is None:
            raise StorageError("the store is not open")
        return self._opened

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        writer, _ = self._threads()
        return await writer.submit(work)

    async def _write_if_room(self, work: Callable[[Connection], Result]) -> Result:
        """Write what can wait until there is room on the disk: who has it keeps it until then."""
        writer, _ = self._threads()
        return await writer.submit(work, can_wait=True)

    async def _read(self, question: Callable[[Connection], Result]) -> Result:
        _, reader = self._threads()
        return await reader.read(question)

    async def _read_settled(self, question: Callable[[Connection], Result]) -> Result:
        """Read after everything queued was written: rows nobody waited for are seen too."""
        writer, reader = self._threads()
        await writer.settled()
        return await reader.read(question)

    # ------------------------------------------------------------------ sessions

    async def start(self, session: StoredSession) -> StoredSession:
        """See `ports.SessionStore`."""
        stored = await self._write_if_room(lambda connection: sessions.start(connection, session))
        if stored is None:
            raise IdTakenError(
                f"session id {session.session_id} or transaction id {session.transaction_id}"
                " is taken by another session"
            )
        return stored

    async def end(
        self,
        session_id: str,
        *,
        ended_at: float,
        meter_stop_wh: int | None,
        reason: str,
        timestamp: str | None = "",
    ) -> StoredSession | None:
        """See `ports.SessionStore`."""
        return await self._write_if_room(
            lambda connection: sessions.end(
                connection,
                session_id,
                ended_at=ended_at,
                meter_stop_wh=meter_stop_wh,
                reason=reason,
                timestamp=timestamp,
            )
        )

    async def find(self, charger_id: str, transaction_id: int) -> StoredSession | None:
        """See `ports.SessionStore`."""
        return await self._read(lambda c: sessions.find(c, charger_id, transaction_id))

    async def unfinished(self, charger_id: str, *, limit: int = 100) -> list[StoredSession]:
        """See `ports.SessionStore`."""
        return await self._read(lambda c: sessions.unfinished(c, charger_id, limit))

    async def stopped(self, charger_id: str, timestamp: str) -> list[StoredSession]:
        """See `ports.SessionStore`."""
        return await self._read(lambda c: sessions.stopped(c, charger_id, timestamp))

    async def running(self) -> list[StoredSession]:
        """See `ports.SessionStore`; oldest start first."""
        return await self._read_settled(sessions.running)

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """See `ports.SessionStore`."""
        return await self._read_settled(lambda c: sessions.ended(c, station_id, limit, before))

    async def declare_vehicle(self, session_id: str, vehicle_max_w: int | None) -> None:
        """See `ports.SessionStore`."""
        await self._write(lambda c: sessions.declare_vehicle(c, session_id, vehicle_max_w))

    def sample(self, session_id: str | None, sample: MeterSample) -> None:
        """See `ports.SessionStore`. When the store is not open, it counts as dropped."""
        self._put(self._samples, (session_id, sample))

    async def samples(self, session_id: str, *, limit: int = 1000) -> list[MeterSample]:
        """See `ports.SessionStore`."""
        return await self._read_settled(lambda c: samples.newest(c, session_id, limit))

    # ------------------------------------------------------------------ ledger

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        """See `ports.LedgerStore`."""
        rows = [(station_id, entry) for entry in entries]
        if rows:
            await self._write(lambda connection: self._save_limits(connection, rows))

    def write_later(self, station_id: str, entries: Sequence[Entry]) -> None:
        """See `ports.LedgerStore`. Raises StorageError when the store is not open."""
        writer, _ = self._threads()
        if entries:
            writer.keep({(station_id, entry.token): (station_id, entry) for entry in entries})

    async def load(self, station_id: str) -> list[Entry]:
        """See `ports.LedgerStore`."""
        return await self._read_settled(lambda connection: ledger.load(connection, station_id))

    async def last_token(self) -> int:
        """See `ports.LedgerStore`."""
        return await self._read_settled(ledger.last_token)

    # ------------------------------------------------------------------ convictions

    def convict_later(
        self, station_id: str, changed: Mapping[ConnectorKey, Conviction | None]
    ) -> None:
        """See `ports.ConvictionStore`. Raises StorageError when the store is not open."""
        writer, _ = self._threads()
        if changed:
            writer.keep({(station_id, key): (station_id, key, c) for key, c in changed.items()})

    async def convictions(self, station_id: str) -> list[Conviction]:
        """See `ports.ConvictionStore`."""
        return await self._read_settled(lambda c: convictions.load(c, station_id))

    # ------------------------------------------------------------------ stations

    async def save_station(self, station_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        at = None if self._clock is None else self._clock.now()
        await self._write(lambda c: stations.save_station(c, station_id, document, at))

    async def load_stations(self) -> dict[str, dict[str, Any]]:
        """See `ports.StationStore`."""
        return await self._read(stations.load_stations)

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        at = None if self._clock is None else self._clock.now()
        await self._write(lambda c: stations.save_grid(c, station_id, document, at))

    async def load_grid(self, station_id: str) -> dict[str, Any] | None:
        """See `ports.StationStore`."""
        return await self._read(lambda connection: stations.load_grid(connection, station_id))

    async def remove_station(self, station_id: str) -> None:
        """See `ports.StationStore`."""
        await self._write(lambda connection: stations.remove_station(connection, station_id))

    async def save_charger(self, record: ChargerRecord) -> None:
        """See `ports.StationStore`."""
        await self._write_if_room(lambda connection: stations.save_charger(connection, record))

    async def load_chargers(self) -> dict[str, ChargerRecord]:
        """See `ports.StationStore`."""
        return await self._read(stations.load_chargers)

    async def save_capability(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        await self._write_if_room(lambda c: stations.save_capability(c, charger_id, document))

    async def load_capabilities(self) -> dict[str, dict[str, Any]]:
        """See `ports.StationStore`."""
        return await self._read(stations.load_capabilities)

    async def save_model_capability(self, model: ModelKey, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        await self._write_if_room(lambda c: stations.save_model_capability(c, model, document))

    async def load_model_capabilities(self) -> dict[ModelKey, dict[str, Any]]:
        """See `ports.StationStore`."""
        return await self._read(stations.load_model_capabilities)

    async def save_reports(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        await self._write_if_room(lambda c: stations.save_reports(c, charger_id, document))

    async def load_reports(self) -> dict[str, dict[str, Any]]:
        """See `ports.StationStore`."""
        return await self._read(stations.load_reports)

    # ------------------------------------------------------------------ tokens

    async def save_token(self, token: IdToken) -> None:
        """See `ports.TokenStore`."""
        await self._write(lambda connection: id_tokens.save(connection, [token]))

    async def save_tokens(self, tokens: Sequence[IdToken], *, replace: bool = True) -> int:
        """See `ports.TokenStore`."""
        return await self._write_if_room(lambda c: id_tokens.save(c, tokens, replace=replace))

    async def fill_tokens(self, tokens: Sequence[IdToken]) -> None:
        """See `ports.TokenStore`."""
        await self._write(lambda connection: id_tokens.fill(connection, tokens))

    async def load_token(self, id_token: str) -> IdToken | None:
        """See `ports.TokenStore`."""
        return await self._read(lambda connection: id_tokens.load(connection, id_token))

    async def load_tokens(self, *, limit: int = 1000, after: str = "") -> list[IdToken]:
        """See `ports.TokenStore`."""
        return await self._read(lambda connection: id_tokens.page(connection, limit, after))

    async def load_group(self, parent_id_token: str) -> list[IdToken]:
        """See `ports.TokenStore`."""
        return await self._read(lambda connection: id_tokens.group(connection, parent_id_token))

    async def remove_token(self, id_token: str) -> bool:
        """See `ports.TokenStore`."""
        return await self._write(lambda connection: id_tokens.remove(connection, id_token))

    async def save_local_list(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.TokenStore`."""
        await self._write_if_room(lambda c: id_tokens.save_local_list(c, charger_id, document))

    async def load_local_list(self, charger_id: str) -> dict[str, Any] | None:
        """See `ports.TokenStore`."""
        return await self._read(lambda c: id_tokens.load_local_list(c, charger_id))

    async def save_reservation(self, reservation: Reservation) -> None:
        """See `ports.TokenStore`."""
        await self._write(lambda connection: reservations.save(connection, reservation))

    async def load_reservations(self) -> list[Reservation]:
        """See `ports.TokenStore`."""
        return await self._read(reservations.load)

    async def forget_reservations(self, before: float) -> None:
        """See `ports.TokenStore`."""
        await self._write(lambda connection: reservations.forget(connection, before))

    # ------------------------------------------------------------------ frames

    def frame(self, frame: Frame) -> None:
        """See `ports.FrameLog`. When the store is not open, it counts as dropped."""
        self._put(self._frames, frame)

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        """See `ports.FrameLog`."""
        return await self._read_settled(lambda c: frames.newest(c, charger_id, limit))

    # ------------------------------------------------------------------ quarantine

    async def quarantine(self, item: Quarantined) -> bool:
        """See `ports.Quarantine`."""
        return await self._write_if_room(lambda connection: self._quarantine(connection, item))

    def _quarantine(self, connection: Connection, item: Quarantined) -> bool:
        kept = quarantine.save(connection, item)
        if kept and self._quarantine_turn.due(1):
            at_most = self._quarantine_turn.at_most
            quarantine.prune(connection, self._settings.quarantine_kept, at_most)
        return kept

    async def quarantined(self, charger_id: str, *, limit: int = 200) -> list[Quarantined]:
        """See `ports.Quarantine`."""
        return await self._read(lambda c: quarantine.newest(c, charger_id, limit))

    # ------------------------------------------------------------------ security

    async def save_credential(self, credential: Credential) -> None:
        """See `ports.SecurityStore`."""
        await self._write(lambda connection: security.save_credential(connection, credential))

    async def load_credentials(self) -> dict[str, Credential]:
        """See `ports.SecurityStore`."""
        return await self._read(security.load_credentials)

    def security_event(self, event: SecurityEvent) -> None:
        """See `ports.SecurityStore`. When the store is not open, it counts as dropped."""
        self._put(self._security, event)

    async def security_events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        """See `ports.SecurityStore`."""
        return await self._read_settled(
            lambda c: security.newest_events(c, charger_id, limit, before)
        )

    def _put(self, stream: Stream[Any], row: object) -> None:
        if self._opened is None:
            stream.dropped += 1
        else:
            self._opened[0].put(stream, row)


def _nothing() -> None:
    """No lock is held."""
