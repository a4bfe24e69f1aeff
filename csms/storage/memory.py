"""`ports.Store` in plain dicts: the reference for what a store does, and the test double.

Nothing survives the process; what was kept survives `close` and the next `open`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from csms.dispatch.conviction import Conviction
from csms.dispatch.ledger import Entry, EntryState
from csms.errors import IdTakenError
from csms.ports import (
    ChargerRecord,
    Credential,
    Frame,
    IdToken,
    Losses,
    ModelKey,
    Quarantined,
    SecurityEvent,
    StoredSession,
)
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation

_StartKey = tuple[str, int, str, str, int]


class MemoryStore:
    """`ports.Store` without a database. Every write is as durable as it will ever be at once.

    Keeps the newest `frames_kept` frames and `quarantine_kept` quarantined messages of all chargers
    together, and the newest `samples_kept` meter samples of each session.
    """

    def __init__(
        self,
        *,
        frames_kept: int = 100_000,
        samples_kept: int = 100_000,
        quarantine_kept: int = 10_000,
    ) -> None:
        self._samples_kept = samples_kept
        self._sessions: dict[str, StoredSession] = {}
        self._starts: dict[_StartKey, str] = {}
        self._transactions: dict[int, str] = {}
        self._samples: dict[str | None, deque[MeterSample]] = {}
        self._limits: dict[str, dict[int, Entry]] = {}
        self._last_token = 0
        self._convictions: dict[str, dict[ConnectorKey, Conviction]] = {}
        self._stations: dict[str, str] = {}
        self._grids: dict[str, str] = {}
        self._chargers: dict[str, ChargerRecord] = {}
        self._tokens: dict[str, IdToken] = {}
        self._filled: set[str] = set()
        self._local_lists: dict[str, str] = {}
        self._reservations: dict[int, Reservation] = {}
        self._capabilities: dict[str, str] = {}
        self._model_capabilities: dict[ModelKey, str] = {}
        self._reports: dict[str, str] = {}
        self._frames: deque[Frame] = deque(maxlen=frames_kept)
        self._quarantine: deque[Quarantined] = deque(maxlen=quarantine_kept)
        self._credentials: dict[str, Credential] = {}
        self._security: deque[SecurityEvent] = deque(maxlen=10_000)
        self._security_number = 0

    async def open(self) -> None:
        """Nothing to make ready."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def probe(self, at: float) -> None:
        """See `ports.Store`."""

    def free_share(self) -> float | None:
        """See `ports.Store`: there is no disk."""
        return None

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
            raise IdTakenError(
                f"session id {session.session_id} or transaction id {session.transaction_id}"
                " is taken by another session"
            )
        self._starts[key] = session.session_id
        self._transactions[session.transaction_id] = session.session_id
        self._sessions[session.session_id] = session
        return session

    async def end(
        self,
        session_id: str,
        *,
        ended_at: float,
        meter_stop_wh: int | None,
        reason: str,
        timestamp: str | None = "",
    ) -> StoredSession | None:
        """See `ports.SessionStore`."""
        session = self._sessions.get(session_id)
        if session is None or session.stop_timestamp is not None:
            return session
        if timestamp is None and session.ended_at is not None:
            return session
        session = replace(
            session,
            ended_at=ended_at,
            meter_stop_wh=meter_stop_wh,
            reason=reason,
            stop_timestamp=timestamp,
        )
        self._sessions[session_id] = session
        return session

    async def unfinished(self, charger_id: str, *, limit: int = 100) -> list[StoredSession]:
        """See `ports.SessionStore`."""
        found = [
            (s.ended_at is None, s.ended_at or 0.0, s.started_at, s.session_id, s)
            for s in self._sessions.values()
            if s.connector.charger_id == charger_id and s.stop_timestamp is None
        ]
        found.sort(key=lambda item: item[:4], reverse=True)
        return [item[4] for item in found[: max(0, limit)]]

    async def stopped(self, charger_id: str, timestamp: str) -> list[StoredSession]:
        """See `ports.SessionStore`."""
        found = [
            s
            for s in self._sessions.values()
            if s.connector.charger_id == charger_id and s.stop_timestamp == timestamp
        ]
        return sorted(found, key=lambda s: (s.started_at, s.session_id))

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
        if session_id is None:
            session_id = self._named(sample)
        kept = self._samples.setdefault(session_id, deque(maxlen=self._samples_kept))
        kept.append(sample)
        session = None if session_id is None else self._sessions.get(session_id)
        if session is None or session.meter_stop_wh is not None or sample.energy_wh is None:
            return
        read = session.register.read(sample.energy_wh)
        self._sessions[session.session_id] = session.metered(read)

    def _named(self, sample: MeterSample) -> str | None:
        """The session of the sample's charger that has its transaction id."""
        session_id = self._transactions.get(sample.transaction_id or 0)
        session = None if session_id is None else self._sessions[session_id]
        if session is None or session.connector.charger_id != sample.connector.charger_id:
            return None
        return session.session_id

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

    # ------------------------------------------------------------------ convictions

    def convict_later(
        self, station_id: str, changed: Mapping[ConnectorKey, Conviction | None]
    ) -> None:
        """See `ports.ConvictionStore`."""
        known = self._convictions.setdefault(station_id, {})
        for key, conviction in changed.items():
            known.pop(key, None)
            if conviction is not None:
                known[key] = conviction

    async def convictions(self, station_id: str) -> list[Conviction]:
        """See `ports.ConvictionStore`."""
        known = self._convictions.get(station_id, {})
        return [known[key] for key in sorted(known)]

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

    async def save_reports(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.StationStore`."""
        self._reports[charger_id] = json.dumps(dict(document))

    async def load_reports(self) -> dict[str, dict[str, Any]]:
        """See `ports.StationStore`."""
        return {name: json.loads(text) for name, text in sorted(self._reports.items())}

    # ------------------------------------------------------------------ tokens

    async def save_token(self, token: IdToken) -> None:
        """See `ports.TokenStore`."""
        name = token.id_token.casefold()
        self._tokens[name] = token
        self._filled.discard(name)

    async def save_tokens(self, tokens: Sequence[IdToken], *, replace: bool = True) -> int:
        """See `ports.TokenStore`."""
        saved = 0
        for token in tokens:
            if replace or token.id_token.casefold() not in self._tokens:
                await self.save_token(token)
                saved += 1
        return saved

    async def fill_tokens(self, tokens: Sequence[IdToken]) -> None:
        """See `ports.TokenStore`."""
        wanted = {token.id_token.casefold(): token for token in tokens}
        for name in self._filled - wanted.keys():
            del self._tokens[name]
        self._filled &= wanted.keys()
        added = wanted.keys() - self._tokens.keys()
        self._tokens |= {name: wanted[name] for name in added}
        self._filled |= added

    async def load_token(self, id_token: str) -> IdToken | None:
        """See `ports.TokenStore`."""
        return self._tokens.get(id_token.casefold())

    async def load_tokens(self, *, limit: int = 1000, after: str = "") -> list[IdToken]:
        """See `ports.TokenStore`."""
        names = sorted(name for name in self._tokens if name > after.casefold())
        return [self._tokens[name] for name in names[: max(0, limit)]]

    async def load_group(self, parent_id_token: str) -> list[IdToken]:
        """See `ports.TokenStore`."""
        group = parent_id_token.casefold()
        found = [
            (name, token)
            for name, token in self._tokens.items()
            if name == group or (token.parent_id_token or "").casefold() == group
        ]
        return [token for _, token in sorted(found, key=lambda item: item[0])]

    async def remove_token(self, id_token: str) -> bool:
        """See `ports.TokenStore`."""
        self._filled.discard(id_token.casefold())
        return self._tokens.pop(id_token.casefold(), None) is not None

    async def save_local_list(self, charger_id: str, document: Mapping[str, Any]) -> None:
        """See `ports.TokenStore`."""
        self._local_lists[charger_id] = json.dumps(dict(document))

    async def load_local_list(self, charger_id: str) -> dict[str, Any] | None:
        """See `ports.TokenStore`."""
        kept = self._local_lists.get(charger_id)
        return None if kept is None else dict(json.loads(kept))

    async def save_reservation(self, reservation: Reservation) -> None:
        """See `ports.TokenStore`."""
        self._reservations[reservation.reservation_id] = reservation

    async def load_reservations(self) -> list[Reservation]:
        """See `ports.TokenStore`."""
        return [self._reservations[number] for number in sorted(self._reservations)]

    async def forget_reservations(self, before: float) -> None:
        """See `ports.TokenStore`."""
        kept = self._reservations.items()
        self._reservations = {number: r for number, r in kept if r.expires_at >= before}

    # ------------------------------------------------------------------ frames

    def frame(self, frame: Frame) -> None:
        """See `ports.FrameLog`."""
        self._frames.append(frame)

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        """See `ports.FrameLog`."""
        return _newest([f for f in self._frames if f.charger_id == charger_id], limit)

    # ------------------------------------------------------------------ quarantine

    async def quarantine(self, item: Quarantined) -> bool:
        """See `ports.Quarantine`."""
        if any(replace(kept, at=item.at) == item for kept in self._quarantine):
            return False
        self._quarantine.append(item)
        return True

    async def quarantined(self, charger_id: str, *, limit: int = 200) -> list[Quarantined]:
        """See `ports.Quarantine`."""
        return _newest([q for q in self._quarantine if q.charger_id == charger_id], limit)

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
