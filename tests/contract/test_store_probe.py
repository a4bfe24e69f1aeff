"""The write that shows that the database takes writes."""

from __future__ import annotations

from csms.ports import Store


async def test_a_probe_may_be_written_again_and_again(store: Store) -> None:
    await store.probe(1.0)
    await store.probe(2.0)


async def test_the_free_share_of_the_disk_is_a_share(store: Store) -> None:
    share = store.free_share()
    assert share is None or 0 <= share <= 1
