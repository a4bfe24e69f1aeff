"""What is known of how chargers take limits, and where it is kept."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from csms.control.capabilities import CapabilityBook
from csms.dispatch.capability import Capability, Proof
from csms.dispatch.commands import Form, Purpose
from csms.dispatch.commissioning import Lessons
from csms.errors import StorageError
from csms.ports import ModelKey
from csms.station.model import RateUnit, Told
from csms.station.state import ChargerState
from csms.storage.memory import MemoryStore
from tests.stations import charger

A, B = charger("A"), charger("B")
FAST = ChargerState(vendor="ACME", model="Fast", firmware="1.2")
MODEL: ModelKey = ("ACME", "Fast", "1.2")
NAMELESS = ChargerState()
WORKS = Form(Purpose.DEFAULT, RateUnit.WATTS)
LEARNED = Capability(session_form=WORKS, answers=Proof.YES)


class BrokenStore(MemoryStore):
    """A store that keeps no capability."""

    async def save_capability(self, charger_id: str, document: object) -> None:
        raise StorageError("disk full")


def test_nothing_is_known_of_a_charger_that_is_new() -> None:
    assert CapabilityBook(MemoryStore()).of(A, FAST) == Capability()


def test_what_was_learned_is_known_and_is_news_once() -> None:
    book = CapabilityBook(MemoryStore())
    assert book.learned(A, FAST, LEARNED)
    assert book.of(A, FAST) == LEARNED
    assert not book.learned(A, FAST, LEARNED)


def test_a_model_is_the_first_guess_for_a_charger_of_which_nothing_was_learned() -> None:
    book = CapabilityBook(MemoryStore())
    book.learned(A, FAST, LEARNED)
    assert book.of(B, FAST) == LEARNED
    assert book.of(B, replace(FAST, firmware="1.3")) == Capability()
    own = Capability(answers=Proof.YES, session_form=Form(Purpose.SESSION, RateUnit.WATTS))
    book.learned(B, FAST, own)
    assert book.of(A, FAST) == LEARNED
    assert book.of(B, FAST) == own


def test_a_charger_that_did_not_say_who_it_is_teaches_nothing_of_others() -> None:
    book = CapabilityBook(MemoryStore())
    book.learned(A, NAMELESS, LEARNED)
    assert book.of(A, NAMELESS) == LEARNED
    assert book.of(B, NAMELESS) == Capability()


def test_hints_count_less_than_what_was_learned_and_newer_ones_more_than_older() -> None:
    book = CapabilityBook(MemoryStore())
    book.hinted("A", Capability(unit=RateUnit.AMPERES, max_stack_level=3))
    book.hinted("A", Capability(max_stack_level=5))
    hinted = book.of(A, FAST)
    assert (hinted.unit, hinted.max_stack_level) == (RateUnit.AMPERES, 5)
    book.learned(A, FAST, replace(hinted, unit=RateUnit.WATTS))
    book.hinted("A", Capability(unit=RateUnit.AMPERES))
    assert (book.of(A, FAST).unit, book.of(A, FAST).max_stack_level) == (RateUnit.WATTS, 5)


def test_what_is_configured_is_neither_learned_nor_lost() -> None:
    book = CapabilityBook(MemoryStore())
    configured = replace(A, capabilities=Told(lease=True, survives_reboot=False))
    book.learned(configured, FAST, replace(book.of(configured, FAST), session_form=WORKS))
    assert book.of(configured, FAST).lease is Proof.YES
    assert book.of(configured, FAST).survives_reboot is Proof.NO
    # The line is taken out of the station file.
    assert book.of(A, FAST).lease is Proof.UNKNOWN
    assert book.of(A, FAST).survives_reboot is Proof.UNKNOWN
    assert book.of(A, FAST).session_form == WORKS


def test_a_proof_of_obedience_is_learned_where_nothing_is_configured() -> None:
    book = CapabilityBook(MemoryStore())
    book.learned(A, FAST, Capability(lease=Proof.YES))
    assert book.of(A, FAST).lease is Proof.YES
    book.learned(A, FAST, Capability(session_form=WORKS))
    assert book.of(A, FAST).lease is Proof.UNKNOWN


async def test_what_is_kept_is_known_after_a_restart() -> None:
    store = MemoryStore()
    book = CapabilityBook(store)
    book.hinted("A", Capability(max_stack_level=3))
    book.learned(A, FAST, LEARNED)
    await book.keep("A", FAST)
    book.learned(B, NAMELESS, LEARNED)
    await book.keep("B", NAMELESS)
    assert list(await store.load_capabilities()) == ["A", "B"]
    assert list(await store.load_model_capabilities()) == [MODEL]
    again = CapabilityBook(store)
    await again.load()
    assert again.of(A, FAST) == again.of(B, NAMELESS) == again.of(charger("C"), FAST) == LEARNED


async def test_a_store_that_fails_loses_the_lesson_only() -> None:
    book = CapabilityBook(BrokenStore())
    book.learned(A, FAST, LEARNED)
    with capture_logs() as logs:
        await book.keep("A", FAST)
    assert [(e["event"], e["charger"], e["error"]) for e in logs] == [
        ("capability_not_kept", "A", "disk full")
    ]
    assert book.of(A, FAST) == LEARNED


def test_what_a_test_has_shown_is_known_of_the_charger_and_doubts_of_its_model() -> None:
    book = CapabilityBook(MemoryStore())
    book.learned(A, FAST, LEARNED)
    shown = Lessons(lease=Proof.YES, survives_reconnect=Proof.YES, survives_reboot=Proof.NO)
    known = book.commissioned(A, FAST, shown)
    assert known == replace(
        LEARNED, lease=Proof.YES, survives_reconnect=Proof.YES, survives_reboot=Proof.NO
    )
    # Another of the model begins with what is known of that, and was not tested itself.
    assert book.of(B, FAST) == replace(LEARNED, survives_reboot=Proof.NO)
    assert book.commissioned(B, FAST, Lessons(lease=Proof.NO)) == replace(
        LEARNED, lease=Proof.NO, survives_reboot=Proof.NO
    )
    assert book.of(A, FAST) == known
    told = replace(A, capabilities=Told(lease=True))
    assert book.commissioned(told, FAST, Lessons(lease=Proof.NO)).lease is Proof.YES
    assert book.commissioned(charger("C"), NAMELESS, shown).answers is Proof.YES
    assert book.of(charger("D"), NAMELESS) == Capability()


async def test_what_was_proved_on_another_firmware_is_not_believed() -> None:
    store = MemoryStore()
    book = CapabilityBook(store)
    book.learned(A, FAST, LEARNED)
    known = book.commissioned(A, FAST, Lessons(lease=Proof.YES, survives_reboot=Proof.NO))
    await book.keep("A", FAST)
    newer, doubted = replace(FAST, firmware="1.3"), replace(known, lease=Proof.UNKNOWN)
    assert book.of(A, newer) == doubted
    again = CapabilityBook(store)
    await again.load()
    assert again.of(A, FAST) == known
    assert again.of(B, FAST).lease is Proof.UNKNOWN
    assert again.of(A, newer) == doubted
    # What is learned from then on is not proved by it either.
    again.learned(A, newer, replace(doubted, unit=RateUnit.WATTS))
    await again.keep("A", newer)
    assert again.of(A, FAST).lease is Proof.UNKNOWN
    assert again.commissioned(A, newer, Lessons(lease=Proof.YES)).lease is Proof.YES


async def test_a_proof_of_which_the_firmware_was_not_kept_is_not_believed() -> None:
    store = MemoryStore()
    await store.save_capability("A", {"lease": "yes"})
    await store.save_model_capability(MODEL, {"lease": "yes", "survivesReboot": "no"})
    book = CapabilityBook(store)
    await book.load()
    assert book.of(A, FAST).lease is Proof.UNKNOWN
    assert book.of(B, FAST) == Capability(survives_reboot=Proof.NO)
