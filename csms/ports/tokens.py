"""Id tokens: what a driver identifies with, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from csms.station.tokens import Concurrency, Reservation


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
    concurrency: Concurrency = Concurrency.ANY


@dataclass(frozen=True, slots=True)
class LocalListUpdate:
    """A change of a charger's local authorization list (OCPP 1.6 §5.15).

    `full` replaces the whole list by `entries`; else `removed` go and `entries` are added or take
    the place of those of the same names. `version` is that of the list once it is changed.
    """

    version: int
    full: bool
    entries: tuple[IdToken, ...] = ()
    removed: tuple[str, ...] = ()


class TokenStore(Protocol):
    """Id tokens, compared without regard to case (OCPP 1.6 §7.28 CiString20); who has them."""

    async def save_token(self, token: IdToken) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def save_tokens(self, tokens: Sequence[IdToken], *, replace: bool = True) -> int:
        """The same for all of them or, when it fails, for none; how many were saved.

        With `replace` False those that are there already stay as they are.
        """
        ...

    async def fill_tokens(self, tokens: Sequence[IdToken]) -> None:
        """Add those that are not there. Durable when it returns.

        Those that an earlier fill added go, if they are not among these and were not saved since.
        """
        ...

    async def load_token(self, id_token: str) -> IdToken | None:
        """The token of this name."""
        ...

    async def load_tokens(self, *, limit: int = 1000, after: str = "") -> list[IdToken]:
        """Tokens in the order of their names, those that come after this name."""
        ...

    async def load_group(self, parent_id_token: str) -> list[IdToken]:
        """The token of this name and every one that has it as its parent, in order of names."""
        ...

    async def remove_token(self, id_token: str) -> bool:
        """Delete it; whether there was one. Durable when it returns."""
        ...

    async def save_local_list(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace what is in a charger's local list. Durable when it returns."""
        ...

    async def save_reservation(self, reservation: Reservation) -> None:
        """Insert or replace by its number. Durable when it returns."""
        ...

    async def load_reservations(self) -> list[Reservation]:
        """Every reservation in order of number, in the state it was left in."""
        ...

    async def forget_reservations(self, before: float) -> None:
        """Delete those that expire before this time."""
        ...

    async def load_local_list(self, charger_id: str) -> dict[str, Any] | None:
        """What is in a charger's local list, None when it was never sent one."""
        ...
