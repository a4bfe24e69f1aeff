"""A recorder that keeps what it is told, in order, and knows four id tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csms.ports import (
    BootReport,
    BootVerdict,
    ChargerReport,
    IdToken,
    StartReport,
    StartVerdict,
    StopReport,
    TokenStatus,
)
from csms.station.facts import Fact

NOON = 1_772_366_400.0
"""2026-03-01T12:00:00Z."""

TOKENS = {
    "GOOD": IdToken("GOOD"),
    "CHILD": IdToken("CHILD", expires_at=NOON + 3600.9, parent_id_token="FAMILY"),  # noqa: S106
    "OLD": IdToken("OLD", TokenStatus.EXPIRED),
    "LOST": IdToken("LOST", TokenStatus.BLOCKED),
}

Report = BootReport | StartReport | StopReport | Fact


class FakeRecorder:
    """`csms.ports.Recorder`. Transaction ids count from 1; a repeated start gets the same one."""

    def __init__(self, *, accepts: bool = True, now: float = NOON) -> None:
        self.accepts = accepts
        self.pending = False
        self.at = now
        self.told: list[Report] = []
        self.asked: list[tuple[str, str]] = []
        self.reports: list[ChargerReport] = []
        self.requests: list[tuple[str, str]] = []
        self.notes: list[tuple[str, str, Mapping[str, Any]]] = []
        self._starts: dict[tuple[object, ...], StartVerdict] = {}

    def now(self) -> float:
        return self.at

    async def boot(self, report: BootReport) -> BootVerdict:
        self.told.append(report)
        return BootVerdict(self.accepts, 300 if self.accepts else 60, self.pending)

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        self.asked.append((charger_id, id_token))
        return self._token(id_token)

    async def start_session(self, report: StartReport) -> StartVerdict:
        self.told.append(report)
        key = (report.connector, report.id_token, report.timestamp, report.meter_start_wh)
        verdict = StartVerdict(len(self._starts) + 1, self._token(report.id_token))
        return self._starts.setdefault(key, verdict)

    async def stop_session(self, report: StopReport) -> IdToken | None:
        self.told.append(report)
        return None if report.id_token is None else self._token(report.id_token)

    def record(self, fact: Fact) -> None:
        self.told.append(fact)

    async def sign(self, charger_id: str, request_pem: str) -> bool:
        self.requests.append((charger_id, request_pem))
        return request_pem == "good"

    async def report(self, report: ChargerReport) -> None:
        self.reports.append(report)

    def note(self, charger_id: str, action: str, detail: Mapping[str, Any]) -> None:
        self.notes.append((charger_id, action, detail))

    @staticmethod
    def _token(id_token: str) -> IdToken:
        return TOKENS.get(id_token, IdToken(id_token, TokenStatus.INVALID))
