"""Who a charger is, how it proves that, and what happens at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

AUTHORIZATION_KEY = "AuthorizationKey"
"""The configuration key in which a charger is told its key (security white paper §3.3)."""


class SecurityProfile(IntEnum):
    """How a charger proves who it is (OCPP 1.6 security white paper §2): the higher, the better."""

    NONE = 0
    BASIC = 1
    TLS_BASIC = 2
    MUTUAL_TLS = 3


@dataclass(frozen=True, slots=True)
class Credential:
    """What a charger must show, and the least profile it may come with.

    `key` is the keyed hash of its key, None without one. `pending` are those of keys it was told
    and has not used yet. `common_name` is that of its certificate when it is not its identity.
    """

    charger_id: str
    profile: SecurityProfile = SecurityProfile.BASIC
    key: str | None = None
    pending: tuple[str, ...] = ()
    common_name: str | None = None
    changed_at: float | None = None


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """The subject of a verified client certificate; empty where it has none."""

    common_name: str
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Approach:
    """How somebody comes, as far as a handshake shows it.

    `charger_id` None: the target names none that could exist. `password` None: no Basic header
    with the charger's name as its user.
    """

    charger_id: str | None
    address: str
    secure: bool = False
    password: bytes | None = None
    certificate: CertificateNames | None = None


class Admission(StrEnum):
    """What becomes of somebody at the door."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    TOO_MANY = "too many attempts"


class Doorkeeper(Protocol):
    """Who may come in, and as whom."""

    def known_as(self, names: Sequence[str]) -> str | None:
        """See `Gate`: the charger that is meant. Whoever says so has not proven to be it."""
        ...

    async def judge(self, approach: Approach) -> Admission:
        """Decide. The answer, and how long it takes, does not show which chargers there are."""
        ...

    def came(self, charger_id: str, address: str) -> None:
        """An admitted charger has come in; one that was sent away after all has not."""
        ...

    def sent_away(self, charger_id: str, address: str) -> None:
        """Its connection is closed for a reason of our own: that it dials again is no fault."""
        ...

    def turned_away(self, kind: str, address: str, text: str) -> None:
        """Somebody was refused before it could be asked who it is: keep the security event."""
        ...


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """Something that matters to security. `number` counts up; 0 until it is kept."""

    at: float
    kind: str
    charger_id: str = ""
    address: str = ""
    text: str = ""
    number: int = 0


class Secret(Protocol):
    """What keys of chargers are hashed with. Kept apart from the store."""

    value: bytes
    kept: bool

    def keep(self) -> None:
        """Make it outlive the process, if it does not yet. Raises StorageError."""
        ...


class SecurityStore(Protocol):
    """Credentials of chargers, and security events."""

    async def save_credential(self, credential: Credential) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def load_credentials(self) -> dict[str, Credential]:
        """Every credential by charger id."""
        ...

    def security_event(self, event: SecurityEvent) -> None:
        """Keep it, soon; never blocks, drops the oldest under overload."""
        ...

    async def security_events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        """The newest events, newest first: of one charger, and numbered less than `before`."""
        ...
