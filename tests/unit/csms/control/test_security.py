"""The security of chargers in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from csms.control.security import TOLD_AT_ONCE, Security
from csms.ports import ChargerReport, Credential, Outcome, SecurityProfile, Topic
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fake_link import FakeLink
from tests.unit.csms.control.fakes import START, FakeClock, exchange, security_of

PROVEN = Credential("CP1", SecurityProfile.BASIC, "ab")


@dataclass
class Office:
    """Security with a CA that signs everything."""

    store: MemoryStore = field(default_factory=MemoryStore)
    link: FakeLink = field(default_factory=FakeLink)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.security: Security = security_of(
            self.store, self.link, self.clock, lambda _pem, name, _now: f"chain of {name}"
        )

    async def events(self) -> list[tuple[str, str, str]]:
        found = await self.store.security_events(limit=1_000)
        return [(e.charger_id, e.kind, e.text) for e in reversed(found)]


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    """The office, open; at the end all that was begun has ended."""
    it = Office()
    await it.store.save_credential(PROVEN)
    await it.security.load()
    async with asyncio.TaskGroup() as tasks:
        it.security.open(tasks.create_task)
        yield it


def told(what: str, info: str = "", told_at: float | None = None) -> ChargerReport:
    return ChargerReport("CP1", Topic.SECURITY, what, START, info=info, told_at=told_at)


async def test_what_a_charger_tells_is_kept_with_all_other_events() -> None:
    async with office() as it:
        it.security.reported(told("TamperDetectionActivated", "lid", 0.0))
        it.security.reported(told("SettingSystemTime"))
    assert await it.events() == [
        ("CP1", "charger_reported", "TamperDetectionActivated lid (1970-01-01T00:00:00Z it says)"),
        ("CP1", "charger_reported", "SettingSystemTime"),
    ]


async def test_a_charger_that_tells_without_end_drives_out_nothing() -> None:
    async with office() as it:
        for _ in range(10 * TOLD_AT_ONCE):
            it.security.reported(told("Noise"))
        it.security.reported(ChargerReport("CP2", Topic.SECURITY, "Tamper", START))
    kinds = [(charger_id, kind) for charger_id, kind, _ in await it.events()]
    assert kinds.count(("CP1", "charger_reported")) == TOLD_AT_ONCE
    assert kinds.count(("CP1", "charger_reports_dropped")) == 1
    assert kinds[-1] == ("CP2", "charger_reported")
    it.clock.advance(60.0)
    it.security.reported(told("Later"))
    assert (await it.events())[-1][2] == "Later"


async def test_a_certificate_is_signed_and_sent() -> None:
    async with office() as it:
        it.link.calls = lambda _: exchange(Outcome.ACCEPTED)
        assert it.security.sign("CP1", "request")
    sent = {"certificateChain": "chain of CP1"}
    assert it.link.requests == [("call", "CP1", "CertificateSigned", sent)]
    assert await it.events() == [("CP1", "certificate_sent", "accepted")]


async def test_requests_without_end_are_not_signed() -> None:
    async with office() as it:
        it.link.calls = lambda _: exchange(Outcome.ACCEPTED)
        signed = [it.security.sign("CP1", "request") for _ in range(2 * TOLD_AT_ONCE)]
    assert signed == [True] * TOLD_AT_ONCE + [False] * TOLD_AT_ONCE


async def test_nothing_is_signed_after_the_end() -> None:
    async with office() as it:
        it.security.stop()
        assert not it.security.sign("CP1", "request")
    assert it.link.requests == []
