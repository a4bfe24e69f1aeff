"""Who may come in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from csms.control.attempts import AttemptLimits
from csms.control.credentials import CredentialBook
from csms.control.doorkeeper import DoorKeeper, DoorSettings
from csms.ports import (
    Admission,
    Approach,
    CertificateNames,
    Credential,
    Doorkeeper,
    Gate,
    SecurityProfile,
)
from csms.storage.memory import MemoryStore
from tests.unit.csms.control.fakes import FakeClock
from tests.unit.csms.control.test_credentials import KEY, OTHER, FakeSecret, hashed
from tests.unit.csms.protocol.fakes import pass_time, virtual

HERE = "10.0.0.1"
LIMITS = AttemptLimits(per_source_per_min=20, per_charger_per_min=4)


@dataclass
class KnownGate:
    """`ports.Gate` that knows the chargers whose names begin with CP."""

    knocked: list[str] = field(default_factory=list)
    admitted: list[str] = field(default_factory=list)
    shut: bool = False
    charging: set[str] = field(default_factory=set)

    async def admit(self, charger_id: str, address: str) -> bool:
        if self.shut or not charger_id.startswith("CP"):
            self.turned_away(charger_id, address)
            return False
        self.admitted.append(charger_id)
        return True

    def known_as(self, names: Sequence[str]) -> str | None:
        return next((name.upper() for name in names if name.upper().startswith("CP")), None)

    def turned_away(self, charger_id: str, address: str) -> None:
        if not charger_id.startswith("CP"):
            self.knocked.append(charger_id)

    def has_session(self, charger_id: str) -> bool:
        return charger_id in self.charging

    def registered(self, charger_id: str) -> bool:
        return False


@dataclass
class Entrance:
    """A door with what is behind it."""

    door: DoorKeeper
    gate: KnownGate
    store: MemoryStore
    clock: FakeClock
    changed: list[str]

    async def judge(self, charger_id: str | None = "CP1", **shown: Any) -> Admission:
        approach = Approach(charger_id, shown.pop("address", HERE), **shown)
        return await self.door.judge(approach)

    async def lets_in(self, charger_id: str | None = "CP1", **shown: Any) -> bool:
        return await self.judge(charger_id, **shown) is Admission.ADMITTED

    async def enter(self, charger_id: str = "CP1") -> Admission:
        """It comes, and goes in when it is admitted."""
        found = await self.judge(charger_id)
        if found is Admission.ADMITTED:
            self.door.came(charger_id, HERE)
        return found

    async def events(self) -> list[tuple[str, str, str]]:
        """Kind, charger and text, oldest first."""
        self.door.tell_refusals()
        found = reversed(await self.store.security_events())
        return [(e.kind, e.charger_id, e.text) for e in found]


async def entrance(
    *credentials: Credential, anonymous: bool = False, organisation: str | None = None
) -> Entrance:
    gate, store, clock = KnownGate(), MemoryStore(), FakeClock()
    for credential in credentials:
        await store.save_credential(credential)
    book = CredentialBook(store, FakeSecret(), clock)
    await book.load()
    changed: list[str] = []
    settings = DoorSettings(anonymous, organisation, LIMITS)
    door = DoorKeeper(gate, book, store, clock, settings, changed.append)
    as_ports: tuple[Doorkeeper, Gate] = door, gate
    assert len(as_ports) == 2
    return Entrance(door, gate, store, clock, changed)


def must(profile: int, *, key: bytes | None = KEY, **more: Any) -> Credential:
    kept = None if key is None else hashed(key)
    return Credential("CP1", SecurityProfile(profile), kept, **more)


async def test_the_gate_knows_who_is_meant() -> None:
    it = await entrance()
    assert it.door.known_as(["X9", "cp1", "CP2"]) == "CP1"
    assert it.door.known_as(["X9"]) is None


async def test_a_charger_that_must_show_something_is_known_by_its_exact_name() -> None:
    it = await entrance(must(1))
    assert it.door.known_as(["cp1"]) is None
    assert it.door.known_as(["X9", "CP1"]) == "CP1"
    assert it.door.known_as(["cp2"]) == "CP2"


async def test_a_charger_that_comes_again_and_again_is_told_to_wait_and_told_of() -> None:
    it = await entrance(anonymous=True)
    found = [await it.enter() for _ in range(12)]
    assert found == [Admission.ADMITTED] * 10 + [Admission.TOO_MANY] * 2
    assert [event[:2] for event in await it.events()] == [("reconnects_too_often", "CP1")]
    assert await it.lets_in("CP2")
    it.clock.advance(61.0)
    assert await it.lets_in()


async def test_a_charger_that_waits_for_its_place_in_a_storm_is_not_counted() -> None:
    it = await entrance(anonymous=True)
    for _ in range(200):
        assert await it.lets_in()
        it.clock.advance(1.0)
    assert await it.events() == []


async def test_a_charger_that_is_closed_while_the_database_is_down_is_not_kept_out() -> None:
    it = await entrance(anonymous=True)
    for _ in range(120):
        assert await it.enter() is Admission.ADMITTED
        it.clock.advance(30.0)
        it.door.sent_away("CP1", HERE)
    assert await it.events() == []


async def test_a_charger_that_is_charging_is_kept_out_for_a_minute_at_most() -> None:
    it = await entrance(anonymous=True)
    it.gate.charging.add("CP1")
    for _ in range(70):
        assert await it.enter() is Admission.ADMITTED
        it.clock.advance(30.0)
    it.gate.charging.clear()
    assert not await it.lets_in()
    assert [event[:2] for event in await it.events()] == [("quarantined", "CP1")]


MINE = CertificateNames("CP1", "ACME")

# What a charger comes with, and the profile that proves.
WAYS: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"secure": True}, 0),
    ({"password": KEY}, 1),
    ({"password": KEY, "secure": True}, 2),
    ({"certificate": MINE, "secure": True}, 3),
    ({"certificate": MINE, "secure": True, "password": KEY}, 3),
    ({"certificate": MINE, "secure": True, "password": OTHER}, 3),
]


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("least", [0, 1, 2, 3])
@pytest.mark.parametrize(("shown", "proves"), WAYS)
async def test_a_charger_comes_in_with_no_less_than_it_must(
    shown: dict[str, Any], proves: int, least: int, *, anonymous: bool
) -> None:
    at = await entrance(must(least), anonymous=anonymous)
    expected = proves >= max(least, 0 if anonymous else 1)
    assert await at.lets_in(**shown) is expected
    assert at.gate.admitted == (["CP1"] if expected else [])


@pytest.mark.parametrize("least", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "shown",
    [
        {"password": OTHER},
        {"password": b""},
        {"password": OTHER, "secure": True},
        {"certificate": CertificateNames("CP2", "ACME"), "secure": True},
        {"certificate": CertificateNames("CP2"), "secure": True, "password": KEY},
        {"certificate": CertificateNames(""), "secure": True},
    ],
)
async def test_what_is_false_is_refused_whatever_would_do(
    shown: dict[str, Any], least: int
) -> None:
    at = await entrance(must(least), anonymous=True)
    assert not await at.lets_in(**shown)
    assert [kind for kind, *_ in await at.events()] == ["authentication_failed"]
    assert at.gate.admitted == []


async def test_without_proof_nobody_comes_in_unless_it_was_said() -> None:
    at = await entrance()
    assert not await at.lets_in()
    assert await at.events() == [
        ("authentication_failed", "CP1", "came with security profile 0, must have 1")
    ]
    assert await (await entrance(anonymous=True)).lets_in()


async def test_a_header_of_a_charger_without_a_key_is_not_looked_at() -> None:
    assert await (await entrance(anonymous=True)).lets_in(password=OTHER)
    assert not await (await entrance(anonymous=False)).lets_in(password=OTHER)


async def test_a_certificate_of_the_ca_is_proof_for_a_charger_nothing_was_said_of() -> None:
    at = await entrance(anonymous=True)
    assert await at.lets_in(certificate=MINE, secure=True)
    assert not await at.lets_in()
    assert (await at.events())[0] == (
        "profile_raised",
        "CP1",
        "it came in with security profile 3",
    )


async def test_names_in_certificates() -> None:
    at = await entrance(must(3, common_name="SN-7"), organisation="ACME")
    assert await at.lets_in(certificate=CertificateNames("SN-7", "ACME"), secure=True)
    assert not await at.lets_in(certificate=CertificateNames("CP1", "ACME"), secure=True)
    assert not await at.lets_in(certificate=CertificateNames("SN-7", "EVIL"), secure=True)
    assert not await at.lets_in(certificate=CertificateNames("SN-7"), secure=True)
    assert [text for *_, text in await at.events()] == [
        "the certificate is of 'CP1'",
        "the certificate is of the organisation 'EVIL'",
        "the certificate is of the organisation ''",
    ]


async def test_a_pending_key_takes_over_when_it_is_used() -> None:
    at = await entrance(must(1, pending=(hashed(OTHER),)))
    assert await at.lets_in(password=KEY)
    assert at.changed == []
    assert await at.lets_in(password=OTHER)
    assert at.changed == ["CP1"]
    assert not await at.lets_in(password=KEY)
    assert [kind for kind, *_ in await at.events()] == ["key_changed", "authentication_failed"]


async def test_no_way_back_to_a_lower_profile() -> None:
    at = await entrance(must(1))
    assert await at.lets_in(password=KEY)
    assert await at.lets_in(password=KEY, secure=True)
    assert not await at.lets_in(password=KEY)
    assert (await at.events())[-1] == (
        "authentication_failed",
        "CP1",
        "came with security profile 1, must have 2",
    )


@pytest.mark.parametrize("anonymous", [False, True])
async def test_unknown_and_impossible_names_are_refused_as_a_wrong_key_is(
    *, anonymous: bool
) -> None:
    at = await entrance(must(1), anonymous=anonymous)
    for name in ("CP1", "X", None):
        assert await at.judge(name, password=OTHER) is Admission.REFUSED
    at.door.tell_refusals()
    assert at.gate.knocked == ["X"]


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("password", [None, OTHER])
async def test_an_unknown_and_a_known_name_come_to_their_limit_alike(
    password: bytes | None, *, anonymous: bool
) -> None:
    at = await entrance(must(2), anonymous=anonymous)
    seen = [[await at.judge(name, password=password) for _ in range(8)] for name in ("CP1", "X")]
    assert seen[0] == seen[1]
    limited = not anonymous or password is not None
    assert (Admission.TOO_MANY in seen[0]) is limited


async def test_at_the_limit_not_even_the_right_key_is_looked_at_from_there() -> None:
    at = await entrance(must(1))
    for _ in range(6):
        await at.judge(password=OTHER)
    assert await at.judge(password=KEY) is Admission.TOO_MANY
    assert await at.judge(password=KEY, address="10.0.0.2") is Admission.ADMITTED
    at.clock.advance(60.0)
    assert await at.judge(password=KEY) is Admission.ADMITTED
    told = [kind for kind, *_ in await at.events()]
    assert (
        told == ["authentication_failed"] * 4 + ["too_many_attempts"]
        or told.count("too_many_attempts") == 1
    )


async def test_a_charger_that_was_let_in_before_is_not_held_up_by_others() -> None:
    at = await entrance(must(1))
    assert await at.lets_in(password=KEY)
    for number in range(50):
        await at.judge(f"X{number}", password=OTHER)
    assert await at.judge("X99", password=OTHER) is Admission.TOO_MANY
    assert await at.lets_in(password=KEY)


async def test_nor_by_wrong_keys_in_its_own_name() -> None:
    at = await entrance(must(1))
    assert await at.lets_in(password=KEY)
    for _ in range(50):
        assert await at.judge(password=OTHER) is Admission.REFUSED
    assert await at.lets_in(password=KEY)


async def test_a_charger_kept_out_for_other_reasons_has_not_failed() -> None:
    at = await entrance(must(1))
    at.gate.shut = True
    assert [await at.judge(password=KEY) for _ in range(10)] == [Admission.REFUSED] * 10
    assert await at.events() == []
    at.gate.shut = False
    assert await at.lets_in(password=KEY)


@virtual
async def test_a_refusal_is_told_a_moment_after_the_answer() -> None:
    at = await entrance(must(1))
    for _ in range(2):
        await at.judge(password=OTHER)
        assert await at.store.security_events() == []
    await pass_time(0.1)
    assert len(await at.store.security_events()) == 2
    await at.judge(password=OTHER)
    await pass_time(0.1)
    assert len(await at.store.security_events()) == 3


async def test_browsers_and_failed_tls_are_events() -> None:
    at = await entrance()
    at.door.turned_away("browser_refused", HERE, "an Origin header")
    at.door.turned_away("tls_failed", "", "no shared cipher")
    assert await at.events() == [
        ("browser_refused", "", "an Origin header"),
        ("tls_failed", "", "no shared cipher"),
    ]


async def test_events_that_outsiders_cause_are_bounded() -> None:
    at = await entrance()
    for number in range(2_000):
        await at.judge(f"X{number}", password=OTHER)
        at.door.turned_away("browser_refused", HERE, "an Origin header")
        at.door.turned_away("tls_failed", "", "no shared cipher")
    assert len(await at.events()) <= 2 * 20 + 10


async def test_the_reminder_goes_on_until_it_is_cancelled() -> None:
    at = await entrance(anonymous=True)
    async with asyncio.TaskGroup() as tasks:
        reminder = tasks.create_task(at.door.remind())
        await asyncio.sleep(0)
        assert not reminder.done()
        reminder.cancel()
