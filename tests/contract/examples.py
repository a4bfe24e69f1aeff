"""What the contract suites put into a store."""

from __future__ import annotations

from typing import Any

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.ports import Frame, StoredSession, TokenStatus
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey, Limit, LimitSource

CONNECTOR = ConnectorKey("CP1", 1)


def session(number: int = 1, **changes: Any) -> StoredSession:
    """A session whose ids and start key follow from `number`."""
    values: dict[str, Any] = {
        "session_id": f"session-{number:04}",
        "transaction_id": 1000 + number,
        "station_id": "site",
        "connector": CONNECTOR,
        "id_token": "TAG1",
        "id_status": TokenStatus.ACCEPTED,
        "started_at": 1_700_000_000.0 + number,
        "meter_start_wh": 5000,
        "start_timestamp": f"2023-11-14T22:13:{number:02}Z",
    }
    return StoredSession(**{**values, **changes})


def entry(token: int, state: EntryState = EntryState.SENT, value_w: int = 7000) -> Entry:
    """A limit of a session."""
    settled_at = None if state is EntryState.SENT else 1_700_000_002.5
    return Entry(
        token=token,
        connector=CONNECTOR,
        scope=Scope.SESSION,
        limit=Limit(value_w, LimitSource.GRID, 1_700_000_300.25),
        state=state,
        sent_at=1_700_000_001.125,
        settled_at=settled_at,
        session_id="session-0001",
    )


def sample(number: int, energy_wh: int | None = None) -> MeterSample:
    """A sample taken `number` seconds after some moment."""
    return MeterSample(CONNECTOR, at=1_700_000_000.0 + number, power_w=number, energy_wh=energy_wh)


def frame(number: int, charger_id: str = "CP1") -> Frame:
    """A frame received `number` seconds after some moment."""
    return Frame(charger_id, 1_700_000_000.0 + number, number % 2 == 0, f'[2,"{number}",{{}}]')
