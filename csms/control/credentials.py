"""What chargers must show: kept in the store, and compared here.

Only keyed hashes of keys are held. Every comparison does the same work, whether the charger is
known or not, whether it has a key or not, and whichever of its keys it shows.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import replace

import structlog

from csms.control.keys import forms_of, keyed_hash
from csms.errors import ConfigError, StorageError
from csms.ports import Clock, Credential, Secret, SecurityProfile, SecurityStore

log = structlog.get_logger(__name__)

MOST_PENDING = 4
"""So many keys a charger may have been told without having used one."""

LONGEST_PASSWORD = 256


class CredentialBook:
    """The credentials of all chargers."""

    def __init__(self, store: SecurityStore, secret: Secret, clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self._clock = clock
        self._credentials: dict[str, Credential] = {}
        self._dummy = secrets.token_hex(32)

    async def load(self) -> None:
        """Take up what was kept. Raises ConfigError when the secret of the keys is gone."""
        self._credentials = await self._store.load_credentials()
        keyed = sum(1 for c in self._credentials.values() if c.key or c.pending)
        if keyed and not self._secret.kept:
            what = (
                f"is not there, but the keys of {keyed} chargers were hashed with it: "
                "without it none of them can come in"
            )
            raise ConfigError("csms", [("key_secret_file", what)])

    def of(self, charger_id: str) -> Credential | None:
        """What this charger must show; None when nothing was said of it."""
        return self._credentials.get(charger_id)

    def verify(self, charger_id: str | None, password: bytes | None) -> str | None:
        """The hash of the charger's key that the password is, None when it is none of them."""
        credential = self._credentials.get(charger_id or "")
        presented = (password or b"")[:LONGEST_PASSWORD]
        hashes = [
            keyed_hash(self._secret.value, charger_id or "", form) for form in forms_of(presented)
        ]
        found = None
        for kept in self._slots(credential):
            for shown in hashes:
                if hmac.compare_digest(kept, shown):
                    found = kept
        too_long = password is not None and len(password) > LONGEST_PASSWORD
        return None if password is None or too_long else found

    def _slots(self, credential: Credential | None) -> list[str]:
        """The hashes to compare with: always as many."""
        known = [] if credential is None else [credential.key or self._dummy, *credential.pending]
        return (known + [self._dummy] * (1 + MOST_PENDING))[: 1 + MOST_PENDING]

    # ------------------------------------------------------------------ changes

    def hashed(self, charger_id: str, key: bytes) -> str:
        """The hash under which a key is kept. Raises StorageError when the secret cannot be."""
        self._secret.keep()
        return keyed_hash(self._secret.value, charger_id, key)

    async def save(self, credential: Credential) -> None:
        """Keep what a charger must show from now on. Raises StorageError; nothing changes then."""
        credential = replace(credential, changed_at=self._clock.now())
        await self._store.save_credential(credential)
        self._credentials[credential.charger_id] = credential

    async def add_pending(self, charger_id: str, hashed: str) -> None:
        """The charger may show this key too: it is about to be told it."""
        credential = self._credentials.get(charger_id) or Credential(
            charger_id, SecurityProfile.NONE
        )
        await self.save(replace(credential, pending=(*credential.pending, hashed)))

    async def drop_pending(self, charger_id: str, hashed: Iterable[str]) -> None:
        """The charger did not take these keys."""
        credential = self._credentials.get(charger_id)
        if credential is not None:
            gone = set(hashed)
            kept = tuple(p for p in credential.pending if p not in gone)
            await self.save(replace(credential, pending=kept))

    async def proven(
        self, charger_id: str, hashed: str | None, profile: SecurityProfile
    ) -> list[str]:
        """The charger came in so: it never gets in with less again. Returns what changed.

        A pending key it showed takes the place of all others. What cannot be written holds until
        csms stops, and is tried again when the charger comes again.
        """
        old = self._credentials.get(charger_id)
        if profile is SecurityProfile.NONE:
            return []
        new = old or Credential(charger_id, SecurityProfile.NONE)
        changes = []
        if hashed is not None and hashed in new.pending:
            new = replace(new, key=hashed, pending=())
            changes.append("key_changed")
        if profile > new.profile:
            new = replace(new, profile=profile)
            changes.append("profile_raised")
        if new != old:
            try:
                await self.save(new)
            except StorageError as error:
                self._credentials[charger_id] = new
                log.warning("credential_not_kept", charger_id=charger_id, error=str(error))
        return changes
