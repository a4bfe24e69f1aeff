"""What an operator may say and ask of the security of chargers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from csms.control.credentials import MOST_PENDING, CredentialBook
from csms.control.keys import as_told, new_key, parse_key
from csms.errors import ChargerOfflineError, KeyRefusedError
from csms.ports import (
    AUTHORIZATION_KEY,
    Answer,
    Clock,
    Credential,
    Outcome,
    SecurityEvent,
    SecurityProfile,
    SecurityStore,
)
from csms.station.document import is_identity

log = structlog.get_logger(__name__)

_NOT_TAKEN = {Outcome.REJECTED, Outcome.UNSUPPORTED, Outcome.INVALID, Outcome.NOT_SENT}


Tell = Callable[[str], Awaitable[Answer]]
"""Sends a charger its key, as it is written in ChangeConfiguration."""


class KeyLink(Protocol):
    """What is asked of a charger here: a part of `ports.ChargerLink`."""

    def is_connected(self, charger_id: str) -> bool:
        """See `ports.ChargerLink`."""
        ...

    def disconnect(self, charger_id: str, reason: str) -> None:
        """See `ports.ChargerLink`."""
        ...

    async def change_configuration(self, charger_id: str, key: str, value: str) -> Answer:
        """See `ports.ChargerLink`."""
        ...


@dataclass(frozen=True, slots=True)
class ChargerSecurity:
    """What a charger must show. `pending_keys` were told to it and not used yet."""

    charger_id: str
    profile: SecurityProfile
    has_key: bool
    pending_keys: int
    common_name: str | None
    changed_at: float | None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """How telling a charger a new key went. `key` is shown here and never again."""

    security: ChargerSecurity
    key: str
    outcome: Outcome


class SecurityDesk:
    """Credentials and security events. What changes a credential is durable when it returns.

    `highest`: the highest profile with which a charger could come at all.
    """

    def __init__(
        self,
        book: CredentialBook,
        events: SecurityStore,
        link: KeyLink,
        clock: Clock,
        make_key: Callable[[], str] = new_key,
        *,
        highest: SecurityProfile = SecurityProfile.MUTUAL_TLS,
    ) -> None:
        self._book = book
        self._events = events
        self._link = link
        self._clock = clock
        self._make_key = make_key
        self._highest = highest
        self._changing: set[str] = set()

    def of(self, charger_id: str) -> ChargerSecurity:
        """What this charger must show. Raises KeyRefusedError for what no charger can be called."""
        _require_identity(charger_id)
        known = self._book.of(charger_id) or Credential(charger_id, SecurityProfile.NONE)
        return ChargerSecurity(
            charger_id,
            known.profile,
            known.key is not None,
            len(known.pending),
            known.common_name,
            known.changed_at,
        )

    async def configure(
        self,
        charger_id: str,
        profile: SecurityProfile,
        *,
        key: str | None = None,
        common_name: str | None = None,
    ) -> ChargerSecurity:
        """Say what the charger must show from now on. `key` None keeps the keys it has.

        Its connection is closed: it has to show it. Raises KeyRefusedError, StorageError.
        """
        _require_identity(charger_id)
        if profile > self._highest:
            raise KeyRefusedError(
                f"security profile {profile:d} would lock it out: as csms is configured, a charger "
                f"can come with profile {self._highest:d} at most"
            )
        old = self._book.of(charger_id) or Credential(charger_id)
        new = replace(old, profile=profile, common_name=common_name)
        if key is not None:
            new = replace(new, key=self._book.hashed(charger_id, _bytes_of(key)), pending=())
        if profile in {SecurityProfile.BASIC, SecurityProfile.TLS_BASIC} and not (
            new.key or new.pending
        ):
            raise KeyRefusedError(f"security profile {profile:d} needs a key")
        await self._book.save(new)
        what = f"security profile {profile:d}" + ("" if key is None else ", a new key")
        self._tell("credential_set", charger_id, what)
        self._link.disconnect(charger_id, "it must show its credentials again")
        return self.of(charger_id)

    async def change_key(self, charger_id: str, key: str | None = None) -> KeyChange:
        """Tell the charger another key; `key` None makes one.

        From before it is told, the old keys and the new one are good; the old ones until it has
        come in with the new one. When it is certain that it did not take it, the new one is not.

        Raises KeyRefusedError, ChargerOfflineError, StorageError.
        """

        async def tell(told: str) -> Answer:
            return await self._link.change_configuration(charger_id, AUTHORIZATION_KEY, told)

        return await self.tell_key(charger_id, self._make_key() if key is None else key, tell)

    async def tell_key(self, charger_id: str, key: str, tell: Tell) -> KeyChange:
        """The same with a key, which `tell` sends."""
        _require_identity(charger_id)
        if charger_id in self._changing:
            raise KeyRefusedError("it is being told a key right now")
        if not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")
        if self.of(charger_id).pending_keys >= MOST_PENDING:
            raise KeyRefusedError(
                f"it was told {MOST_PENDING} keys and has used none of them: set its key by hand"
            )
        told = _told(_bytes_of(key))
        self._changing.add(charger_id)
        try:
            return await self._tell_key(charger_id, key, told, tell)
        finally:
            self._changing.discard(charger_id)

    async def _tell_key(self, charger_id: str, text: str, told: str, tell: Tell) -> KeyChange:
        hashed = self._book.hashed(charger_id, _bytes_of(text))
        await self._book.add_pending(charger_id, hashed)
        answer = await tell(told)
        if answer.outcome in _NOT_TAKEN:
            await self._book.drop_pending(charger_id, [hashed])
        self._tell("key_told", charger_id, answer.outcome.value)
        return KeyChange(self.of(charger_id), text, answer.outcome)

    async def events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        """The newest security events, newest first: of one charger, numbered below `before`."""
        return await self._events.security_events(charger_id=charger_id, limit=limit, before=before)

    def _tell(self, kind: str, charger_id: str, text: str) -> None:
        self._events.security_event(SecurityEvent(self._clock.now(), kind, charger_id, "", text))
        log.info(kind, charger_id=charger_id, what=text)


def _require_identity(charger_id: str) -> None:
    if not is_identity(charger_id):
        raise KeyRefusedError(f"{charger_id!r} is no name a charger can have")


def _bytes_of(key: str) -> bytes:
    try:
        return parse_key(key)
    except ValueError as error:
        raise KeyRefusedError(str(error)) from None


def _told(key: bytes) -> str:
    try:
        return as_told(key)
    except ValueError as error:
        raise KeyRefusedError(str(error)) from None
