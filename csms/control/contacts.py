"""The live connections of a station's chargers, and what each is asked when it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import structlog

from csms.control.contact import Contact
from csms.control.patience import PatientLink
from csms.control.registration import (
    RegistrationSettings,
    ask_for_statuses,
    hints,
    rate_unit,
    settings_of,
)
from csms.control.set_up import SetUpBook
from csms.dispatch.capability import Capability
from csms.ports import Answer, ChargerLink, Outcome
from csms.station.model import Charger
from csms.station.state import StationState

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """The charger of this contact has been asked how it takes limits."""

    charger_id: str
    since: float
    hints: Capability


SAYS_NOTHING = frozenset({Outcome.NOT_SENT, Outcome.DISCONNECTED})
"""Outcomes that alone do not tell whether the charger answers."""


class Taker(Protocol):
    """What takes items, one after the other: the loop of the station."""

    def post(self, item: Registered) -> None:
        """Take this. Never blocks."""
        ...

    async def caught_up(self) -> None:
        """Returns when everything posted before has been acted on."""
        ...


class Contacts:
    """Which chargers of one station are connected, and since when.

    `loop` gets a `Registered` for each thing a charger has told of how it takes limits; no limit is
    sent before the first.
    """

    def __init__(
        self,
        state: StationState,
        link: ChargerLink,
        settings: RegistrationSettings,
        set_ups: SetUpBook,
        loop: Taker,
    ) -> None:
        self._state = state
        self._link = link
        self._patient = PatientLink(link, settings.again_s)
        self._settings = settings
        self._set_ups = set_ups
        self._loop = loop
        self._live: dict[str, Contact] = {}
        self._registrations: dict[str, asyncio.Task[None]] = {}

    def get(self, charger_id: str) -> Contact | None:
        """The charger's live connection, or None."""
        return self._live.get(charger_id)

    def clock_ahead_s(self, charger_id: str) -> float | None:
        """How far the charger's clock is ahead of ours; None when not connected, or never said."""
        contact = self._live.get(charger_id)
        return None if contact is None else contact.clock_ahead_s

    def __contains__(self, charger_id: str) -> bool:
        return charger_id in self._live

    def answered(self, charger_id: str, answer: Answer) -> None:
        """What became of a limit: the charger has answered it, or not.

        What waits in vain to be sent mostly waits behind something that is not answered.
        """
        contact = self._live.get(charger_id)
        if contact is None:
            return
        if answer.in_vain or answer.outcome is Outcome.TIMEOUT:
            contact.silent = True
        elif answer.outcome not in SAYS_NOTHING:
            contact.silent = False

    def opened(self, charger: Charger, now: float, tasks: asyncio.TaskGroup) -> None:
        """The charger has connected: it is asked what must be known, in `tasks`.

        A quiet one is asked nothing, and so never becomes ready for limits.
        """
        self._live[charger.charger_id] = Contact(now)
        self._set_ups.connected(charger.charger_id)
        self._begin(charger, now, tasks)

    def booted(self, charger: Charger, tasks: asyncio.TaskGroup, *, pending: bool) -> None:
        """The charger has booted: it may have lost its settings, and what it was being asked.

        `pending`: csms has told it to boot again.
        """
        self._set_ups.booted(charger.charger_id, pending=pending)
        contact = self._live.get(charger.charger_id)
        if contact is not None:
            self._begin(charger, contact.since, tasks)

    def _begin(self, charger: Charger, since: float, tasks: asyncio.TaskGroup) -> None:
        self._end(charger.charger_id)
        if not charger.quiet:
            asking = tasks.create_task(self._register(charger, since))
            self._registrations[charger.charger_id] = asking

    def _end(self, charger_id: str) -> None:
        """Ask it no more; what waits to be sent is taken back."""
        earlier = self._registrations.pop(charger_id, None)
        if earlier is not None:
            earlier.cancel()

    def closed(self, charger_id: str) -> None:
        """The charger's connection has ended."""
        self._live.pop(charger_id, None)

    def registered(self, item: Registered) -> bool:
        """Limits may be sent from now on. False when this connection has ended since."""
        contact = self._live.get(item.charger_id)
        if contact is None or contact.since != item.since:
            return False
        contact.ready = True
        return True

    def keep_only(self, charger_ids: Collection[str]) -> None:
        """Forget all others: nobody will tell that the socket of one that is gone was closed."""
        self._live = {c: known for c, known in self._live.items() if c in charger_ids}
        for charger_id in self._registrations.keys() - set(charger_ids):
            self._end(charger_id)
        self._set_ups.keep_only(charger_ids)

    async def _register(self, charger: Charger, since: float) -> None:
        charger_id = charger.charger_id
        try:
            await self._sit_out(charger_id, since)
            unit = await rate_unit(charger, self._patient)
            self._loop.post(Registered(charger_id, since, Capability(unit=unit)))
            # Limits first: one question is enough to hold them up, if the charger hangs on it.
            await self._loop.caught_up()
            wanted = settings_of(charger, self._settings)
            await self._set_ups.set_up(charger_id, self._patient, wanted)
            said = await hints(charger, self._patient)
            self._loop.post(Registered(charger_id, since, said))
            await ask_for_statuses(charger, self._link, self._state, self._settings)
        except Exception:  # boundary: a charger that cannot be set up must not stop the station
            log.exception("registration_failed", charger=charger_id)

    async def _sit_out(self, charger_id: str, since: float) -> None:
        """A charger that boots again and again gets its limits, and no question until it rests."""
        waited = False
        while (wait_s := self._set_ups.loop_ends_in_s(charger_id)) > 0:
            if not waited:
                self._loop.post(Registered(charger_id, since, Capability()))
            waited = True
            await asyncio.sleep(wait_s)
