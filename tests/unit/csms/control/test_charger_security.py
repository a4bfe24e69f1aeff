"""What operators say of the security of chargers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from csms.control.charger_security import SecurityDesk
from csms.control.credentials import MOST_PENDING, CredentialBook
from csms.errors import ChargerOfflineError, KeyRefusedError
from csms.ports import Answer, Credential, Outcome, SecurityProfile
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fakes import START, YES, FakeClock
from tests.unit.csms.control.test_credentials import KEY, FakeSecret, hashed

NEW = "ABCDEFGHIJKLMNOPQRST"
TOLD = NEW.encode().hex().upper()


@dataclass
class FakeKeyLink:
    """A charger that answers `answer` to every change, once `silent` is over."""

    connected: bool = True
    answer: Answer = YES
    told: list[tuple[str, str, str]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    silent: asyncio.Event | None = None
    keys_when_told: list[int] = field(default_factory=list)
    store: MemoryStore | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def is_connected(self, charger_id: str) -> bool:
        return self.connected

    def disconnect(self, charger_id: str, reason: str) -> None:
        self.closed.append(charger_id)

    async def change_configuration(self, charger_id: str, key: str, value: str) -> Answer:
        self.told.append((charger_id, key, value))
        self.asked.set()
        assert self.store is not None
        kept = (await self.store.load_credentials())[charger_id]
        self.keys_when_told.append(len(kept.pending))
        if self.silent is not None:
            await self.silent.wait()
        return self.answer


@dataclass
class Office:
    desk: SecurityDesk
    book: CredentialBook
    link: FakeKeyLink
    store: MemoryStore

    async def events(self) -> list[tuple[str, str]]:
        return [(e.kind, e.text) for e in reversed(await self.desk.events())]


async def office(*credentials: Credential) -> Office:
    store, clock = MemoryStore(), FakeClock()
    for credential in credentials:
        await store.save_credential(credential)
    book = CredentialBook(store, FakeSecret(), clock)
    await book.load()
    link = FakeKeyLink(store=store)
    return Office(SecurityDesk(book, store, link, clock, lambda: NEW), book, link, store)


async def test_no_charger_is_locked_out_by_a_profile_nobody_can_come_with() -> None:
    store, clock = MemoryStore(), FakeClock()
    book = CredentialBook(store, FakeSecret(), clock)
    desk = SecurityDesk(book, store, FakeKeyLink(), clock, highest=SecurityProfile.BASIC)
    with pytest.raises(KeyRefusedError, match=r"profile 2 would lock it out.* profile 1 at most"):
        await desk.configure("CP1", SecurityProfile.TLS_BASIC, key=NEW)
    assert book.of("CP1") is None
    assert (await desk.configure("CP1", SecurityProfile.BASIC, key=NEW)).has_key


KEYED = Credential("CP1", SecurityProfile.BASIC, hashed(KEY))


async def test_nothing_is_asked_of_a_charger_nothing_was_said_of() -> None:
    known = (await office()).desk.of("CP1")
    assert (known.profile, known.has_key, known.changed_at) == (SecurityProfile.NONE, False, None)


async def test_a_key_and_a_profile_are_set_by_hand() -> None:
    at = await office(Credential("CP1", pending=("aa",)))
    known = await at.desk.configure(
        "CP1", SecurityProfile.TLS_BASIC, key=KEY.decode(), common_name="SN-1"
    )
    assert known.profile is SecurityProfile.TLS_BASIC
    assert (known.has_key, known.pending_keys, known.common_name) == (True, 0, "SN-1")
    assert known.changed_at == START
    assert at.book.verify("CP1", KEY) is not None
    assert at.link.closed == ["CP1"]
    assert await at.events() == [("credential_set", "security profile 2, a new key")]
    kept = (await at.store.load_credentials())["CP1"]
    assert KEY.decode() not in repr(kept)


async def test_a_profile_is_lowered_by_hand_and_the_key_stays() -> None:
    at = await office(KEYED)
    known = await at.desk.configure("CP1", SecurityProfile.NONE)
    assert (known.profile, known.has_key) == (SecurityProfile.NONE, True)
    assert await at.events() == [("credential_set", "security profile 0")]


@pytest.mark.parametrize("profile", [SecurityProfile.BASIC, SecurityProfile.TLS_BASIC])
async def test_a_profile_of_keys_needs_a_key(profile: SecurityProfile) -> None:
    at = await office()
    with pytest.raises(KeyRefusedError, match="needs a key"):
        await at.desk.configure("CP1", profile)
    known = await at.desk.configure("CP1", SecurityProfile.MUTUAL_TLS)
    assert known.profile is SecurityProfile.MUTUAL_TLS


async def test_bad_keys_and_names_are_refused() -> None:
    at = await office(KEYED)
    with pytest.raises(KeyRefusedError, match="8 to 64 bytes"):
        await at.desk.configure("CP1", SecurityProfile.BASIC, key="short")
    with pytest.raises(KeyRefusedError, match="no name"):
        await at.desk.configure("../CP1", SecurityProfile.NONE)
    with pytest.raises(KeyRefusedError, match="no name"):
        at.desk.of("")
    with pytest.raises(KeyRefusedError, match="at most 20 bytes"):
        await at.desk.change_key("CP1", "x" * 21)
    assert at.link.told == []


async def test_a_charger_is_told_a_new_key_and_both_are_good() -> None:
    at = await office(KEYED)
    change = await at.desk.change_key("CP1")
    assert (change.outcome, change.key) == (Outcome.ACCEPTED, NEW)
    assert change.security.pending_keys == 1
    assert at.link.told == [("CP1", "AuthorizationKey", TOLD)]
    assert at.link.keys_when_told == [1]  # durable before it was told
    assert at.book.verify("CP1", KEY) is not None
    assert at.book.verify("CP1", NEW.encode()) is not None
    assert await at.events() == [("key_told", "accepted")]


@pytest.mark.parametrize(
    "outcome", [Outcome.REJECTED, Outcome.UNSUPPORTED, Outcome.INVALID, Outcome.NOT_SENT]
)
async def test_a_key_that_was_refused_is_not_good(outcome: Outcome) -> None:
    at = await office(KEYED)
    at.link.answer = Answer(outcome)
    change = await at.desk.change_key("CP1", "another key 1234")
    assert (change.outcome, change.security.pending_keys) == (outcome, 0)
    assert at.book.verify("CP1", b"another key 1234") is None
    assert at.book.verify("CP1", KEY) is not None


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.DISCONNECTED])
async def test_a_key_that_may_have_been_taken_is_good(outcome: Outcome) -> None:
    at = await office(KEYED)
    at.link.answer = Answer(outcome)
    await at.desk.change_key("CP1")
    assert at.book.verify("CP1", NEW.encode()) is not None
    assert at.book.verify("CP1", KEY) is not None


async def test_a_charger_is_not_told_keys_without_end() -> None:
    at = await office(KEYED)
    at.link.answer = Answer(Outcome.TIMEOUT)
    for number in range(MOST_PENDING):
        await at.desk.change_key("CP1", f"another key 123{number}")
    with pytest.raises(KeyRefusedError, match="used none of them"):
        await at.desk.change_key("CP1")


async def test_a_charger_that_is_away_or_busy_is_told_nothing() -> None:
    at = await office(KEYED)
    at.link.connected = False
    with pytest.raises(ChargerOfflineError):
        await at.desk.change_key("CP1")
    at.link.connected = True
    at.link.silent = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(at.desk.change_key("CP1"))
        await at.link.asked.wait()
        with pytest.raises(KeyRefusedError, match="right now"):
            await at.desk.change_key("CP1")
        at.link.silent.set()
        assert (await first).outcome is Outcome.ACCEPTED
    at.link.silent = None
    assert (await at.desk.change_key("CP1", "another key 1234")).outcome is Outcome.ACCEPTED
