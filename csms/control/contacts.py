"""The live connections of a station's chargers, and what each is asked when it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from csms.control.contact import Contact
from csms.control.registration import (
    RegistrationSettings,
    ask_for_meter_values,
    ask_for_statuses,
    hints,
    rate_unit,
)
from csms.dispatch.capability import Capability
from csms.ports import ChargerLink
from csms.station.model import Charger
from csms.station.state import StationState

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """The charger of this contact has been asked how it takes limits."""

    charger_id: str
    since: float
    hints: Capability


class Contacts:
    """Which chargers of one station are connected, and since when.

    `post` gets a `Registered` for each thing a charger has told of how it takes limits; no limit is
    sent before the first.
    """

    def __init__(
        self,
        state: StationState,
        link: ChargerLink,
        settings: RegistrationSettings,
        post: Callable[[Registered], None],
    ) -> None:
        self._state = state
        self._link = link
        self._settings = settings
        self._post = post
        self._live: dict[str, Contact] = {}
        self._registrations: dict[str, asyncio.Task[None]] = {}

    def get(self, charger_id: str) -> Contact | None:
        """The charger's live connection, or None."""
        return self._live.get(charger_id)

    def __contains__(self, charger_id: str) -> bool:
        return charger_id in self._live

    def opened(self, charger: Charger, now: float, tasks: asyncio.TaskGroup) -> None:
        """The charger has connected: it is asked what must be known, in `tasks`.

        A quiet one is asked nothing, and so never becomes ready for limits.
        """
        self._live[charger.charger_id] = Contact(now)
        earlier = self._registrations.pop(charger.charger_id, None)
        if earlier is not None:
            earlier.cancel()
        if charger.quiet:
            return
        self._registrations[charger.charger_id] = tasks.create_task(self._register(charger, now))

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

    async def _register(self, charger: Charger, since: float) -> None:
        charger_id = charger.charger_id
        try:
            unit = await rate_unit(charger, self._link)
            # Limits first: they are not held up by what is nice to know.
            self._post(Registered(charger_id, since, Capability(unit=unit)))
            await ask_for_meter_values(charger, self._link, self._settings)
            said = await hints(charger, self._link)
            self._post(Registered(charger_id, since, said))
            await ask_for_statuses(charger, self._link, self._state, self._settings)
        except Exception:  # boundary: a charger that cannot be set up must not stop the station
            log.exception("registration_failed", charger=charger_id)
