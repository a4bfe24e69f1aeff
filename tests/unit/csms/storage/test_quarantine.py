from __future__ import annotations

from dataclasses import replace

from csms.ports import Quarantined
from csms.storage import quarantine
from tests.unit.csms.storage.databases import connected, plan


def item(number: int) -> Quarantined:
    return Quarantined("CP1", float(number), "StopTransaction", "why", f'{{"n": {number}}}')


def test_the_same_is_kept_once() -> None:
    with connected() as connection:
        assert quarantine.save(connection, item(1))
        assert not quarantine.save(connection, replace(item(1), at=9.0))
        assert quarantine.save(connection, replace(item(1), reason="another"))
        assert quarantine.save(connection, replace(item(1), charger_id="CP2"))
        assert len(quarantine.newest(connection, "CP1", 10)) == 2


def test_no_character_costs_a_message() -> None:
    with connected() as connection:
        assert quarantine.save(connection, replace(item(1), payload="\ud800\0"))
        assert quarantine.newest(connection, "CP1", 10)[0].payload == "?\ufffd"


def test_pruning_keeps_the_newest_and_deletes_no_more_than_it_may() -> None:
    with connected() as connection:
        for number in range(10):
            quarantine.save(connection, item(number))
        quarantine.prune(connection, kept=3, at_most=2)
        assert quarantine.newest(connection, "CP1", 100) == [item(n) for n in range(2, 10)]
        quarantine.prune(connection, kept=3, at_most=1_000)
        assert quarantine.newest(connection, "CP1", 100) == [item(7), item(8), item(9)]


def test_reading_and_pruning_use_indexes() -> None:
    with connected() as connection:
        newest = plan(connection, quarantine._newest)  # noqa: SLF001
        assert "ix_quarantine_charger (charger_id=?)" in newest
        assert "TEMP B-TREE" not in newest
        assert "SCAN" not in plan(connection, quarantine._prune)  # noqa: SLF001
