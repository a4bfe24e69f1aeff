"""Everything about who may charge, in one place: tokens, lists, reservations, refused sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from csms.control.authorization import TokenPolicy, same_token
from csms.control.events import EventLog
from csms.control.guesses import (
    MOST_REFUSED,
    TRAVEL_S,
    WINDOW_S,
    Guesses,
    Place,
    Whereabouts,
)
from csms.control.local_lists import LocalLists
from csms.control.refusals import Refusals, Spawn
from csms.control.reservations import Reservations
from csms.control.station_loop import StationLoop
from csms.control.tokens import Tokens
from csms.errors import StorageError
from csms.ports import (
    ChargerLink,
    Clock,
    IdToken,
    SecurityEvent,
    StartReport,
    Store,
    StoredSession,
    TokenStatus,
)


class Access:
    """What the recorder asks of a token, and what the API does with tokens."""

    def __init__(
        self,
        *,
        store: Store,
        link: ChargerLink,
        clock: Clock,
        events: EventLog,
        asked_for: Callable[[str, str], bool],
        policy: TokenPolicy,
        loop_of: Callable[[str], StationLoop | None],
    ) -> None:
        self.tokens = Tokens(store, clock, policy, asked_for)
        self.local_lists = LocalLists(store, link, clock, loop_of)
        self.reservations = Reservations(store, link, clock, events, self.tokens, loop_of)
        self._loop_of = loop_of
        self._store = store
        self._clock = clock
        self._events = events
        self._policy = policy
        self._asked_for = asked_for
        self._guesses = Guesses()
        self._whereabouts = Whereabouts()
        self._refusals = Refusals(store, link, events, self._is_quiet)

    async def open(self, spawn: Spawn) -> None:
        """Read what was kept and begin; `spawn` runs a task."""
        await self.tokens.fill()
        await self.reservations.open()
        await self._refusals.open(spawn)

    def stop(self) -> None:
        """End every task that was begun."""
        self._refusals.stop()

    def _is_quiet(self, charger_id: str) -> bool:
        loop = self._loop_of(charger_id)
        charger = None if loop is None else loop.state.station.charger(charger_id)
        return charger is not None and charger.quiet

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        """The token with the status that holds now, for a driver who asks at a reader.

        A charger that has asked for too many wrong ones gets a refusal for any for a while. What
        is refused because the database does not answer is no wrong one.
        """
        now = self._clock.monotonic()
        if self._guesses.is_cold(charger_id, now) and not self._is_expected(charger_id, id_token):
            return IdToken(id_token, TokenStatus.INVALID)
        token, told = await self.tokens.look_up(charger_id, id_token)
        refused = told and token.status is not TokenStatus.ACCEPTED
        if refused and self._guesses.refused(charger_id, now):
            text = f"{charger_id}: {MOST_REFUSED} tokens refused within {WINDOW_S:g} s"
            self._event(charger_id, "token_guessing", text)
        return token

    def _is_expected(self, charger_id: str, id_token: str) -> bool:
        return self._asked_for(charger_id, id_token) or self._policy.is_free_vend(id_token)

    def _event(self, charger_id: str, kind: str, text: str) -> None:
        loop = self._loop_of(charger_id)
        self._events.add("" if loop is None else loop.station_id, kind, text)

    def _alarm(self, stored: StoredSession, kind: str, text: str) -> None:
        """An event of the station, and a security event, which is kept."""
        charger_id = stored.connector.charger_id
        self._event(charger_id, kind, text)
        self._store.security_event(SecurityEvent(self._clock.now(), kind, charger_id, "", text))

    async def _locate(self, stored: StoredSession) -> None:
        """Tell of a token that is in two places: one of the two is a copy, or it was lent.

        At two stations that is always so, at two chargers of one where the token's rule forbids it.
        A start that is told long after it happened says nothing of where the token is now.
        """
        charger_id, name = stored.connector.charger_id, stored.id_token
        if not name or not stored.station_id or self._is_expected(charger_id, name):
            return
        if self._whereabouts.is_known(name, stored.session_id):
            return
        now = self._clock.monotonic()
        here = Place(stored.station_id, stored.connector, stored.session_id, now)
        before = None if self._told_late(stored) else self._whereabouts.seen(name, here)
        if before is not None and (now - before.at <= TRAVEL_S or self._runs(before)):
            self._alarm(stored, "token_elsewhere", f"{name} at {here}, a moment ago at {before}")
        if stored.id_status is TokenStatus.CONCURRENT_TX:
            there = await self._charging_at(stored)
            if there is not None:
                self._alarm(stored, "token_twice", f"{name} at {here}, and charging at {there}")

    async def _charging_at(self, stored: StoredSession) -> str | None:
        """Where else this very token charges; None for another one of its group, or not known."""
        try:
            running = await self._store.running()
        except StorageError:  # an alarm is not worth the answer to the start, which is kept
            return None
        return next(
            (
                f"{other.connector} of station {other.station_id}"
                for other in running
                if other.id_status is TokenStatus.ACCEPTED
                and other.connector != stored.connector
                and same_token(other.id_token, stored.id_token)
            ),
            None,
        )

    def _told_late(self, stored: StoredSession) -> bool:
        """Whether it began long ago, by its charger's clock as far as that is known to be wrong."""
        loop = self._loop_of(stored.connector.charger_id)
        known = None if loop is None else loop.contacts.clock_ahead_s(stored.connector.charger_id)
        return self._clock.now() - (stored.started_at - (known or 0.0)) > TRAVEL_S

    def _runs(self, place: Place) -> bool:
        loop = self._loop_of(place.connector.charger_id)
        return loop is not None and loop.state.session(place.session_id) is not None

    @asynccontextmanager
    async def starting(self, report: StartReport) -> AsyncIterator[IdToken]:
        """The token with the verdict on this start, which is to be kept within the block."""

        def is_reserved(group: str | None) -> bool:
            return self.reservations.keeps_out(report.connector, report.id_token, group)

        async with self.tokens.starting(report, is_reserved) as token:
            yield token

    async def started(self, report: StartReport, stored: StoredSession) -> None:
        """A start was kept, now or before: it uses up a reservation, or if refused it must end."""
        await self._locate(stored)
        await self.reservations.started(report, stored)
        self._refusals.watch(stored)
