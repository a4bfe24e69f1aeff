"""Certificates that chargers ask for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from csms.control.credentials import CredentialBook
from csms.control.signing import CertificateSigning
from csms.errors import CertificateRefusedError
from csms.ports import Answer, Credential, SecurityProfile
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fakes import NO, START, YES, FakeClock
from tests.unit.csms.control.test_credentials import FakeSecret

KEYED = Credential("CP1", SecurityProfile.BASIC, "ab")


@dataclass
class Authority:
    """Signs what is called `good`, and keeps what it was asked and what was sent."""

    answer: Answer = YES
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)

    def sign(self, request_pem: str, common_name: str, now: float) -> str:
        self.asked.append((request_pem, common_name, now))
        if request_pem != "good":
            raise CertificateRefusedError("a weak key")
        return "chain"

    async def send(self, charger_id: str, chain: str) -> Answer:
        self.sent.append((charger_id, chain))
        return self.answer


async def ask(
    authority: Authority, *known: Credential, request: str = "good", has_ca: bool = True
) -> tuple[bool, list[tuple[str, str]]]:
    """Whether it is signed, and the events."""
    store, clock = MemoryStore(), FakeClock()
    for credential in known:
        await store.save_credential(credential)
    book = CredentialBook(store, FakeSecret(), clock)
    await book.load()
    sign = authority.sign if has_ca else None
    signing = CertificateSigning(sign, authority.send, book, store, clock)
    async with asyncio.TaskGroup() as tasks:
        signed = signing.asked("CP1", request, tasks.create_task)
    return signed, [(e.kind, e.text) for e in await store.security_events()]


async def test_a_good_request_is_signed_and_the_certificate_sent() -> None:
    authority = Authority()
    assert await ask(authority, KEYED) == (True, [("certificate_sent", "accepted")])
    assert authority.asked == [("good", "CP1", START)]
    assert authority.sent == [("CP1", "chain")]


async def test_the_name_is_that_the_charger_must_have() -> None:
    authority = Authority()
    await ask(authority, Credential("CP1", SecurityProfile.MUTUAL_TLS, common_name="SN-1"))
    assert authority.asked == [("good", "SN-1", START)]


async def test_a_charger_may_refuse_its_certificate() -> None:
    assert await ask(Authority(NO), KEYED) == (True, [("certificate_sent", "rejected")])


async def test_a_bad_request_is_refused() -> None:
    authority = Authority()
    found = await ask(authority, KEYED, request="bad")
    assert found == (False, [("certificate_refused", "a weak key")])
    assert authority.sent == []


@pytest.mark.parametrize("known", [(), (Credential("CP1", SecurityProfile.NONE),)])
async def test_who_came_without_proof_gets_no_certificate(known: tuple[Credential, ...]) -> None:
    authority = Authority()
    found = await ask(authority, *known)
    assert found == (False, [("certificate_refused", "it has never proven who it is")])
    assert authority.asked == []


async def test_without_a_ca_nothing_is_signed() -> None:
    found = await ask(Authority(), KEYED, has_ca=False)
    assert found == (False, [("certificate_refused", "there is no CA to sign it")])
