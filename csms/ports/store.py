"""Everything that survives a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from csms.dispatch.conviction import Conviction
from csms.dispatch.ledger import Entry
from csms.ports.archive import Archive
from csms.ports.security import SecurityStore
from csms.ports.sessions import SessionStore
from csms.ports.tokens import TokenStore
from csms.station.model import ConnectorKey


class LedgerStore(Protocol):
    """Limits that may be in force."""

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        """Insert or replace entries by token. Durable when it returns."""
        ...

    def write_later(self, station_id: str, entries: Sequence[Entry]) -> None:
        """The same, durable soon and in order with `write`, for what nobody waits for.

        Answers and ends of sessions, which free room, and doubt after a boot, which takes room. A
        crash within moments may lose it.
        """
        ...

    async def load(self, station_id: str) -> list[Entry]:
        """Entries that still count, in order of token."""
        ...

    async def last_token(self) -> int:
        """The largest token ever written, 0 when none was."""
        ...


class ConvictionStore(Protocol):
    """Connectors that do not obey."""

    def convict_later(
        self, station_id: str, changed: Mapping[ConnectorKey, Conviction | None]
    ) -> None:
        """Insert or replace what is kept of connectors, or delete it (None).

        Durable soon, and in order with `LedgerStore.write`; a crash within moments may lose it.
        """
        ...

    async def convictions(self, station_id: str) -> list[Conviction]:
        """What is kept of a station's connectors, in their order."""
        ...


class LoopStore(LedgerStore, ConvictionStore, Protocol):
    """What the loop of a station keeps by itself."""


@dataclass(frozen=True, slots=True)
class ChargerRecord:
    """What is remembered of a charger between connections."""

    charger_id: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    accepted: bool = False
    last_seen_at: float | None = None


ModelKey = tuple[str, str, str]
"""Vendor, model and firmware of a charger, as it reports them when it boots."""


class StationStore(Protocol):
    """Station configurations, grid limits, and what is remembered of chargers."""

    async def save_station(self, station_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def load_stations(self) -> dict[str, dict[str, Any]]:
        """Every station document by station id."""
        ...

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace what was said of a grid limit at run time. Durable when it returns."""
        ...

    async def load_grid(self, station_id: str) -> dict[str, Any] | None:
        """What was said of the grid limit of this station, None when nothing ever was."""
        ...

    async def remove_station(self, station_id: str) -> None:
        """Delete the document, if there is one. Durable when it returns."""
        ...

    async def save_charger(self, record: ChargerRecord) -> None:
        """Insert or replace. Durable when it returns."""
        ...

    async def load_chargers(self) -> dict[str, ChargerRecord]:
        """Every charger record by charger id."""
        ...

    async def save_capability(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace what was learned of a charger. Durable when it returns."""
        ...

    async def load_capabilities(self) -> dict[str, dict[str, Any]]:
        """What was learned of every charger, by charger id."""
        ...

    async def save_model_capability(self, model: ModelKey, document: Mapping[str, Any]) -> None:
        """Insert or replace what is known of a charger model. Durable when it returns."""
        ...

    async def load_model_capabilities(self) -> dict[ModelKey, dict[str, Any]]:
        """What is known of every charger model."""
        ...

    async def save_reports(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """Insert or replace the newest reports of a charger. Durable when it returns."""
        ...

    async def load_reports(self) -> dict[str, dict[str, Any]]:
        """The newest reports of every charger, by charger id."""
        ...


@dataclass(frozen=True, slots=True)
class Losses:
    """What a store could not keep since it was opened.

    `samples` and `frames` went because too many waited, `rows` because the database never took
    them.
    """

    samples: int = 0
    frames: int = 0
    rows: int = 0


class Store(SessionStore, LoopStore, StationStore, TokenStore, Archive, SecurityStore, Protocol):
    """Everything that survives, in one place."""

    async def probe(self, at: float) -> None:
        """Write a row that says when. Durable when it returns; raises StorageError."""
        ...

    def free_share(self) -> float | None:
        """How much of the disk is free, 0 to 1; None where that cannot be told."""
        ...

    def losses(self) -> Losses:
        """What could not be kept."""
        ...

    async def open(self) -> None:
        """Make ready; raises StorageError when the database cannot be used."""
        ...

    async def close(self) -> None:
        """Write what is queued, then let go."""
        ...
