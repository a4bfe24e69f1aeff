"""Who may come in, and as whom: `ports.Doorkeeper`.

A charger comes with the profile it proves: a client certificate in its name (3), its key over TLS
(2) or without (1), or nothing (0). It is let in when that is no less than the best it has ever
proven, or was told to prove. Whoever is not gets one and the same answer, after the same work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from csms.control.attempts import AttemptLimits, Attempts
from csms.control.credentials import CredentialBook
from csms.control.reconnects import Coming, ReconnectLimits, Reconnects
from csms.ports import (
    Admission,
    Approach,
    CertificateNames,
    Clock,
    Credential,
    Gate,
    SecurityEvent,
    SecurityProfile,
    SecurityStore,
)

log = structlog.get_logger(__name__)

REMIND_S = 60.0
TELL_S = 0.05
REFUSALS_WAITING = 1_000


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """`anonymous`: whether a charger nothing was said of may come without proof.

    `organisation`: what the O of a client certificate must be, None for anything (white paper
    A00.FR.404).
    """

    anonymous: bool = False
    organisation: str | None = None
    attempts: AttemptLimits = field(default_factory=AttemptLimits)
    reconnects: ReconnectLimits = field(default_factory=ReconnectLimits)


class _Proof(NamedTuple):
    """What somebody has proven. `wrong` says what was false; `key` is the hash of the key shown."""

    profile: SecurityProfile
    key: str | None = None
    wrong: str = ""


def _nothing(_charger_id: str) -> None:
    """Nobody wants to know."""


class DoorKeeper:
    """`ports.Doorkeeper` over a gate that knows which chargers there are.

    `on_new_key` hears of a charger that has come with a new key, before it is let in: whoever is
    connected with the old one is not to be believed any longer.
    """

    def __init__(
        self,
        gate: Gate,
        book: CredentialBook,
        events: SecurityStore,
        clock: Clock,
        settings: DoorSettings,
        on_new_key: Callable[[str], None] = _nothing,
    ) -> None:
        self._gate = gate
        self._book = book
        self._events = events
        self._clock = clock
        self._settings = settings
        self._on_new_key = on_new_key
        self._attempts = Attempts(settings.attempts)
        self._reconnects = Reconnects(settings.reconnects)
        self._refused: deque[tuple[str, str, str]] = deque(maxlen=REFUSALS_WAITING)
        self._telling = False

    def known_as(self, names: Sequence[str]) -> str | None:
        """See `ports.Doorkeeper`. A charger that must show something is known by its exact name."""
        meant = self._gate.known_as(names)
        return meant if meant in names or self._book.of(meant or "") is None else None

    async def judge(self, approach: Approach) -> Admission:
        """See `ports.Doorkeeper`."""
        charger_id, address = approach.charger_id or "", approach.address
        now = self._clock.monotonic()
        guesses = not self._settings.anonymous or _shows_something(approach)
        if guesses and not self._attempts.may_try(charger_id, address, now):
            return Admission.TOO_MANY
        credential = self._book.of(charger_id)
        proof = self._proof(approach, credential)
        reason = self._objection(approach, proof, credential)
        if not reason:
            if await self._gate.admit(charger_id, address):
                if self._comes_too_often(charger_id, address, now):
                    return Admission.TOO_MANY
                await self._let_in(charger_id, address, proof)
                return Admission.ADMITTED
            guesses = guesses and proof.profile is SecurityProfile.NONE
        else:
            self._refuse(charger_id, address, reason)
        if guesses:
            self._count(charger_id, address, now)
        return Admission.REFUSED

    def came(self, charger_id: str, address: str) -> None:
        """See `ports.Doorkeeper`."""
        self._reconnects.came(charger_id, address, self._clock.monotonic())

    def sent_away(self, charger_id: str, address: str) -> None:
        """See `ports.Doorkeeper`."""
        self._reconnects.sent_away(charger_id, address)

    def tell_refusals(self) -> None:
        """Tell of those who were refused since this was done last."""
        self._telling = False
        while self._refused:
            charger_id, address, reason = self._refused.popleft()
            if charger_id:
                self._gate.turned_away(charger_id, address)
            self._tell_of("authentication_failed", charger_id, address, reason)

    def turned_away(self, kind: str, address: str, text: str) -> None:
        """See `ports.Doorkeeper`. Counts as a failure of the source, where that is known."""
        self._tell_of(kind, "", address, text)
        if address:
            self._count("", address, self._clock.monotonic())

    async def remind(self) -> None:
        """Say every minute that chargers may come without proof, until cancelled."""
        while True:
            log.warning("anonymous_chargers_accepted")
            await asyncio.sleep(REMIND_S)

    # ------------------------------------------------------------------ inside

    def _proof(self, approach: Approach, credential: Credential | None) -> _Proof:
        key = self._book.verify(approach.charger_id, approach.password)
        if approach.certificate is not None:
            wrong = self._wrong_names(approach, approach.certificate, credential)
            profile = SecurityProfile.NONE if wrong else SecurityProfile.MUTUAL_TLS
            return _Proof(profile, key, wrong)
        if key is not None:
            basic = SecurityProfile.TLS_BASIC if approach.secure else SecurityProfile.BASIC
            return _Proof(basic, key)
        has_key = credential is not None and (credential.key is not None or credential.pending)
        wrong = "a wrong key" if has_key and approach.password is not None else ""
        return _Proof(SecurityProfile.NONE, None, wrong)

    def _wrong_names(
        self, approach: Approach, shown: CertificateNames, credential: Credential | None
    ) -> str:
        """What is wrong with the names in a client certificate, empty for nothing."""
        expected = None if credential is None else credential.common_name
        if shown.common_name != (expected or approach.charger_id):
            return f"the certificate is of {shown.common_name!r}"
        wanted = self._settings.organisation
        if wanted is not None and shown.organisation != wanted:
            return f"the certificate is of the organisation {shown.organisation!r}"
        return ""

    def _objection(self, approach: Approach, proof: _Proof, credential: Credential | None) -> str:
        """Why somebody with this proof is not let in; empty when nothing is against it."""
        least = SecurityProfile.NONE if credential is None else credential.profile
        if not self._settings.anonymous:
            least = max(least, SecurityProfile.BASIC)
        if approach.charger_id is None:
            return "its name is none a charger could have"
        if proof.wrong:
            return proof.wrong
        if proof.profile < least:
            return f"came with security profile {proof.profile:d}, must have {least:d}"
        return ""

    def _comes_too_often(self, charger_id: str, address: str, now: float) -> bool:
        charging = self._gate.has_session(charger_id)
        coming = self._reconnects.comes(charger_id, address, now, charging=charging)
        if coming in {Coming.COLD, Coming.QUARANTINED}:
            self._tell(coming.value, charger_id, address, "it connects again and again")
        return coming is not Coming.FINE

    async def _let_in(self, charger_id: str, address: str, proof: _Proof) -> None:
        if proof.profile is not SecurityProfile.NONE:
            self._attempts.succeeded(charger_id, address)
        for kind in await self._book.proven(charger_id, proof.key, proof.profile):
            text = f"it came in with security profile {proof.profile:d}"
            self._tell(kind, charger_id, address, text)
            if kind == "key_changed":
                self._on_new_key(charger_id)

    def _refuse(self, charger_id: str, address: str, reason: str) -> None:
        """Note a refusal, to be told a moment later.

        Telling takes longer or shorter by what there is to tell; the answer must not.
        """
        self._refused.append((charger_id, address, reason))
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_later(TELL_S, self.tell_refusals)

    def _count(self, charger_id: str, address: str, now: float) -> None:
        if self._attempts.failed(charger_id, address, now):
            text = "what it shows is not looked at for now"
            self._tell("too_many_attempts", charger_id, address, text)

    def _tell_of(self, kind: str, charger_id: str, address: str, text: str) -> None:
        """Tell what an outsider can make happen as often as he likes: of each source not always."""
        if self._attempts.may_tell(address, self._clock.monotonic()):
            self._tell(kind, charger_id, address, text)

    def _tell(self, kind: str, charger_id: str, address: str, text: str) -> None:
        self._events.security_event(
            SecurityEvent(self._clock.now(), kind, charger_id, address, text)
        )
        log.warning(kind, charger_id=charger_id, peer=address, why=text)


def _shows_something(approach: Approach) -> bool:
    return approach.password is not None or approach.certificate is not None
