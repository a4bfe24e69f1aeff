"""`ports.Store` in plain dicts: the reference for what a store does, and the test double.

Nothing survives the process; what was kept survives `close` and the next `open`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from csms.dispatch.ledger import Entry, EntryState
from csms.errors import StorageError
from csms.ports import (
    ChargerRecord,
    Credential,
    Frame,
    IdToken,
    Losses,
    ModelKey,
    SecurityEvent,
    StoredSession,
)
from csms.station.facts import MeterSample

_StartKey = tuple[str, int, str, str, int]


class MemoryStore:
    """`ports.Store` without a database. Every write is as durable as it will ever be at once.

    Keeps the newest `frames_kept` frames of all chargers together, and the newest `samples_kept`
    meter samples of each session.
    """

    def __init__(self, *, frames_kept: int = 100_000, samples_kept: int = 100_000) -> None:
        self._samples_kept = samples_kept
        self._sessions: dict[str, StoredSession] = {}
        self._starts: dict[_StartKey, str] = {}
        self._transactions: dict[int, str] = {}
        self._samples: dict[str | None, deque[MeterSample]] = {}
        self._limits: dict[str, dict[int, Entry]] = {}
        self._last_token = 0
        self._stations: dict[str, str] = {}
        self._grids: dict[str, str] = {}
        self._chargers: dict[str, ChargerRecord] = {}
        self._tokens: dict[str, IdToken] = {}
        self._capabilities: dict[str, str] = {}
        self._model_capabilities: dict[ModelKey, str] = {}
        self._frames: deque[Frame] = deque(maxlen=frames_kept)
        self._credentials: dict[str, Credential] = {}
        self._security: deque[SecurityEvent] = deque(maxlen=10_000)
        self._security_number = 0

    async def open(self) -> None:
        """Nothing to make ready."""

    async def close(self) -> None:
        """Nothing to let go."""

    def losses(self) -> Losses:
        """See `ports.Store`: plain dicts take everything."""
        return Losses()

    # ------------------------------------------------------------------ sessions

    async def start(self, session: StoredSession) -> StoredSession:
        """See `ports.SessionStore`."""
        key = _start_key(session)
        if key in self._starts:
            return self._sessions[self._starts[key]]
        if session.session_id in self._sessions or session.transaction_id in self._transactions:
            raise StorageError(
                f"session id {session.session_id} or transaction id {session.transaction_id}"
                " is taken by another session"
            )
        self._starts[key] = session.session_id
        self._transactions[session.transaction_id] = session.session_id
        self._sessions[session.session_id] = session
        return session

    async def end(
        self, session_id: str, *, ended_at: float, meter_stop_wh: int | None, reason: str
    ) -> StoredSession | None:
        """See `ports.SessionStore`."""
        session = self._sessions.get(session_id)
        if session is None or session.ended_at is not None:
            return session
        session = replace(session, ended_at=ended_at, meter_stop_wh=meter_stop_wh, reason=reason)
        self._sessions[session_id] = session
        return session

    async def find(self, charger_id: str, transaction_id: int) -> StoredSession | None:
        """See `ports.SessionStore`."""
        session_id = self._transactions.get(transaction_id)
        if session_id is None:
            return None
        session = self._sessions[session_id]
        return session if session.connector.charger_id == charger_id else None

    async def running(self) -> list[StoredSession]:
        """See `ports.SessionStore`; oldest start first."""
        going = [s for s in self._sessions.values() if s.ended_at is None]
        return sorted(going, key=lambda s: (s.started_at, s.session_id))

    async def ended(
        self, station_id: str, *, limit: int = 100, before: float | None = None
    ) -> list[StoredSession]:
        """See `ports.SessionStore`."""
        found = [
            (s.ended_at, s.session_id, s)
            for s in self._sessions.values()
            if s.station_id == station_id
            and s.ended_at is not None
            and (before is None or s.ended_at < before)
        ]
        found.sort(key=lambda item: item[:2], reverse=True)
        return [session for _, _, session in found[: max(0, limit)]]

    async def declare_vehicle(self, session_id: str, vehicle_max_w: int | None) -> None:
        """See `ports.SessionStore`."""
        session = self._sessions.get(session_id)
        if session is not None:
            self._sessions[session_id] = replace(session, vehicle_max_w=vehicle_max_w)

    def sample(self, session_id: str | None, sample: MeterSample) -> None:
        """See `ports.SessionStore`."""
        kept = self._samples.setdefault(session_id, deque(maxlen=self._samples_kept))
        kept.append(sample)
        session = None if session_id is None else self._sessions.get(session_id)
        if session is None or sample.energy_wh is None:
            return
        # A register never runs backward; one that seems to has been reset or misread.
        least_wh = session.meter_start_wh if session.meter_wh is None else session.meter_wh
        if sample.energy_wh >= least_wh:
            self._sessions[session.session_id] = replace(session, meter_wh=sample.energy_wh)

    async def samples(self, session_id: str, *, limit: int = 1000) -> list[MeterSample]:
        """See `ports.SessionStore`."""
        return _newest(list(self._samples.get(session_id, ())), limit)

    # ------------------------------------------------------------------ ledger

    async def write(self, station_id: str, entries: Sequence[Entry]) -> None:
        """See `ports.LedgerStore`."""
        self.write_later(station_id, entries)

    def write_later(self, station_id: str, entries: Sequence[Entry]) -> None:
        """See `ports.LedgerStore`. Superseded entries need not be kept, only the last token."""
        counting = self._limits.setdefault(station_id, {})
        for entry in entries:
            self._last_token = max(self._last_token, entry.token)
            if entry.state is EntryState.SUPERSEDED:
                counting.pop(entry.token, None)
            else:
                counting[entry.token] = entry

    async def load(self, station_id: str) -> list[Entry]:
        """See `ports.LedgerStore`."""
        counting = self._limits.get(station_id, {})
        return [counting[token] for token in sorted(counting)]

    async def last_token(self) -> int:
        """See `ports.LedgerStore`."""
        return self._last_token

    # ------------------------------------------------------------------ stations

    async def save_station(self, station_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        self._stations[station_id] = json.dumps(dict(document))

    async def load_stations(self) -> dict[str, dict[str, Any]]:
        """See `ports.StationStore`."""
        return {name: json.loads(text) for name, text in sorted(self._stations.items())}

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        self._grids[station_id] = json.dumps(dict(document))

    async def load_grid(self, station_id: str) -> dict[str, Any] | None:
        """See `ports.StationStore`."""
        kept = self._grids.get(station_id)
        return None if kept is None else dict(json.loads(kept))

    async def remove_station(self, station_id: str) -> None:
        """See `ports.StationStore`."""
        self._stations.pop(station_id, None)

    async def save_charger(self, record: ChargerRecord) -> None:
        """See `ports.StationStore`."""
        self._chargers[record.charger_id] = record

    async def load_chargers(self) -> dict[str, ChargerRecord]:
        """See `ports.StationStore`."""
        return dict(sorted(self._chargers.items()))

    async def save_token(self, token: IdToken) -> None:
        """See `ports.StationStore`."""
        self._tokens[token.id_token.casefold()] = token

    async def load_token(self, id_token: str) -> IdToken | None:
        """See `ports.StationStore`."""
        return self._tokens.get(id_token.casefold())

    async def save_capability(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        self._capabilities[charger_id] = json.dumps(dict(document))

    async def load_capabilities(self) -> dict[str, dict[str, Any]]:
        """See `ports.StationStore`."""
        return {name: json.loads(text) for name, text in sorted(self._capabilities.items())}

    async def save_model_capability(self, model: ModelKey, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        self._model_capabilities[model] = json.dumps(dict(document))

    async def load_model_capabilities(self) -> dict[ModelKey, dict[str, Any]]:
        """See `ports.StationStore`."""
        return {model: json.loads(text) for model, text in sorted(self._model_capabilities.items())}

    # ------------------------------------------------------------------ frames

    def frame(self, frame: Frame) -> None:
        """See `ports.FrameLog`."""
        self._frames.append(frame)

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        """See `ports.FrameLog`."""
        return _newest([f for f in self._frames if f.charger_id == charger_id], limit)

    # ------------------------------------------------------------------ security

    async def save_credential(self, credential: Credential) -> None:
        """See `ports.SecurityStore`."""
        self._credentials[credential.charger_id] = credential

    async def load_credentials(self) -> dict[str, Credential]:
        """See `ports.SecurityStore`."""
        return dict(sorted(self._credentials.items()))

    def security_event(self, event: SecurityEvent) -> None:
        """See `ports.SecurityStore`."""
        self._security_number += 1
        self._security.append(replace(event, number=self._security_number))

    async def security_events(
        self, *, charger_id: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[SecurityEvent]:
        """See `ports.SecurityStore`."""
        found = [
            event
            for event in reversed(self._security)
            if (charger_id is None or event.charger_id == charger_id)
            and (before is None or event.number < before)
        ]
        return found[: max(0, limit)]


def _start_key(session: StoredSession) -> _StartKey:
    return (
        *session.connector,
        session.id_token,
        session.start_timestamp,
        session.meter_start_wh,
    )


def _newest(items: list[Any], limit: int) -> list[Any]:
    return items[-limit:] if limit > 0 else []
