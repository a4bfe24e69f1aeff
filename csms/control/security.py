"""The security of chargers in one place: their credentials, their certificates, and what they tell.

Who may come in is the doorkeeper's question (`doorkeeper.py`); it reads the same `book`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import structlog

from csms.control.buckets import Buckets
from csms.control.charger_security import SecurityDesk
from csms.control.credentials import CredentialBook
from csms.control.signing import CertificateSigning, Sign
from csms.ports import (
    Answer,
    ChargerLink,
    ChargerReport,
    Clock,
    Secret,
    SecurityEvent,
    SecurityProfile,
    Store,
)

log = structlog.get_logger(__name__)

TOLD_AT_ONCE = 50
TOLD_PER_MIN = 1.0
"""So much of what one charger tells is kept: it must not drive out what others tell."""
CHARGERS_COUNTED = 10_000
CERTIFICATE_SIGNED = "CertificateSigned"

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Security:
    """`book` holds what chargers must show, `desk` is what operators say of it.

    `sign` None: there is no CA, and no certificate is signed. `highest`: the highest profile with
    which a charger could come here at all.
    """

    def __init__(
        self,
        *,
        store: Store,
        secret: Secret,
        link: ChargerLink,
        clock: Clock,
        sign: Sign | None,
        highest: SecurityProfile = SecurityProfile.MUTUAL_TLS,
    ) -> None:
        self.book = CredentialBook(store, secret, clock)
        self.desk = SecurityDesk(self.book, store, link, clock, highest=highest)
        self._store = store
        self._link = link
        self._clock = clock
        self._signing = CertificateSigning(sign, self._send, self.book, store, clock)
        self._told = Buckets(TOLD_PER_MIN, CHARGERS_COUNTED, most=TOLD_AT_ONCE)
        self._spawn: Spawn | None = None

    async def load(self) -> None:
        """Take up what was kept. Raises ConfigError, StorageError."""
        await self.book.load()

    def open(self, spawn: Spawn) -> None:
        """Begin; `spawn` runs a task."""
        self._spawn = spawn

    def stop(self) -> None:
        """Sign nothing any more."""
        self._spawn = None

    def reported(self, report: ChargerReport) -> None:
        """Keep a security event that a charger tells of (white paper A04), soon."""
        text = " ".join(part for part in (report.what, report.info) if part)
        if report.told_at is not None:
            text += f" ({datetime.fromtimestamp(report.told_at, UTC):%Y-%m-%dT%H:%M:%SZ} it says)"
        if self._may_tell(report.charger_id):
            self._keep("charger_reported", report.charger_id, text)

    def sign(self, charger_id: str, request_pem: str) -> bool:
        """Whether a charger's request for a certificate is signed; it is sent in a moment."""
        if self._spawn is None or not self._may_tell(charger_id):
            return False
        return self._signing.asked(charger_id, request_pem, self._spawn)

    def _may_tell(self, charger_id: str) -> bool:
        now = self._clock.monotonic()
        if not self._told.has(charger_id, now):
            return False
        if self._told.take(charger_id, now):
            text = f"it told of more than {TOLD_AT_ONCE} events; the next ones are not kept"
            self._keep("charger_reports_dropped", charger_id, text)
            log.warning("charger_reports_dropped", charger_id=charger_id)
        return True

    def _keep(self, kind: str, charger_id: str, text: str) -> None:
        self._store.security_event(SecurityEvent(self._clock.now(), kind, charger_id, "", text))

    async def _send(self, charger_id: str, chain: str) -> Answer:
        """CertificateSigned (white paper A02)."""
        sent = await self._link.call(charger_id, CERTIFICATE_SIGNED, {"certificateChain": chain})
        return sent.verdict
