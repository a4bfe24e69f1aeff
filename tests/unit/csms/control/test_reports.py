from __future__ import annotations

from csms.control.reports import ReportBook
from csms.errors import StorageError
from csms.ports import ChargerReport, Topic
from csms.storage.memory import MemoryStore

UPLOADING = ChargerReport("CP1", Topic.LOG, "Uploading", 10.0, request_id=7)
UPLOADED = ChargerReport("CP1", Topic.LOG, "Uploaded", 20.0, request_id=7)


async def test_the_newest_status_of_a_topic_counts() -> None:
    book = ReportBook(MemoryStore())
    await book.add(UPLOADING)
    await book.add(UPLOADED)
    assert book.of("CP1", Topic.LOG) == [UPLOADED]
    assert book.of("CP1", Topic.FIRMWARE) == []
    assert book.of("CP2", Topic.LOG) == []


async def test_reports_outlive_the_process() -> None:
    store = MemoryStore()
    before = ReportBook(store)
    await before.add(UPLOADED)
    after = ReportBook(store)
    await after.load()
    assert after.of("CP1", Topic.LOG) == [UPLOADED]


class FullStore(MemoryStore):
    async def save_reports(self, charger_id: str, document: object) -> None:
        raise StorageError("disk full")


async def test_a_report_that_cannot_be_kept_is_known_all_the_same() -> None:
    book = ReportBook(FullStore())
    await book.add(UPLOADED)
    assert book.of("CP1", Topic.LOG) == [UPLOADED]
