"""Id tokens: what a driver identifies with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TokenStatus(StrEnum):
    """OCPP 1.6 §7.2 AuthorizationStatus."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


@dataclass(frozen=True, slots=True)
class IdToken:
    """A token a driver identifies with (OCPP 1.6 §7.28 IdToken)."""

    id_token: str
    status: TokenStatus = TokenStatus.ACCEPTED
    expires_at: float | None = None
    parent_id_token: str | None = None
