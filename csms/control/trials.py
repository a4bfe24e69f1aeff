"""One commissioning test: takes a connector through the trials, watches, and has them judged.

A test sends no limit itself: it sets targets (`csms.control.under_test`), and the station's loop
sends them. Meanwhile the connector counts at its hardware maximum, whatever it is told, so nothing
it does can break a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

import structlog

from csms.control.remote import RemoteRequests
from csms.control.station_loop import LoopSettings, Marker, StationLoop
from csms.control.under_test import Target
from csms.dispatch.capability import Capability, unit_of
from csms.dispatch.commissioning import (
    OFFLINE_LEASES,
    Absence,
    Finding,
    Judge,
    Lessons,
    Restart,
    Result,
    Trial,
    Verdict,
    limits,
)
from csms.dispatch.compliance import PAIR
from csms.dispatch.ledger import Entry, EntryState
from csms.errors import (
    StationError,
)
from csms.ports import ChargerLink, Clock
from csms.station.model import ConnectorKey, LimitSource, RateUnit
from csms.station.state import ConnectorStatus, Reading, Session

log = structlog.get_logger(__name__)

T = TypeVar("T")

SUSPENDED = frozenset({ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE})
SCHEDULE_S = 60
TIME_STEP_S = 1.5
"""Chargers tell whole seconds: a reading may be newer than it says by so much."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The longest waits of a test, in seconds.

    For room beside the other connectors, for a limit to be confirmed, for a vehicle to take power
    again, for a charger to come back after its link was cut, and after a reboot.
    """

    room_s: float = 30.0
    confirm_s: float = 60.0
    wake_s: float = 120.0
    back_s: float = 600.0
    boot_s: float = 600.0


class Progress(StrEnum):
    """How far a test has come; STOPPED: csms was stopped, or the test failed by itself."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Report:
    """A commissioning test. `trial` is the one running, `capability` what is known at the end."""

    connector: ConnectorKey
    lease_s: float
    started_at: float
    progress: Progress = Progress.RUNNING
    ended_at: float | None = None
    trial: Trial | None = None
    results: tuple[Result, ...] = ()
    lessons: Lessons = field(default_factory=Lessons)
    capability: Capability = field(default_factory=Capability)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a test works with. `kept_out` are the chargers that may have no link for now."""

    link: ChargerLink
    clock: Clock
    remote: RemoteRequests
    settings: LoopSettings
    patience: Patience
    kept_out: set[str] = field(default_factory=set)


class _NotShownError(Exception):
    """A trial cannot be judged; the text says why."""


class Run:
    """One test, from its beginning to its end."""

    def __init__(self, bench: Bench, loop: StationLoop, key: ConnectorKey, lease_s: float) -> None:
        self.loop = loop
        self.key = key
        self.report = Report(key, lease_s, bench.clock.now())
        self._bench = bench
        self._clock = bench.clock
        self._patience = bench.patience
        self._lease_s = lease_s
        self._connector = loop.state.station.connector(key)
        charger = loop.state.station.charger(key.charger_id)
        assert charger is not None
        unit = unit_of(self._connector, loop.capability(charger))
        self._judge = Judge(bench.settings.compliance, unit)
        self._limits = limits(self._connector, self._judge)
        self._settle_s = min(bench.settings.compliance.settle_s, lease_s / 10)
        self._interval_s = float(bench.settings.registration.meter_interval_s)
        self._session_id = self._running().session_id
        self._id_token = self._running().id_token
        self._over = ""

    async def go(self) -> None:
        """Every trial in its order."""
        self._hold(Target())
        if not await self._until(self._set_aside, self._patience.room_s):
            self._over = f"no room beside the others within {self._patience.room_s:g} s"
        trials: Sequence[tuple[Trial, Callable[[], Coroutine[Any, Any, Finding]]]] = (
            (Trial.LOW, lambda: self._held(self._limits.low_w)),
            (Trial.MINIMUM, lambda: self._held(self._limits.minimum_w)),
            (Trial.ZERO, self._zero),
            (Trial.RESUME, self._resume),
            (Trial.LEASE, self._lease),
            (Trial.OFFLINE, self._offline),
            (Trial.REBOOT, self._reboot),
        )
        for trial, act in trials:
            self.report = replace(self.report, trial=trial)
            try:
                self._require()
                finding = await act()
            except _NotShownError as error:
                finding = Finding(Verdict.NOT_SHOWN, str(error))
            self.report = replace(
                self.report, results=(*self.report.results, Result(trial, finding))
            )

    def release(self) -> None:
        """Nothing is held, nobody kept out any more."""
        self._bench.kept_out.discard(self.key.charger_id)
        self.loop.under_test.release(self.key)

    # ------------------------------------------------------------------ trials

    async def _held(self, limit_w: int) -> Finding:
        entry = await self._tell(limit_w)
        since = self._since(entry) + self._settle_s
        return await self._judged_charging(
            lambda final: self._judge.held(self._readings(since), limit_w, final=final),
            self._readings_s,
        )

    async def _zero(self) -> Finding:
        entry = await self._tell(0)
        since = self._since(entry) + self._settle_s

        def look(final: bool) -> Finding | None:
            return self._judge.at_zero(
                self._readings(since),
                self._connector.goes_on_with_w,
                ended=self._session() is None,
                suspended=self.loop.state.connectors[self.key].status in SUSPENDED,
                final=final,
            )

        finding = await self._judged(look, self._readings_s)
        if self._session() is None:
            await self._start_again()
        return finding

    async def _resume(self) -> Finding:
        limit_w = self._limits.low_w
        since = self._since(await self._tell(limit_w))
        return await self._judged_charging(
            lambda final: self._judge.resumed(self._readings(since), limit_w, final=final),
            self._patience.wake_s,
        )

    async def _lease(self) -> Finding:
        begun = await self._take_power()
        entry = await self._tell_end()
        ends_at = entry.limit.expires_at
        assert ends_at is not None
        after_w = min(self._limits.fallback_w, self._limits.lease_w)
        since = ends_at + self._skew_s + self._settle_s
        await self._pass_time(since - self._clock.now())
        return await self._judged_charging(
            lambda final: self._judge.ended(
                [r for r in self._readings(begun) if r.at < ends_at],
                self._readings(since),
                after_w,
                final=final,
            ),
            self._readings_s,
        )

    async def _offline(self) -> Finding:
        obeys_end = any(
            r.trial is Trial.LEASE and r.finding.verdict is Verdict.PASSED
            for r in self.report.results
        )
        await self._take_power()
        entry = await self._tell_end() if obeys_end else await self._tell(self._limits.lease_w)
        session = self._require()
        before, metered, before_wh = session.readings[-1], session.metered, session.energy_wh
        ahead_s = max((_ahead_s(r) for r in session.readings), default=0.0)
        await self._cut_link()
        back_at = await self._back()
        live = await self._until(
            lambda: next(
                (
                    r
                    for r in self._readings(back_at)
                    if _taken_at(r, ahead_s) >= back_at - TIME_STEP_S
                ),
                None,
            ),
            self._readings_s,
        )
        session = self._require()
        gained_wh = None
        if live is not None and metered:
            gained_wh = session.energy_wh - before_wh
        ends_at = entry.limit.expires_at if entry is not None else None
        later_from = (ends_at or back_at) + self._settle_s
        return self._judge.offline(
            Absence(
                since=before.at,
                until=live.at if live is not None else back_at,
                limit_w=self._limits.lease_w,
                after_w=min(self._limits.fallback_w, self._limits.lease_w),
                ends_at=ends_at,
                energy_wh=gained_wh,
                later=tuple(
                    r
                    for r in self._readings(back_at)
                    if later_from <= _taken_at(r, ahead_s) <= back_at
                ),
            )
        )

    async def _reboot(self) -> Finding:
        charger_id = self.key.charger_id
        for session in self.loop.state.sessions():
            if session.connector.charger_id == charger_id and session.connector != self.key:
                raise _NotShownError("another session has begun on the charger")
        self._hold(Target())
        asked_at = self._clock.now()
        answer = await self._bench.link.reset(charger_id, hard=False)
        if not answer.accepted:
            raise _NotShownError(f"the reset was answered with {answer.detail or answer.outcome}")
        if not await self._until(lambda: self._booted(asked_at), self._patience.boot_s):
            raise _NotShownError(f"no boot within {self._patience.boot_s:g} s")
        schedule_w = await self._schedule_w()
        fallback_w = self._limits.fallback_w
        if self._session() is None:
            await self._start_again()
        if self._session() is None:
            return self._judge.restarted(Restart(fallback_w, (), schedule_w))
        since = self._clock.now()
        await self._until(
            lambda: self._exceeded(since, fallback_w) >= PAIR,
            max(self._lease_s, self._settle_s + PAIR * self._interval_s),
        )
        readings = tuple(self._readings(since))
        taken_w = 0
        if self._exceeded(since, fallback_w) < PAIR:
            with suppress(_NotShownError):
                allowed = await self._take_power()
                taken_w = max((r.power_w for r in self._readings(allowed)), default=0)
        return self._judge.restarted(Restart(fallback_w, readings, schedule_w, taken_w))

    # ------------------------------------------------------------------ what is done

    def _hold(self, target: Target) -> None:
        self.loop.under_test.hold(self.key, target)
        # A cycle now, not at the next tick.
        self.loop.post(Marker(asyncio.get_running_loop().create_future()))

    async def _tell(self, value_w: int, ends_in_s: float | None = None) -> Entry | None:
        """Have this limit sent; returns its entry once it is confirmed, None if that ended all."""
        token = max((e.token for e in self.loop.ledger.entries_of(self.key)), default=0)
        self._hold(Target(value_w, ends_in_s, token))

        def told() -> tuple[Entry | None] | None:
            if self._session() is None:
                return (None,)
            entry = self._entry_after(token)
            return None if entry is None else (entry,)

        found = await self._until(told, self._patience.confirm_s)
        if found is None:
            raise _NotShownError(
                f"a limit of {value_w} W was not confirmed within {self._patience.confirm_s:g} s"
            )
        if found[0] is None and value_w > 0:
            self._require()
        return found[0]

    def _entry_after(self, token: int) -> Entry | None:
        for entry in self.loop.ledger.entries_of(self.key):
            sent = entry.token > token and entry.limit.source is LimitSource.COMMISSIONING
            if sent and entry.state is EntryState.CONFIRMED:
                return entry
        return None

    async def _take_power(self) -> float:
        """Let the vehicle draw well above the fallback; returns since when. Nothing is judged."""
        limit_w, fallback_w = self._limits.lease_w, self._limits.fallback_w
        if limit_w - fallback_w <= 2 * self._judge.tolerance(fallback_w):
            raise _NotShownError("the fallback is so high that no limit is well above it")
        since = self._since(await self._tell(limit_w))
        await self._until(
            lambda: self._exceeded(since + self._settle_s, fallback_w) > 0, self._patience.wake_s
        )
        return since

    async def _tell_end(self) -> Entry:
        entry = await self._tell(self._limits.lease_w, self._lease_s)
        if entry is None or entry.limit.expires_at is None:
            raise _NotShownError("in the form in which it takes limits none can tell its end")
        return entry

    async def _cut_link(self) -> None:
        """Without a link for a while, most of it after the end of the limit."""
        charger_id = self.key.charger_id
        self._bench.kept_out.add(charger_id)
        self._bench.link.disconnect(charger_id, "commissioning")
        gone = await self._until(
            lambda: charger_id not in self.loop.contacts, self._patience.confirm_s
        )
        if not gone:
            raise _NotShownError("the link could not be cut")
        self._hold(Target())
        await self._pass_time(OFFLINE_LEASES * self._lease_s)
        self._bench.kept_out.discard(charger_id)

    async def _back(self) -> float:
        charger_id = self.key.charger_id
        contact = await self._until(
            lambda: self.loop.contacts.get(charger_id), self._patience.back_s
        )
        if contact is None:
            self._over = f"it did not come back within {self._patience.back_s:g} s"
            raise _NotShownError(self._over)
        return contact.since

    def _booted(self, after: float) -> bool:
        state = self.loop.state.chargers.get(self.key.charger_id)
        booted_at = None if state is None else state.booted_at
        contact = self.loop.contacts.get(self.key.charger_id)
        return (
            booted_at is not None and booted_at >= after and contact is not None and contact.ready
        )

    async def _schedule_w(self) -> int | None:
        """What the charger says it allows now, in watts; None when it does not say."""
        answer = await self._bench.link.composite_schedule(self.key, SCHEDULE_S)
        if not answer.accepted or "limit" not in answer.payload:
            return None
        limit = float(answer.payload["limit"])
        if answer.payload["unit"] != RateUnit.AMPERES.value:
            return round(limit)
        phases = int(answer.payload.get("phases", self._connector.phases))
        return round(limit * phases * self._connector.voltage_v)

    async def _start_again(self) -> None:
        """The test has ended the session: begin another, of the same driver."""
        try:
            self._session_id = await self._bench.remote.start(self.key, self._id_token, None)
        except StationError as error:
            self._over = f"the session ended and no other could be started: {error}"
            return
        await self._until(self._session, self._patience.confirm_s)

    # ------------------------------------------------------------------ what is seen

    @property
    def _readings_s(self) -> float:
        """How long readings enough to judge by may take."""
        return self._settle_s + (PAIR + 2) * self._interval_s

    @property
    def _skew_s(self) -> float:
        """How much later a limit may end, by the charger's clock."""
        contact = self.loop.contacts.get(self.key.charger_id)
        ahead_s = None if contact is None else contact.clock_ahead_s
        return 0.0 if ahead_s is None else max(0.0, -ahead_s)

    def _running(self) -> Session:
        session = self.loop.state.session_on(self.key)
        assert session is not None
        return session

    def _session(self) -> Session | None:
        """The session of the test, if it runs."""
        session = self.loop.state.session_on(self.key)
        return session if session and session.session_id == self._session_id else None

    def _require(self) -> Session:
        session = self._session()
        if self._over:
            raise _NotShownError(self._over)
        if session is None:
            self._over = "the session has ended"
            raise _NotShownError(self._over)
        return session

    def _readings(self, since: float) -> list[Reading]:
        session = self._session()
        return [] if session is None else [r for r in session.readings if r.at >= since]

    def _exceeded(self, since: float, limit_w: int) -> int:
        """How many readings are above this limit."""
        return sum(self._judge.exceeds(r.power_w, limit_w) for r in self._readings(since))

    def _since(self, entry: Entry | None) -> float:
        now = self._clock.now()
        return now if entry is None or entry.settled_at is None else entry.settled_at

    def _set_aside(self) -> bool:
        return self.loop.ledger.worst_case_w(self.key) >= self._connector.max_power_w

    # ------------------------------------------------------------------ waiting

    async def _judged(self, look: Callable[[bool], Finding | None], within_s: float) -> Finding:
        """What `look` finds: at once, or at the latest when the time is over."""
        finding = await self._until(lambda: look(False), within_s) or look(True)
        assert finding is not None
        return finding

    async def _judged_charging(
        self, look: Callable[[bool], Finding | None], within_s: float
    ) -> Finding:
        """The same, for what only a session that runs can show."""

        def looked(final: bool) -> Finding | None:
            self._require()
            return look(final)

        return await self._judged(looked, within_s)

    async def _pass_time(self, seconds: float) -> None:
        await self._until(lambda: None, seconds)

    async def _until(self, found: Callable[[], T | None], within_s: float) -> T | None:
        """What `found` gives as soon as it gives something; None after so long."""
        ends_at = self._clock.now() + within_s
        while not (it := found()):
            left_s = ends_at - self._clock.now()
            if left_s <= 0:
                return None
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self.loop.under_test.cycle()
        return it


def _ahead_s(reading: Reading) -> float:
    """How far the charger's clock seems ahead."""
    return 0.0 if reading.measured_at is None else reading.measured_at - reading.at


def _taken_at(reading: Reading, ahead_s: float) -> float:
    """When a reading was taken, by our clock."""
    return reading.at if reading.measured_at is None else reading.measured_at - ahead_s
