"""Where the protocol handlers record what chargers say: durable first, then a fact for the loop."""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from csms.control.access import Access
from csms.control.authorization import TokenPolicy
from csms.control.boots import BootPolicy, Boots, has_session
from csms.control.events import EventLog
from csms.control.past import PastTransactions, out_of_time
from csms.control.remote import RemoteRequests
from csms.control.reports import ReportBook
from csms.control.security import Security
from csms.control.station_loop import StationLoop
from csms.control.stops import says_the_same, session_of_stop
from csms.errors import IdTakenError, StorageError
from csms.ports import (
    BootReport,
    BootVerdict,
    ChargerRecord,
    ChargerReport,
    Clock,
    IdToken,
    Quarantined,
    StartReport,
    StartVerdict,
    StopReport,
    Store,
    StoredSession,
    TokenStatus,
    Topic,
)
from csms.station.facts import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    ChargerFact,
    MeterSample,
    SessionEnded,
    SessionStarted,
)
from csms.station.model import ConnectorKey
from csms.station.presumption import Presumed, PresumedEnd
from csms.station.update import outlet, session_of_sample

log = structlog.get_logger(__name__)

LARGEST_TRANSACTION_ID = 2**31 - 1
ID_ATTEMPTS = 5
PAYLOAD_CHARS = 65_536
"""What is kept at most of a message that could not be used."""
BOUNDARIES = frozenset({"Transaction.Begin", "Transaction.End", "Sample.Clock"})
"""Contexts of samples that are billed by (OCPP 1.6 §7.33): kept whatever is shed."""
SHED_ACTIONS = frozenset({"DataTransfer"})
SHED_TOPICS = frozenset({Topic.DIAGNOSTICS, Topic.LOG})
"""What is worth least of all, not kept while csms sheds (safety.md §3.1, class 8)."""
PLAUSIBLE_SINCE = 946_684_800.0
"""2000-01-01: an earlier time is that of a clock that was never set."""
HISTORY_S = 90 * 86_400.0
"""What is told later than this is not believed: clocks start anew at some day of their maker's."""
CLOCK_AHEAD_S = 60.0
"""A time that lies further ahead of ours says nothing of what came first."""


@dataclass(frozen=True, slots=True)
class RecorderSettings(TokenPolicy):
    """How chargers and tokens are answered.

    `heartbeat_interval_s` is what BootNotification is answered with, as long as no more come than
    `boots` lets through. `answer_s` is how long the database may take: then a boot is answered from
    memory, and a transaction not at all.
    """

    heartbeat_interval_s: int = 300
    answer_s: float = 5.0
    boots: BootPolicy = field(default_factory=BootPolicy)


class StationRecorder:
    """`ports.Recorder` on a store and the station loops.

    `loop_of` finds the loop a charger belongs to, None for a charger of no station. `records` is
    what is remembered of the chargers, by id, and `reports` what they said beside charging; both
    are kept up to date here. `sheds` tells whether what is worth least is not kept for now.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        events: EventLog,
        remote: RemoteRequests,
        loop_of: Callable[[str], StationLoop | None],
        settings: RecorderSettings,
        access: Access,
        security: Security,
        sheds: Callable[[], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._remote = remote
        self._loop_of = loop_of
        self._settings = settings
        self._access = access
        self._security = security
        self._past = PastTransactions()
        self._boots = Boots(settings.boots)
        self._sheds = sheds
        self.records: dict[str, ChargerRecord] = {}
        self.reports = ReportBook(store)

    def now(self) -> float:
        """UTC epoch seconds."""
        return self._clock.now()

    async def boot(self, report: BootReport) -> BootVerdict:
        """Remember the charger and accept it: who may connect is decided before (OCPP 1.6 §4.2).

        In a storm of boots it may have to boot again later. That it has booted is true all the
        same: its limits may be gone.
        """
        now = self.now()
        wait_s = self._boot_wait_s(report.charger_id)
        # Its limits may be gone: that must not wait for the database.
        self.record(
            ChargerBooted(
                report.charger_id,
                now,
                report.vendor,
                report.model,
                report.serial,
                report.firmware,
                pending=wait_s is not None,
            )
        )
        record = ChargerRecord(
            report.charger_id,
            report.vendor,
            report.model,
            report.serial,
            report.firmware,
            accepted=True,
            last_seen_at=now,
        )
        if wait_s is None:
            await self._keep_boot(record)
            self.records[report.charger_id] = record
        if wait_s is not None:
            return BootVerdict(accepted=False, interval_s=wait_s, pending=True)
        return BootVerdict(accepted=True, interval_s=self._settings.heartbeat_interval_s)

    def _boot_wait_s(self, charger_id: str) -> int | None:
        loop = self._loop_of(charger_id)
        charging = loop is not None and has_session(loop.state, charger_id)
        return self._boots.wait_s(charger_id, self._clock.monotonic(), charging=charging)

    async def _keep_boot(self, record: ChargerRecord) -> None:
        """Keep what a boot told. That it has been here is kept already: more than that can wait.

        So a known charger is answered though the database is down or slow (safety.md §3.3).
        """
        try:
            async with asyncio.timeout(self._settings.answer_s):
                await self._store.save_charger(record)
        except (StorageError, TimeoutError) as error:
            if record.charger_id not in self.records:
                raise StorageError(f"charger {record.charger_id} is not kept: {error}") from error
            log.warning("boot_not_kept", charger_id=record.charger_id, error=str(error))

    async def remember(self, charger_id: str) -> None:
        """Remember that the charger has been here.

        From now on, also after a restart, it counts at its hardware maximum until it confirms a
        fallback.
        """
        if charger_id not in self.records:
            record = ChargerRecord(charger_id, last_seen_at=self.now())
            await self._store.save_charger(record)
            # A boot may have been kept in the meantime, and says more.
            self.records.setdefault(charger_id, record)

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        """What a driver at the reader is answered (OCPP 1.6 §4.1): guesses are counted."""
        return await self._access.authorize(charger_id, id_token)

    async def start_session(self, report: StartReport) -> StartVerdict:
        """Keep the session, end an older one on the connector, tell the loop (OCPP 1.6 §4.8).

        The same report again gets the answer that was kept. A session whose token is not accepted
        is kept and gets a real id, but is given no power. So is one on a connector that the station
        does not have: nothing could limit it.
        """
        loop = self._loop_of(report.connector.charger_id)
        if loop is not None:
            report = replace(report, connector=outlet(loop.state, report.connector))
        with _starting(loop, report.connector):
            async with self._in_time():
                return await self._start(loop, report)

    async def stop_session(self, report: StopReport) -> IdToken | None:
        """Keep the end and tell the loop (§4.10).

        The first stop of a session has the last word, also over an end that was presumed. What
        nobody can place, and what contradicts the first, goes into quarantine.
        """
        async with self._in_time():
            await self._stop(report)
        if report.id_token is None:
            return None
        # Not `authorize`: a token named in a stop, perhaps weeks ago, is no guess at the reader.
        return await self._access.tokens.authorize(report.charger_id, report.id_token)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """StorageError when the database does not answer: it may take what it was given later.

        While a transaction waits, nothing else of its charger is served, and a limit may wait too.
        """
        try:
            async with asyncio.timeout(self._settings.answer_s):
                yield
        except TimeoutError:
            raise StorageError(f"no answer within {self._settings.answer_s:g} s") from None

    async def _stop(self, report: StopReport) -> None:
        session = await self._stopped(report)
        if session is None:
            await self._quarantine(report, _why_unplaced(report))
        else:
            kept = await self._end(
                session,
                report.stopped_at,
                report.reason,
                meter_stop_wh=report.meter_stop_wh,
                timestamp=report.timestamp,
            )
            self._past.add(report.charger_id, session.transaction_id)
            if session.ended_at is None or session.provisional:
                loop = self._loop_of(report.charger_id)
                self._check_time(loop, session.connector, "StopTransaction", report.stopped_at)
            if not says_the_same(kept, report):
                await self._quarantine(report, "contradicts the stop that came before it")

    async def presume_end(self, presumed: Presumed) -> None:
        """Keep that a session is over, though its stop has not come, and tell the loop."""
        session = presumed.session
        stored = await self._store.find(session.connector.charger_id, session.transaction_id)
        if stored is not None:
            await self._end(stored, max(presumed.at, stored.started_at), presumed.reason.value)

    async def supersede(self, older: StoredSession, ended_at: float) -> None:
        """Keep that a session is over since another one has begun on its connector."""
        await self._end(older, ended_at, PresumedEnd.SUPERSEDED.value)

    def record(self, fact: ChargerFact) -> None:
        """Pass a fact on to the loop of its charger; meter samples are kept as well."""
        loop = self._loop_of(_charger_of(fact))
        if loop is None:
            return
        if isinstance(fact, MeterSample):
            session = session_of_sample(loop.state, fact)
            if fact.context in BOUNDARIES or not self._sheds():
                self._store.sample(None if session is None else session.session_id, fact)
            if session is None and self._past.has(fact.connector.charger_id, fact.transaction_id):
                return
        loop.post(fact)

    async def report(self, report: ChargerReport) -> None:
        """Keep what a charger of a station reports, and put it among the events.

        A security event has one place: with all others.
        """
        loop = self._loop_of(report.charger_id)
        if loop is None or (report.topic in SHED_TOPICS and self._sheds()):
            return
        security = report.topic is Topic.SECURITY
        kind = "security_event" if security else "charger_reported"
        words = f"{report.charger_id} {report.topic.value} {report.what} {report.info}".rstrip()
        self._events.add(loop.station_id, kind, words)
        if security:
            self._security.reported(report)
        else:
            await self.reports.add(report)

    async def sign(self, charger_id: str, request_pem: str) -> bool:
        """Whether a certificate that the charger asks for is signed; it is sent in a moment."""
        return self._loop_of(charger_id) is not None and self._security.sign(
            charger_id, request_pem
        )

    def note(self, charger_id: str, action: str, detail: Mapping[str, Any]) -> None:
        """Put a message that changes nothing in the model among the events."""
        loop = self._loop_of(charger_id)
        if loop is not None and not (action in SHED_ACTIONS and self._sheds()):
            words = " ".join(f"{key}={value}" for key, value in detail.items())
            self._events.add(loop.station_id, "charger_said", f"{charger_id} {action} {words}")

    # ------------------------------------------------------------------ sessions

    async def _start(self, loop: StationLoop | None, report: StartReport) -> StartVerdict:
        there = loop is not None and report.connector in loop.state.connectors
        async with self._access.starting(report) as judged:
            token = judged if there else replace(judged, status=TokenStatus.INVALID)
            proposed = self._proposal(loop, report, token)
            stored = await self._keep_start(proposed)
            await self._access.started(report, stored)
        replayed = stored.session_id != proposed.session_id
        if not replayed:
            self._check_time(loop, stored.connector, "StartTransaction", report.started_at)
        if stored.ended_at is not None:
            self._past.add(stored.connector.charger_id, stored.transaction_id)
        elif not replayed or (loop is not None and _untold(loop, stored)):
            await self._end_older(stored)
            self._tell_start(loop if there else None, stored, timed=report.timed)
        return StartVerdict(stored.transaction_id, _verdict(stored))

    def _check_time(
        self, loop: StationLoop | None, connector: ConnectorKey, action: str, said_at: float
    ) -> None:
        """Tell of a message from long ago or from the future that no wrong clock explains."""
        if loop is None:
            return
        words = out_of_time(said_at, self.now(), loop.contacts.clock_ahead_s(connector.charger_id))
        if words:
            text = f"{connector} {action} says it was written {words}"
            self._events.add(loop.station_id, "transaction_out_of_time", text)

    def _tell_start(self, loop: StationLoop | None, stored: StoredSession, *, timed: bool) -> None:
        if loop is None:
            text = f"{stored.connector} by {stored.id_token}"
            self._events.add(stored.station_id, "session_on_unknown_connector", text)
            return
        if stored.id_status is TokenStatus.ACCEPTED:
            told_at = stored.started_at if timed else None
            loop.post(replace(as_started(stored, self.now()), told_at=told_at))
        self._remote.session_started(stored.connector, stored.session_id, stored.id_token)

    def _proposal(
        self, loop: StationLoop | None, report: StartReport, token: IdToken
    ) -> StoredSession:
        over_at = None if loop is None else self._over_at(loop, report)
        return StoredSession(
            session_id=str(uuid.uuid4()),
            transaction_id=_new_transaction_id(),
            station_id=loop.station_id if loop is not None else "",
            connector=report.connector,
            id_token=report.id_token,
            id_status=token.status,
            started_at=report.started_at,
            meter_start_wh=report.meter_start_wh or 0,
            start_timestamp=report.timestamp,
            vehicle_max_w=self._remote.declared_for(report.connector, report.id_token),
            ended_at=over_at,
            reason=None if over_at is None else PresumedEnd.SUPERSEDED.value,
            id_expires_at=token.expires_at,
            parent_id_token=token.parent_id_token,
            meter_start_told=report.meter_start_wh is not None,
        )

    def _over_at(self, loop: StationLoop, report: StartReport) -> float | None:
        """When the connector's session began, if later than this one; None when it did not.

        A charger that was offline tells what happened meanwhile, and not always in order. Clocks
        are believed as far as they can be.
        """
        running = loop.state.session_on(report.connector)
        if running is None:
            return None
        latest = self.now() + CLOCK_AHEAD_S
        oldest = max(PLAUSIBLE_SINCE, running.started_at - HISTORY_S)
        later = oldest <= report.started_at < running.started_at <= latest
        return running.started_at if later else None

    async def _keep_start(self, proposed: StoredSession) -> StoredSession:
        for _ in range(ID_ATTEMPTS - 1):
            try:
                return await self._store.start(proposed)
            except IdTakenError:
                proposed = replace(proposed, transaction_id=_new_transaction_id())
        return await self._store.start(proposed)

    async def _end_older(self, stored: StoredSession) -> None:
        """Whoever starts a session on a connector has no other there, whatever was reported."""
        now = self.now()
        for older in await self._store.unfinished(stored.connector.charger_id):
            if older.ended_at is not None or older.session_id == stored.session_id:
                continue
            if older.connector == stored.connector:
                believed = older.started_at <= stored.started_at <= now
                ended_at = stored.started_at if believed else now
                await self.supersede(older, ended_at)

    async def _stopped(self, report: StopReport) -> StoredSession | None:
        charger_id = report.charger_id
        if report.transaction_id is not None and report.transaction_id > 0:
            return await self._store.find(charger_id, report.transaction_id)
        if report.timestamp:
            for session in await self._store.stopped(charger_id, report.timestamp):
                if says_the_same(session, report):
                    return session
        return session_of_stop(report, await self._store.unfinished(charger_id))

    async def _end(
        self,
        session: StoredSession,
        ended_at: float,
        reason: str,
        *,
        meter_stop_wh: int | None = None,
        timestamp: str | None = None,
    ) -> StoredSession:
        """Keep the end, presumed without a `timestamp`, and tell of it; the session as kept."""
        ended = await self._store.end(
            session.session_id,
            ended_at=ended_at,
            meter_stop_wh=meter_stop_wh,
            reason=reason,
            timestamp=timestamp,
        )
        loop = self._loop_of(session.connector.charger_id)
        if ended is not None and loop is not None:
            loop.post(
                SessionEnded(
                    self.now(),
                    session.session_id,
                    session.connector,
                    ended.meter_stop_wh,
                    ended.reason or reason,
                    presumed=ended.provisional,
                )
            )
        self._remote.session_ended(session.session_id)
        return session if ended is None else ended

    async def _quarantine(self, report: StopReport, why: str) -> None:
        item = Quarantined(
            report.charger_id,
            self.now(),
            "StopTransaction",
            why,
            _text(report.payload),
        )
        if await self._store.quarantine(item):
            loop = self._loop_of(report.charger_id)
            station_id = "" if loop is None else loop.station_id
            text = f"{item.charger_id} {item.action}: {why}"
            self._events.add(station_id, "quarantined", text)


def _text(payload: Mapping[str, Any]) -> str:
    """The message as sent, as far as it can be kept. Keys in order: the same is kept once."""
    try:
        return json.dumps(payload, sort_keys=True)[:PAYLOAD_CHARS]
    except RecursionError:
        return "(nested too deep)"


def _why_unplaced(report: StopReport) -> str:
    if report.transaction_id is not None and report.transaction_id > 0:
        return f"no session of this charger has transaction {report.transaction_id}"
    return "names no transaction, and there is not just one session it can be of"


def _verdict(stored: StoredSession) -> IdToken:
    """The answer the session's start got."""
    return IdToken(stored.id_token, stored.id_status, stored.id_expires_at, stored.parent_id_token)


def _untold(loop: StationLoop, stored: StoredSession) -> bool:
    """Whether a kept session never reached its loop: the database failed right after its start."""
    if stored.ended_at is not None or stored.id_status is not TokenStatus.ACCEPTED:
        return False
    there = loop.state.session_on(stored.connector)
    return there is None or (
        there.session_id != stored.session_id and there.started_at <= stored.started_at
    )


@contextmanager
def _starting(loop: StationLoop | None, connector: ConnectorKey) -> Iterator[None]:
    if loop is None:
        yield
        return
    with loop.starting(connector):
        yield


def as_started(stored: StoredSession, at: float) -> SessionStarted:
    """The fact that a kept session has begun; `at` is when csms learned of it."""
    return SessionStarted(
        at=at,
        session_id=stored.session_id,
        transaction_id=stored.transaction_id,
        connector=stored.connector,
        id_token=stored.id_token,
        started_at=stored.started_at,
        register=stored.register,
        vehicle_max_w=stored.vehicle_max_w,
    )


def _new_transaction_id() -> int:
    """Positive, and of no use to a charger that guesses another one's."""
    return 1 + secrets.randbelow(LARGEST_TRANSACTION_ID)


def _charger_of(fact: ChargerFact) -> str:
    if isinstance(fact, ChargerConnected | ChargerDisconnected | ChargerBooted):
        return fact.charger_id
    connector: ConnectorKey = fact.connector
    return connector.charger_id
