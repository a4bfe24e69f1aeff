"""What chargers report beside charging: the newest of each topic, kept over restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import structlog

from csms.errors import StorageError
from csms.ports import ChargerReport, StationStore, Topic

log = structlog.get_logger(__name__)

KEPT: Mapping[Topic, int] = {
    Topic.DIAGNOSTICS: 1,
    Topic.FIRMWARE: 1,
    Topic.LOG: 1,
}
"""How many reports of a topic are kept of each charger. Security events have their own place."""


class ReportBook:
    """The newest reports of every charger, newest first within a topic."""

    def __init__(self, store: StationStore) -> None:
        self._store = store
        self._reports: dict[str, dict[Topic, list[ChargerReport]]] = {}

    async def load(self) -> None:
        """Take up what was kept."""
        for charger_id, document in (await self._store.load_reports()).items():
            self._reports[charger_id] = {
                Topic(topic): [_parse(charger_id, Topic(topic), each) for each in reports]
                for topic, reports in document.items()
            }

    def of(self, charger_id: str, topic: Topic) -> list[ChargerReport]:
        """The newest reports of this charger on this topic, newest first."""
        return list(self._reports.get(charger_id, {}).get(topic, ()))

    async def add(self, report: ChargerReport) -> None:
        """Take a report and keep it; one that cannot be kept is known until csms stops."""
        of_charger = self._reports.setdefault(report.charger_id, {})
        kept = [report, *of_charger.get(report.topic, ())]
        of_charger[report.topic] = kept[: KEPT[report.topic]]
        try:
            await self._store.save_reports(report.charger_id, _document(of_charger))
        except StorageError as error:
            log.warning("report_not_kept", charger=report.charger_id, error=str(error))


def _document(reports: Mapping[Topic, list[ChargerReport]]) -> dict[str, Any]:
    hidden = {"charger_id", "topic"}
    return {
        topic.value: [{k: v for k, v in asdict(r).items() if k not in hidden} for r in of_topic]
        for topic, of_topic in reports.items()
    }


def _parse(charger_id: str, topic: Topic, kept: Mapping[str, Any]) -> ChargerReport:
    return replace(ChargerReport(charger_id, topic, "", 0.0), **kept)
