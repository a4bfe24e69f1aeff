from __future__ import annotations

from dataclasses import replace

import pytest

from csms.ports import Quarantined, Store
from tests.contract.conftest import Reopen


def item(number: int, charger_id: str = "CP1") -> Quarantined:
    return Quarantined(charger_id, 1_700_000_000.25 + number, "StopTransaction", "why", f"{number}")


async def test_the_newest_of_a_charger_come_oldest_first(store: Store) -> None:
    for number in range(4):
        assert await store.quarantine(item(number))
    assert await store.quarantine(item(9, "CP2"))

    assert await store.quarantined("CP1", limit=3) == [item(1), item(2), item(3)]
    assert await store.quarantined("CP2") == [item(9, "CP2")]
    assert await store.quarantined("CP3") == []
    assert await store.quarantined("CP1", limit=0) == []


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"at": 5.0}, False),
        ({"reason": "other"}, True),
        ({"payload": "other"}, True),
        ({"action": "StartTransaction"}, True),
        ({"charger_id": "CP2"}, True),
    ],
)
async def test_the_same_is_kept_once(store: Store, change: dict[str, object], kept: bool) -> None:
    assert await store.quarantine(item(1))
    assert await store.quarantine(replace(item(1), **change)) is kept  # type: ignore[arg-type]
    assert (await store.quarantined("CP1"))[0] == item(1)


async def test_it_outlives_the_store(new_store: Reopen) -> None:
    first = new_store()
    await first.open()
    await first.quarantine(item(1))
    await first.close()
    second = new_store()
    await second.open()
    assert await second.quarantined("CP1") == [item(1)]
    await second.close()
