from __future__ import annotations

from dataclasses import replace

import pytest

from csms.dispatch.compliance import Cause, Step
from csms.dispatch.conviction import Conviction
from csms.ports import Store
from csms.station.model import ConnectorKey
from tests.contract.conftest import Reopen
from tests.contract.examples import entry

KEY = ConnectorKey("CP1", 2)
GUILTY = Conviction(
    KEY, Cause.LIMIT, 150_000, 120_000, 50_000, Step.STOP, 1_700_000_000.5, out_of_service=True
)
CLOSED = Conviction(KEY, None, 0, 0, 0, Step.NONE, 0.0, by_hand=True)
PAUSED = Conviction(KEY, None, 0, 0, 0, Step.NONE, 0.0, resumes=True)
IDLE = Conviction(ConnectorKey("CP1", 1), None, 0, 0, 0, Step.UNAVAILABLE, 0.0)


async def test_nobody_was_ever_convicted(store: Store) -> None:
    assert await store.convictions("site") == []


@pytest.mark.parametrize(
    "whole",
    [GUILTY, IDLE, CLOSED, PAUSED, replace(GUILTY, cause=Cause.NO_SESSION, step=Step.RESEND)],
)
async def test_every_field_of_a_conviction_is_kept(store: Store, whole: Conviction) -> None:
    store.convict_later("site", {whole.connector: whole})
    assert await store.convictions("site") == [whole]


async def test_convictions_come_in_the_order_of_their_connectors_and_by_station(
    store: Store,
) -> None:
    store.convict_later("site", {KEY: GUILTY, IDLE.connector: IDLE})
    store.convict_later("other", {KEY: replace(GUILTY, counted_w=1)})
    assert await store.convictions("site") == [IDLE, GUILTY]


async def test_a_conviction_is_replaced_and_deleted(store: Store) -> None:
    store.convict_later("site", {KEY: GUILTY, IDLE.connector: IDLE})
    worse = replace(GUILTY, counted_w=160_000)
    store.convict_later("site", {KEY: worse})
    assert await store.convictions("site") == [IDLE, worse]
    store.convict_later("site", {KEY: None, ConnectorKey("CP9", 1): None})
    assert await store.convictions("site") == [IDLE]
    store.convict_later("site", {})
    assert await store.convictions("site") == [IDLE]


async def test_convictions_and_limits_that_wait_together_are_both_kept(store: Store) -> None:
    store.write_later("site", [entry(1)])
    store.convict_later("site", {KEY: GUILTY})
    store.write_later("site", [entry(2)])
    assert await store.convictions("site") == [GUILTY]
    assert await store.load("site") == [entry(1), entry(2)]


async def test_convictions_are_there_after_a_restart(new_store: Reopen) -> None:
    first = new_store()
    await first.open()
    first.convict_later("site", {KEY: GUILTY})
    await first.close()
    second = new_store()
    await second.open()
    assert await second.convictions("site") == [GUILTY]
    await second.close()
