"""The local authorization lists of chargers: brought up to date on demand, and known since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import structlog

from csms.control import local_list
from csms.control.local_list import Copy
from csms.control.station_loop import StationLoop
from csms.errors import ChargerOfflineError, UnknownChargerError
from csms.ports import Answer, ChargerLink, Clock, IdToken, LocalListUpdate, Outcome, TokenStore

log = structlog.get_logger(__name__)

ENABLED = "LocalAuthListEnabled"
MOST = "LocalAuthListMaxLength"
PART = "SendLocalListMaxLength"
MOST_ENTRIES = 10_000
"""Of a charger that does not say how many it can hold."""
PART_ENTRIES = 50
"""In one message to a charger that does not say how many it takes: its buffers may be small."""


class ListState(StrEnum):
    """How far a charger's list is what it should be."""

    NEVER_SENT = "never_sent"
    IN_SYNC = "in_sync"
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class ListStatus:
    """The local list of a charger as it was found and left at `at`.

    `entries` is how many tokens the charger was told, `left_out` how many it has no room for.
    `enabled` is whether the charger says that it uses its list, None when it does not say; `detail`
    its own word for why the list is not in sync.
    """

    charger_id: str
    state: ListState = ListState.NEVER_SENT
    version: int = 0
    entries: int = 0
    left_out: int = 0
    enabled: bool | None = None
    detail: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class _Bounds:
    enabled: bool | None
    most: int
    part: int


class LocalLists:
    """The lists of all chargers. One charger's list is changed by one caller at a time."""

    def __init__(
        self,
        store: TokenStore,
        link: ChargerLink,
        clock: Clock,
        loop_of: Callable[[str], StationLoop | None],
    ) -> None:
        self._store = store
        self._link = link
        self._clock = clock
        self._loop_of = loop_of
        self._locks: dict[str, asyncio.Lock] = {}

    async def status(self, charger_id: str) -> ListStatus:
        """How the list was left. Raises UnknownChargerError."""
        self._require_known(charger_id)
        kept = await self._store.load_local_list(charger_id)
        return ListStatus(charger_id) if kept is None else _status(charger_id, kept)

    async def sync(self, charger_id: str) -> ListStatus:
        """Bring the list up to date, as far as the charger takes it.

        Raises UnknownChargerError, ChargerOfflineError.
        """
        self._require_known(charger_id)
        if not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")
        async with self._locks.setdefault(charger_id, asyncio.Lock()):
            kept = await self._store.load_local_list(charger_id)
            copy = Copy() if kept is None else local_list.parse(kept["copy"])
            tokens = await self._store.load_tokens(limit=MOST_ENTRIES)
            run = _Run(charger_id, self._link, copy, tokens, self._keep)
            status = replace(await run.go(), at=self._clock.now())
            await self._keep(status, run.copy)
        log.info("local_list", charger=charger_id, state=status.state.value, why=status.detail)
        return status

    async def _keep(self, status: ListStatus, copy: Copy) -> None:
        document = {
            "copy": local_list.document(copy),
            "state": status.state.value,
            "left_out": status.left_out,
            "enabled": status.enabled,
            "detail": status.detail,
            "at": status.at,
        }
        await self._store.save_local_list(status.charger_id, document)

    def _require_known(self, charger_id: str) -> None:
        if self._loop_of(charger_id) is None:
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")


class _Run:
    """One charger's list on its way to be what it should be."""

    def __init__(
        self,
        charger_id: str,
        link: ChargerLink,
        copy: Copy,
        tokens: list[IdToken],
        keep: Callable[[ListStatus, Copy], Any],
    ) -> None:
        self.copy = copy
        self._charger_id = charger_id
        self._link = link
        self._tokens = tokens
        self._keep = keep
        self._status = ListStatus(charger_id)

    async def go(self) -> ListStatus:
        bounds = await self._bounds()
        entries = local_list.wanted(self._tokens, bounds.most)
        left_out = len(self._tokens) - len(entries)
        self._status = replace(self._status, left_out=left_out, enabled=bounds.enabled)
        told = await self._link.local_list_version(self._charger_id)
        if not told.accepted:
            return self._ended(told)
        if bounds.most <= 0:
            return self._ended(Answer(Outcome.UNSUPPORTED, f"{MOST} is {bounds.most}"))
        version = int(told.payload["version"])
        if version == self.copy.version and version > 0:
            updates = local_list.differential_updates(self.copy, entries, bounds.part)
            answer = await self._send(updates)
            if answer is None or answer.outcome is not Outcome.REJECTED:
                return self._ended(answer)
            # §5.15: after Failed or VersionMismatch the whole list is sent.
            log.info("local_list_sent_whole", charger=self._charger_id, why=answer.detail)
        # One more than a refused update may have left there.
        first = max(version, self.copy.version) + 2
        return self._ended(await self._send(local_list.full_updates(entries, first, bounds.part)))

    async def _send(self, updates: tuple[LocalListUpdate, ...]) -> Answer | None:
        """Send them in order; the first answer that is not yes, or None."""
        for update in updates:
            answer = await self._link.send_local_list(self._charger_id, update)
            if not answer.accepted:
                return answer
            self.copy = local_list.changed(self.copy, update)
            await self._keep(replace(self._status, state=ListState.UNANSWERED), self.copy)
        return None

    def _ended(self, answer: Answer | None) -> ListStatus:
        state, detail = ListState.IN_SYNC, ""
        if answer is not None:
            state = _STATES.get(answer.outcome, ListState.REFUSED)
            detail = answer.detail or answer.outcome.value
        return replace(
            self._status,
            state=state,
            detail=detail,
            version=self.copy.version,
            entries=len(self.copy.entries),
        )

    async def _bounds(self) -> _Bounds:
        answer = await self._link.get_configuration(self._charger_id, [ENABLED, MOST, PART])
        said = answer.payload
        most = _number(said.get(MOST))
        enabled = str(said.get(ENABLED, "")).strip().lower()
        return _Bounds(
            enabled={"true": True, "false": False}.get(enabled),
            most=MOST_ENTRIES if most is None else min(most, MOST_ENTRIES),
            part=_number(said.get(PART)) or PART_ENTRIES,
        )


_STATES = {
    Outcome.UNSUPPORTED: ListState.UNSUPPORTED,
    Outcome.TIMEOUT: ListState.UNANSWERED,
    Outcome.DISCONNECTED: ListState.UNANSWERED,
    Outcome.NOT_SENT: ListState.UNANSWERED,
}


def _number(said: Any) -> int | None:
    text = "" if said is None else str(said).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _status(charger_id: str, kept: dict[str, Any]) -> ListStatus:
    return ListStatus(
        charger_id,
        ListState(kept["state"]),
        kept["copy"]["version"],
        len(kept["copy"]["entries"]),
        kept["left_out"],
        kept["enabled"],
        kept["detail"],
        kept["at"],
    )
