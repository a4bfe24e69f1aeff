"""Where the protocol handlers record what chargers say: durable first, then a fact for the loop."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog

from csms.control.events import EventLog
from csms.control.recent import RecentSessions
from csms.control.remote import RemoteRequests
from csms.control.reports import ReportBook
from csms.control.station_loop import StationLoop
from csms.errors import StorageError
from csms.ports import (
    BootReport,
    BootVerdict,
    ChargerRecord,
    ChargerReport,
    Clock,
    IdToken,
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
from csms.station.state import Session
from csms.station.update import outlet, session_of_sample

log = structlog.get_logger(__name__)

LARGEST_TRANSACTION_ID = 2**31 - 1
ID_ATTEMPTS = 5
PLAUSIBLE_SINCE = 946_684_800.0
"""2000-01-01: an earlier time is that of a clock that was never set."""
HISTORY_S = 90 * 86_400.0
"""What is told later than this is not believed: clocks start anew at some day of their maker's."""
CLOCK_AHEAD_S = 60.0
"""A time that lies further ahead of ours says nothing of what came first."""


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """How chargers and tokens are answered.

    `heartbeat_interval_s` is what BootNotification is answered with. `id_tokens` may charge unless
    the store says otherwise, whatever the case of their letters; `accept_unknown_tokens` says
    whether a token nobody registered may.
    """

    heartbeat_interval_s: int = 300
    accept_unknown_tokens: bool = True
    id_tokens: frozenset[str] = frozenset()


class StationRecorder:
    """`ports.Recorder` on a store and the station loops.

    `loop_of` finds the loop a charger belongs to, None for a charger of no station. `records` is
    what is remembered of the chargers, by id, and `reports` what they said beside charging; both
    are kept up to date here.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        events: EventLog,
        remote: RemoteRequests,
        loop_of: Callable[[str], StationLoop | None],
        settings: RecorderSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._remote = remote
        self._loop_of = loop_of
        self._settings = settings
        self._listed = frozenset(token.casefold() for token in settings.id_tokens)
        self._recent = RecentSessions()
        self.records: dict[str, ChargerRecord] = {}
        self.reports = ReportBook(store)

    def now(self) -> float:
        """UTC epoch seconds."""
        return self._clock.now()

    async def boot(self, report: BootReport) -> BootVerdict:
        """Remember the charger and accept it: who may connect is decided before (OCPP 1.6 §4.2)."""
        now = self.now()
        record = ChargerRecord(
            report.charger_id,
            report.vendor,
            report.model,
            report.serial,
            report.firmware,
            accepted=True,
            last_seen_at=now,
        )
        await self._store.save_charger(record)
        self.records[report.charger_id] = record
        self.record(
            ChargerBooted(
                report.charger_id, now, report.vendor, report.model, report.serial, report.firmware
            )
        )
        return BootVerdict(accepted=True, interval_s=self._settings.heartbeat_interval_s)

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
        """The stored token with the status that holds now (OCPP 1.6 §4.1).

        A token that is not stored may charge if the settings list it or accept any, or if an
        operator has just asked this charger to start with it.
        """
        token = await self._store.load_token(id_token)
        if token is None:
            listed = id_token.casefold() in self._listed
            asked_for = self._remote.asked_for(charger_id, id_token)
            if listed or asked_for or self._settings.accept_unknown_tokens:
                return IdToken(id_token)
            log.info("unknown_token_refused", charger=charger_id)
            return IdToken(id_token, TokenStatus.INVALID)
        expired = token.expires_at is not None and token.expires_at <= self.now()
        if expired and token.status is TokenStatus.ACCEPTED:
            return replace(token, status=TokenStatus.EXPIRED)
        return token

    async def start_session(self, report: StartReport) -> StartVerdict:
        """Keep the session, end an older one on the connector, tell the loop (OCPP 1.6 §4.8).

        The same report again gets the stored session's answer. A session whose token is not
        accepted is kept and gets a real id, but is given no power. So is one on a connector that
        the station does not have: nothing could limit it.
        """
        loop = self._loop_of(report.connector.charger_id)
        if loop is not None:
            report = replace(report, connector=outlet(loop.state, report.connector))
        with _starting(loop, report.connector):
            return await self._start(loop, report)

    async def stop_session(self, report: StopReport) -> IdToken | None:
        """Keep the end and tell the loop; one that nobody can place is logged (§4.10)."""
        session = await self._stopped(report)
        if session is None:
            log.warning("stop_without_session", charger=report.charger_id, stop=repr(report))
        else:
            await self._end(session, report.stopped_at, report.meter_stop_wh, report.reason)
        if report.id_token is None:
            return None
        return await self.authorize(report.charger_id, report.id_token)

    def record(self, fact: ChargerFact) -> None:
        """Pass a fact on to the loop of its charger; meter samples are kept as well."""
        loop = self._loop_of(_charger_of(fact))
        if loop is None:
            return
        if isinstance(fact, MeterSample):
            self._store.sample(self._session_of(loop, fact), fact)
        loop.post(fact)

    async def report(self, report: ChargerReport) -> None:
        """Keep what a charger of a station reports, and put it among the events."""
        loop = self._loop_of(report.charger_id)
        if loop is None:
            return
        security = report.topic is Topic.SECURITY
        kind = "security_event" if security else "charger_reported"
        words = f"{report.charger_id} {report.topic.value} {report.what} {report.info}".rstrip()
        self._events.add(loop.station_id, kind, words)
        await self.reports.add(report)

    def note(self, charger_id: str, action: str, detail: Mapping[str, Any]) -> None:
        """Put a message that changes nothing in the model among the events."""
        loop = self._loop_of(charger_id)
        if loop is not None:
            words = " ".join(f"{key}={value}" for key, value in detail.items())
            self._events.add(loop.station_id, "charger_said", f"{charger_id} {action} {words}")

    # ------------------------------------------------------------------ sessions

    async def _start(self, loop: StationLoop | None, report: StartReport) -> StartVerdict:
        token = await self.authorize(report.connector.charger_id, report.id_token)
        there = loop is not None and report.connector in loop.state.connectors
        if not there:
            token = replace(token, status=TokenStatus.INVALID)
        proposed = self._proposal(loop, report, token)
        stored = await self._keep_start(proposed)
        self._recent.add(stored)
        replayed = stored.session_id != proposed.session_id
        if loop is None or not there:
            if not replayed:
                self._without_place(loop, stored)
            return StartVerdict(stored.transaction_id, token)
        news = not replayed or _untold(loop, stored)
        if news and not self._is_history(loop, stored):
            await self._end_older(loop, stored)
            if stored.id_status is TokenStatus.ACCEPTED:
                loop.post(as_started(stored, self.now()))
            self._remote.session_started(stored.connector, stored.session_id, stored.id_token)
        return StartVerdict(stored.transaction_id, replace(token, status=stored.id_status))

    def _without_place(self, loop: StationLoop | None, stored: StoredSession) -> None:
        station_id = loop.station_id if loop is not None else ""
        text = f"{stored.connector} by {stored.id_token}"
        self._events.add(station_id, "session_on_unknown_connector", text)

    def _is_history(self, loop: StationLoop, stored: StoredSession) -> bool:
        """Whether the connector's session began after this one, as far as clocks can be believed.

        A charger that was offline tells what happened meanwhile, and not always in order.
        """
        running = _running(loop, stored.connector)
        if running is None or running.session_id == stored.session_id:
            return False
        latest = self.now() + CLOCK_AHEAD_S
        oldest = max(PLAUSIBLE_SINCE, running.started_at - HISTORY_S)
        return oldest <= stored.started_at < running.started_at <= latest

    def _session_of(self, loop: StationLoop, sample: MeterSample) -> str | None:
        """The session a sample belongs to, also when the loop has yet to hear of its start."""
        session = session_of_sample(loop.state, sample)
        if session is not None:
            return session.session_id
        return self._recent.find(sample.connector.charger_id, sample.transaction_id)

    def _proposal(
        self, loop: StationLoop | None, report: StartReport, token: IdToken
    ) -> StoredSession:
        return StoredSession(
            session_id=str(uuid.uuid4()),
            transaction_id=_new_transaction_id(),
            station_id=loop.station_id if loop is not None else "",
            connector=report.connector,
            id_token=report.id_token,
            id_status=token.status,
            started_at=report.started_at,
            meter_start_wh=report.meter_start_wh,
            start_timestamp=report.timestamp,
            vehicle_max_w=self._remote.declared_for(report.connector, report.id_token),
        )

    async def _keep_start(self, proposed: StoredSession) -> StoredSession:
        for _ in range(ID_ATTEMPTS - 1):
            try:
                return await self._store.start(proposed)
            except StorageError:
                # The random transaction id may be taken; anything else fails again below.
                proposed = replace(proposed, transaction_id=_new_transaction_id())
        return await self._store.start(proposed)

    async def _end_older(self, loop: StationLoop, stored: StoredSession) -> None:
        """Whoever starts a session on a connector has no other there, whatever was reported."""
        older = _running(loop, stored.connector)
        if older is None:
            return
        found = await self._store.find(stored.connector.charger_id, older.transaction_id)
        if found is not None:
            await self._end(found, self.now(), found.meter_wh, "Superseded")

    async def _stopped(self, report: StopReport) -> StoredSession | None:
        if report.transaction_id is not None and report.transaction_id > 0:
            return await self._store.find(report.charger_id, report.transaction_id)
        loop = self._loop_of(report.charger_id)
        if loop is None:
            return None
        running = [s for s in loop.state.sessions() if s.connector.charger_id == report.charger_id]
        if len(running) != 1:
            return None
        return await self._store.find(report.charger_id, running[0].transaction_id)

    async def _end(
        self, session: StoredSession, ended_at: float, meter_stop_wh: int | None, reason: str
    ) -> None:
        ended = await self._store.end(
            session.session_id, ended_at=ended_at, meter_stop_wh=meter_stop_wh, reason=reason
        )
        loop = self._loop_of(session.connector.charger_id)
        if ended is not None and loop is not None:
            loop.post(
                SessionEnded(
                    self.now(), session.session_id, session.connector, meter_stop_wh, reason
                )
            )
        self._remote.session_ended(session.session_id)


def _untold(loop: StationLoop, stored: StoredSession) -> bool:
    """Whether a kept session never reached its loop: the database failed right after its start."""
    if stored.ended_at is not None or stored.id_status is not TokenStatus.ACCEPTED:
        return False
    there = _running(loop, stored.connector)
    return there is None or (
        there.session_id != stored.session_id and there.started_at <= stored.started_at
    )


def _running(loop: StationLoop, connector: ConnectorKey) -> Session | None:
    known = loop.state.connectors.get(connector)
    return known.session if known is not None else None


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
        meter_start_wh=stored.meter_start_wh,
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
