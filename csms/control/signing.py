"""Certificates that chargers ask for (OCPP 1.6 security white paper A02).

A charger sends a signing request (SignCertificate) and is told at once whether it will be signed;
the certificate follows in a request of its own (CertificateSigned).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from csms.control.credentials import CredentialBook
from csms.errors import CertificateRefusedError
from csms.ports import Answer, Clock, SecurityEvent, SecurityProfile, SecurityStore

log = structlog.get_logger(__name__)

Sign = Callable[[str, str, float], str]
"""A request in PEM, the common name it must have, and now (UTC epoch seconds) to a chain in PEM.

Raises CertificateRefusedError.
"""

Send = Callable[[str, str], Awaitable[Answer]]
"""CertificateSigned: charger id and chain to the charger's answer."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]
"""Runs something beside; a task group's `create_task`."""


class CertificateSigning:
    """Signs what chargers ask for. `sign` None: there is no CA, and nothing is signed."""

    def __init__(
        self,
        sign: Sign | None,
        send: Send,
        book: CredentialBook,
        events: SecurityStore,
        clock: Clock,
    ) -> None:
        self._sign = sign
        self._send = send
        self._book = book
        self._events = events
        self._clock = clock

    def asked(self, charger_id: str, request_pem: str, spawn: Spawn) -> bool:
        """Whether the request is signed; the certificate is then sent by `spawn`.

        Only to a charger that must prove who it is: else whoever takes its name in a handshake
        could get a certificate for it.
        """
        try:
            chain = self._signed(charger_id, request_pem)
        except CertificateRefusedError as error:
            self._tell("certificate_refused", charger_id, str(error))
            return False
        spawn(self._deliver(charger_id, chain))
        return True

    def _signed(self, charger_id: str, request_pem: str) -> str:
        known = self._book.of(charger_id)
        if self._sign is None:
            raise CertificateRefusedError("there is no CA to sign it")
        if known is None or known.profile is SecurityProfile.NONE:
            raise CertificateRefusedError("it has never proven who it is")
        return self._sign(request_pem, known.common_name or charger_id, self._clock.now())

    async def _deliver(self, charger_id: str, chain: str) -> None:
        answer = await self._send(charger_id, chain)
        self._tell("certificate_sent", charger_id, answer.outcome.value)

    def _tell(self, kind: str, charger_id: str, text: str) -> None:
        self._events.security_event(SecurityEvent(self._clock.now(), kind, charger_id, "", text))
        log.info(kind, charger_id=charger_id, what=text)
