"""What chargers must show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from csms.control.credentials import MOST_PENDING, CredentialBook
from csms.control.keys import keyed_hash
from csms.errors import ConfigError, StorageError
from csms.ports import Credential, SecurityProfile
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fakes import START, FakeClock

KEY = b"0123456789abcdef"
OTHER = b"fedcba9876543210"


@dataclass
class FakeSecret:
    value: bytes = b"s" * 32
    kept: bool = True
    error: StorageError | None = None

    def keep(self) -> None:
        if self.error is not None:
            raise self.error
        self.kept = True


class FullStore(MemoryStore):
    """Takes no more credentials while it is `full`."""

    full = False

    async def save_credential(self, credential: Credential) -> None:
        if self.full:
            raise StorageError("the disk is full")
        await super().save_credential(credential)


def hashed(key: bytes, charger_id: str = "CP1") -> str:
    return keyed_hash(FakeSecret.value, charger_id, key)


async def book(*credentials: Credential, store: MemoryStore | None = None) -> CredentialBook:
    kept = store or MemoryStore()
    for credential in credentials:
        await kept.save_credential(credential)
    made = CredentialBook(kept, FakeSecret(), FakeClock())
    await made.load()
    return made


CREDENTIAL = Credential("CP1", SecurityProfile.BASIC, hashed(KEY))


@pytest.mark.parametrize(
    "password", [KEY, KEY.hex().encode(), KEY.hex().upper().encode()], ids=["raw", "hex", "HEX"]
)
async def test_a_key_is_verified_in_every_form(password: bytes) -> None:
    assert (await book(CREDENTIAL)).verify("CP1", password) == hashed(KEY)


@pytest.mark.parametrize(
    ("charger_id", "password"),
    [
        ("CP1", None),
        ("CP1", b""),
        ("CP1", OTHER),
        ("CP1", KEY[:-1]),
        ("CP1", KEY + b"\0"),
        ("CP1", KEY + b" " * 300),
        ("CP1", "ключ".encode()),
        ("CP2", KEY),
        ("cp1", KEY),
        (None, KEY),
        ("KEYLESS", b""),
        ("KEYLESS", KEY),
    ],
)
async def test_what_is_no_key_of_the_charger_is_not_verified(
    charger_id: str | None, password: bytes | None
) -> None:
    made = await book(CREDENTIAL, Credential("KEYLESS", SecurityProfile.MUTUAL_TLS))
    assert made.verify(charger_id, password) is None


async def test_a_key_longer_than_is_looked_at_is_not_verified_by_its_beginning() -> None:
    long = b"k" * 256
    made = await book(replace(CREDENTIAL, key=hashed(long)))
    assert made.verify("CP1", long) == hashed(long)
    assert made.verify("CP1", long + b"!") is None


async def test_old_and_new_keys_are_good_until_one_of_the_new_is_used() -> None:
    store = MemoryStore()
    made = await book(CREDENTIAL, store=store)
    await made.add_pending("CP1", hashed(OTHER))
    assert made.verify("CP1", KEY) == hashed(KEY)
    assert made.verify("CP1", OTHER) == hashed(OTHER)
    assert await made.proven("CP1", hashed(KEY), SecurityProfile.BASIC) == []
    assert made.verify("CP1", OTHER) is not None
    assert await made.proven("CP1", hashed(OTHER), SecurityProfile.BASIC) == ["key_changed"]
    assert made.verify("CP1", KEY) is None
    kept = await store.load_credentials()
    assert (kept["CP1"].key, kept["CP1"].pending) == (hashed(OTHER), ())


async def test_a_key_that_was_not_taken_is_no_longer_good() -> None:
    made = await book(CREDENTIAL)
    await made.add_pending("CP1", hashed(OTHER))
    await made.drop_pending("CP1", [hashed(OTHER)])
    await made.drop_pending("STRANGER", [hashed(OTHER)])
    assert made.verify("CP1", OTHER) is None
    assert made.verify("CP1", KEY) is not None


async def test_as_many_pending_keys_are_compared_as_there_may_be() -> None:
    keys = [bytes([65 + n]) * 16 for n in range(MOST_PENDING)]
    made = await book(replace(CREDENTIAL, pending=tuple(map(hashed, keys))))
    assert [made.verify("CP1", key) for key in keys] == [hashed(key) for key in keys]


async def test_a_first_key_of_a_charger_nothing_was_said_of() -> None:
    made = await book()
    await made.add_pending("CP1", hashed(KEY))
    assert made.of("CP1") == Credential(
        "CP1", SecurityProfile.NONE, None, (hashed(KEY),), None, START
    )
    changes = await made.proven("CP1", hashed(KEY), SecurityProfile.BASIC)
    assert changes == ["key_changed", "profile_raised"]


async def test_a_profile_is_raised_by_proof_and_never_lowered() -> None:
    made = await book(CREDENTIAL)
    raised = await made.proven("CP1", hashed(KEY), SecurityProfile.TLS_BASIC)
    assert raised == ["profile_raised"]
    assert await made.proven("CP1", hashed(KEY), SecurityProfile.BASIC) == []
    assert await made.proven("CP1", None, SecurityProfile.NONE) == []
    now = made.of("CP1")
    assert now is not None
    assert now.profile is SecurityProfile.TLS_BASIC


async def test_a_certificate_alone_is_remembered() -> None:
    made = await book()
    assert await made.proven("CP1", None, SecurityProfile.MUTUAL_TLS) == ["profile_raised"]
    assert await made.proven("CP2", None, SecurityProfile.NONE) == []
    assert made.of("CP2") is None


async def test_what_cannot_be_written_holds_all_the_same() -> None:
    store = FullStore()
    made = await book(replace(CREDENTIAL, pending=(hashed(OTHER),)), store=store)
    store.full = True
    await made.proven("CP1", hashed(OTHER), SecurityProfile.BASIC)
    assert made.verify("CP1", KEY) is None
    with pytest.raises(StorageError):
        await made.save(CREDENTIAL)
    assert made.verify("CP1", KEY) is None


async def test_a_secret_is_kept_before_a_key_is_hashed_with_it() -> None:
    secret = FakeSecret(kept=False, error=StorageError("no disk"))
    made = CredentialBook(MemoryStore(), secret, FakeClock())
    with pytest.raises(StorageError):
        made.hashed("CP1", KEY)
    secret.error = None
    assert made.hashed("CP1", KEY) == hashed(KEY)
    assert secret.kept


async def test_keys_without_their_secret_are_an_error() -> None:
    store = MemoryStore()
    await store.save_credential(Credential("CP0", SecurityProfile.MUTUAL_TLS))
    made = CredentialBook(store, FakeSecret(kept=False), FakeClock())
    await made.load()
    await store.save_credential(CREDENTIAL)
    with pytest.raises(ConfigError, match="the keys of 1 chargers"):
        await made.load()
