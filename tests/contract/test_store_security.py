"""What every store keeps of the security of chargers."""

from __future__ import annotations

from dataclasses import replace

from csms.ports import Credential, SecurityEvent, SecurityProfile, Store
from tests.contract.conftest import Reopen

FULL = Credential("CP1", SecurityProfile.TLS_BASIC, "aa", ("bb", "cc"), "SN-1", 17.5)


def event(number: int, charger_id: str = "CP1") -> SecurityEvent:
    return SecurityEvent(float(number), "refused", charger_id, "10.0.0.1", f"why {number}\0")


async def test_nothing_is_known_at_first(store: Store) -> None:
    assert await store.load_credentials() == {}
    assert await store.security_events() == []


async def test_credentials_are_kept_whole_and_replaced(store: Store) -> None:
    bare = Credential("CP0", SecurityProfile.NONE)
    await store.save_credential(Credential("CP1"))
    await store.save_credential(FULL)
    await store.save_credential(bare)
    assert await store.load_credentials() == {"CP0": bare, "CP1": FULL}
    await store.save_credential(replace(FULL, pending=(), common_name=None))
    assert (await store.load_credentials())["CP1"].pending == ()


async def test_credentials_survive(new_store: Reopen) -> None:
    first = new_store()
    await first.open()
    await first.save_credential(FULL)
    first.security_event(event(1))
    await first.close()
    second = new_store()
    await second.open()
    assert await second.load_credentials() == {"CP1": FULL}
    assert len(await second.security_events()) == 1
    await second.close()


async def test_security_events_come_newest_first_and_by_page(store: Store) -> None:
    for number in range(5):
        store.security_event(event(number, "CP1" if number % 2 else "CP2"))
    found = await store.security_events()
    assert [e.at for e in found] == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert [e.number for e in found] == sorted((e.number for e in found), reverse=True)
    page = await store.security_events(limit=2, before=found[1].number)
    assert page == found[2:4]
    assert [e.at for e in await store.security_events(charger_id="CP1")] == [3.0, 1.0]
    assert await store.security_events(charger_id="CP1", before=found[3].number) == []
    assert await store.security_events(limit=0) == []
    assert await store.security_events(limit=-1) == []


async def test_what_outsiders_say_is_kept_without_harm(store: Store) -> None:
    store.security_event(SecurityEvent(1.0, "refused", "'; DROP", "::1", "lone \ud800"))
    (kept,) = await store.security_events()
    assert (kept.kind, kept.charger_id, kept.address) == ("refused", "'; DROP", "::1")
