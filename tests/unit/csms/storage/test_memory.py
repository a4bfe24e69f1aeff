"""What only the memory store does; the contract suite tests the rest."""

from __future__ import annotations

from csms.ports import Frame, Store
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.storage import MemoryStore

KEY = ConnectorKey("CP1", 1)


def test_it_is_a_store() -> None:
    store: Store = MemoryStore()
    assert isinstance(store, MemoryStore)


async def test_frames_are_bounded_exactly_for_all_chargers_together() -> None:
    store = MemoryStore(frames_kept=3)
    for number in range(5):
        store.frame(Frame(f"CP{number % 2}", float(number), inbound=True, text=""))

    assert [f.at for f in await store.frames("CP0")] == [2.0, 4.0]
    assert [f.at for f in await store.frames("CP1")] == [3.0]


async def test_samples_are_bounded_for_each_session() -> None:
    store = MemoryStore(samples_kept=2)
    for number in range(5):
        store.sample("a", MeterSample(KEY, at=float(number)))
    store.sample("b", MeterSample(KEY, at=9.0))

    assert [s.at for s in await store.samples("a")] == [3.0, 4.0]
    assert [s.at for s in await store.samples("b")] == [9.0]


async def test_it_needs_no_opening() -> None:
    store = MemoryStore()
    store.frame(Frame("CP1", 1.0, inbound=True, text="x"))
    await store.close()
    await store.open()

    assert len(await store.frames("CP1")) == 1
