from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from csms.errors import StorageError
from csms.ports import Losses, Store, StoredSession, TokenStatus
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.station.register import Register
from tests.contract.examples import sample, session


async def starts(store: Store, *sessions: StoredSession) -> list[StoredSession]:
    """Start all of them at the same time; what each caller got, in the order of the calls."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(store.start(each)) for each in sessions]
    return [task.result() for task in tasks]


async def test_a_started_session_is_found_and_runs(store: Store) -> None:
    first = session(1, id_status=TokenStatus.BLOCKED, vehicle_max_w=22_000)

    assert await store.start(first) == first
    assert await store.find("CP1", 1001) == first
    assert await store.running() == [first]
    assert await store.ended("site") == []


async def test_every_field_of_a_session_is_kept(store: Store) -> None:
    whole = StoredSession(
        session_id="a-0",
        transaction_id=2_147_483_647,
        station_id="north yard",
        connector=ConnectorKey("CP/é", 2),
        id_token="ÄÖ-7",  # noqa: S106
        id_status=TokenStatus.CONCURRENT_TX,
        started_at=1_700_000_000.123456,
        meter_start_wh=9_000_000_000,
        start_timestamp="2023-11-14T22:13:20.000+01:00",
        vehicle_max_w=150_000,
        meter_wh=9_000_000_500,
        ended_at=1_700_000_900.654321,
        meter_stop_wh=9_000_001_000,
        reason="EVDisconnected",
        stop_timestamp="2023-11-14T22:28:20Z",
        id_expires_at=1_800_000_000.5,
        parent_id_token="FAMILY",  # noqa: S106
        meter_start_told=False,
        meter_before_wh=9_000_000_100,
        meter_fresh_from_wh=7,
        meter_fresh_wh=400,
    )

    await store.start(whole)

    assert await store.find("CP/é", 2_147_483_647) == whole


async def test_a_session_is_found_only_by_its_own_charger(store: Store) -> None:
    await store.start(session(1))

    assert await store.find("CP2", 1001) is None
    assert await store.find("CP1", 1002) is None


async def test_the_same_start_again_gives_the_first_session(store: Store) -> None:
    first = await store.start(session(1))
    repeated = replace(first, session_id="other", transaction_id=77, started_at=1.0)

    assert await store.start(repeated) == first
    assert await store.find("CP1", 77) is None
    assert await store.running() == [first]


async def test_the_same_start_with_the_same_ids_gives_the_first_session(store: Store) -> None:
    first = await store.start(session(1))

    assert await store.start(session(1, id_status=TokenStatus.CONCURRENT_TX)) == first


async def test_the_same_start_after_the_end_gives_the_ended_session(store: Store) -> None:
    first = await store.start(session(1))
    ended = await store.end("session-0001", ended_at=9.0, meter_stop_wh=6000, reason="Local")

    assert await store.start(replace(first, session_id="x", transaction_id=5)) == ended
    assert await store.running() == []


@pytest.mark.parametrize(
    "change",
    [
        {"connector": ConnectorKey("CP2", 1)},
        {"connector": ConnectorKey("CP1", 2)},
        {"id_token": "TAG2"},
        {"start_timestamp": "1970-01-01T00:00:00Z"},
        {"meter_start_wh": 5001},
    ],
)
async def test_any_other_start_is_a_session_of_its_own(
    store: Store, change: dict[str, object]
) -> None:
    first = await store.start(session(1))
    second = replace(first, session_id="other", transaction_id=2)
    second = replace(second, **change)  # type: ignore[arg-type]

    assert await store.start(second) == second
    assert len(await store.running()) == 2


async def test_concurrent_starts_with_one_key_give_one_session(store: Store) -> None:
    proposals = [replace(session(1), session_id=f"s{n}", transaction_id=n + 1) for n in range(20)]

    got = await starts(store, *proposals)

    assert len({each.session_id for each in got}) == 1
    assert await store.running() == [got[0]]


async def test_many_concurrent_starts_are_all_kept(store: Store) -> None:
    proposals = [session(n) for n in range(100)]

    assert await starts(store, *proposals) == proposals
    assert await store.running() == proposals


@pytest.mark.parametrize("taken", [{"session_id": "session-0001"}, {"transaction_id": 1001}])
async def test_a_taken_id_is_refused(store: Store, taken: dict[str, object]) -> None:
    first = await store.start(session(1))
    other = replace(session(2), **taken)  # type: ignore[arg-type]

    with pytest.raises(StorageError, match="taken by another session"):
        await store.start(other)

    assert await store.running() == [first]
    assert await store.start(session(2)) == session(2)


async def test_the_end_is_kept(store: Store) -> None:
    first = await store.start(session(1))
    expected = replace(
        first,
        ended_at=1_700_000_500.5,
        meter_stop_wh=17_345,
        reason="Remote",
        stop_timestamp="2023-11-14T22:21:40.5Z",
    )

    ended = await store.end(
        "session-0001",
        ended_at=1_700_000_500.5,
        meter_stop_wh=17_345,
        reason="Remote",
        timestamp="2023-11-14T22:21:40.5Z",
    )

    assert ended == expected
    assert ended is not None
    assert ended.energy_wh == 12_345
    assert await store.running() == []
    assert await store.ended("site") == [expected]
    assert await store.find("CP1", 1001) == expected


async def test_the_first_end_wins(store: Store) -> None:
    await store.start(session(1))
    first = await store.end("session-0001", ended_at=10.0, meter_stop_wh=None, reason="PowerLoss")

    second = await store.end("session-0001", ended_at=20.0, meter_stop_wh=9, reason="Local")

    assert first is not None
    assert first.reason == "PowerLoss"
    assert second == first
    assert await store.ended("site") == [first]


async def presume(store: Store, session_id: str, at: float) -> StoredSession:
    presumed = await store.end(
        session_id, ended_at=at, meter_stop_wh=None, reason="Available", timestamp=None
    )
    assert presumed is not None
    return presumed


async def test_a_stop_has_the_last_word_over_a_presumed_end(store: Store) -> None:
    await store.start(session(1))
    presumed = await presume(store, "session-0001", 10.0)
    assert (presumed.provisional, presumed.ended_at, presumed.reason) == (True, 10.0, "Available")
    assert await store.running() == []
    assert await presume(store, "session-0001", 20.0) == presumed

    stopped = await store.end(
        "session-0001", ended_at=30.0, meter_stop_wh=5600, reason="PowerLoss", timestamp="T"
    )

    assert stopped is not None
    assert (stopped.provisional, stopped.ended_at, stopped.reason) == (False, 30.0, "PowerLoss")
    assert (stopped.energy_wh, stopped.stop_timestamp) == (600, "T")
    assert await presume(store, "session-0001", 40.0) == stopped
    assert await store.ended("site") == [stopped]


async def test_a_session_may_begin_as_one_that_is_over(store: Store) -> None:
    over = session(1, ended_at=1_700_000_100.0, reason="Superseded")

    assert await store.start(over) == over
    assert await store.running() == []
    assert await store.ended("site") == [over]
    assert over.provisional


async def test_unfinished_sessions_are_those_never_stopped(store: Store) -> None:
    for number in range(1, 6):
        await store.start(session(number))
    await store.start(session(6, connector=ConnectorKey("CP2", 1)))
    await presume(store, "session-0004", 10.0)
    await presume(store, "session-0001", 20.0)
    await store.end("session-0003", ended_at=30.0, meter_stop_wh=1, reason="Local")

    unfinished = [s.transaction_id for s in await store.unfinished("CP1")]
    assert unfinished == [1005, 1002, 1001, 1004]
    assert [s.transaction_id for s in await store.unfinished("CP1", limit=3)] == [1005, 1002, 1001]
    assert await store.unfinished("CP1", limit=0) == []
    assert await store.unfinished("CP3") == []


async def test_sessions_are_found_by_the_time_of_their_stop(store: Store) -> None:
    for number in (2, 1, 3, 4):
        await store.start(session(number))
    for number, timestamp in ((1, "T"), (2, "T"), (3, "t")):
        await store.end(
            f"session-{number:04}",
            ended_at=1.0,
            meter_stop_wh=number,
            reason="Local",
            timestamp=timestamp,
        )

    assert [s.transaction_id for s in await store.stopped("CP1", "T")] == [1001, 1002]
    assert await store.stopped("CP2", "T") == []


async def test_the_end_of_no_session_is_none(store: Store) -> None:
    assert await store.end("nobody", ended_at=1.0, meter_stop_wh=1, reason="Local") is None


async def test_running_is_in_order_of_start(store: Store) -> None:
    for number in (3, 1, 2):
        await store.start(session(number))

    assert [s.transaction_id for s in await store.running()] == [1001, 1002, 1003]


async def test_ended_sessions_come_newest_end_first_in_pages(store: Store) -> None:
    for number in range(1, 6):
        await store.start(session(number))
        await store.end(
            f"session-{number:04}", ended_at=float(number * 10), meter_stop_wh=0, reason="Local"
        )
    await store.start(session(6, station_id="elsewhere"))
    await store.end("session-0006", ended_at=60.0, meter_stop_wh=0, reason="Local")

    first = await store.ended("site", limit=2)
    second = await store.ended("site", limit=2, before=first[-1].ended_at)

    assert [s.ended_at for s in first] == [50.0, 40.0]
    assert [s.ended_at for s in second] == [30.0, 20.0]
    assert [s.ended_at for s in await store.ended("site")] == [50.0, 40.0, 30.0, 20.0, 10.0]
    assert [s.session_id for s in await store.ended("elsewhere")] == ["session-0006"]
    assert await store.ended("site", before=10.0) == []
    assert await store.ended("site", limit=0) == []
    assert await store.ended("site", limit=-1) == []


async def test_ends_at_the_same_moment_have_one_order(store: Store) -> None:
    for number in (2, 1, 3):
        await store.start(session(number))
        await store.end(f"session-{number:04}", ended_at=7.0, meter_stop_wh=0, reason="Local")

    assert [s.transaction_id for s in await store.ended("site")] == [1003, 1002, 1001]


async def test_a_declared_vehicle_is_kept(store: Store) -> None:
    await store.start(session(1))

    await store.declare_vehicle("session-0001", 11_000)
    await store.declare_vehicle("nobody", 22_000)

    assert [s.vehicle_max_w for s in await store.running()] == [11_000]


async def test_running_has_the_newest_register(store: Store) -> None:
    await store.start(session(1))
    await store.start(session(2))

    store.sample("session-0001", sample(1, energy_wh=5100))
    store.sample("session-0001", sample(2, energy_wh=5300))
    store.sample("session-0001", sample(3))

    running = await store.running()
    assert [s.meter_wh for s in running] == [5300, None]
    assert [s.energy_wh for s in running] == [300, 0]


async def test_a_register_that_begins_anew_takes_no_energy_back(store: Store) -> None:
    await store.start(session(1))
    await store.start(session(2))
    gained = []

    for number, (one_wh, other_wh) in enumerate([(6000, 5100), (0, 0), (50, 5300), (90, 99)]):
        store.sample("session-0001", sample(number, energy_wh=one_wh))
        store.sample("session-0002", sample(number, energy_wh=other_wh))
        gained.append([s.energy_wh for s in await store.running()])

    assert gained == [[1000, 100], [1000, 100], [1050, 300], [1090, 300]]
    ended = await store.end("session-0001", ended_at=9.0, meter_stop_wh=100, reason="Local")
    assert ended is not None
    assert (ended.energy_wh, ended.estimated) == (1100, True)


async def test_samples_told_in_one_breath_come_to_the_same(store: Store) -> None:
    await store.start(session(1))

    for number, energy_wh in enumerate((6000, 0, 50, 90)):
        store.sample("session-0001", sample(number, energy_wh=energy_wh))

    (running,) = await store.running()
    assert (running.energy_wh, running.register) == (1090, Register(5000, 6000, 5000, 0, 90))


async def test_the_register_of_the_stop_is_the_last_one(store: Store) -> None:
    await store.start(session(1))
    await store.end("session-0001", ended_at=9.0, meter_stop_wh=7000, reason="Local")

    store.sample("session-0001", sample(1, energy_wh=9999))

    (ended,) = await store.ended("site")
    assert (ended.energy_wh, ended.estimated, ended.meter_wh) == (2000, False, None)


async def test_without_a_register_of_the_stop_late_samples_count(store: Store) -> None:
    await store.start(session(1))
    await store.end("session-0001", ended_at=9.0, meter_stop_wh=None, reason="Local")

    store.sample("session-0001", sample(1, energy_wh=5400))

    (ended,) = await store.ended("site")
    assert (ended.energy_wh, ended.estimated) == (400, True)


async def test_a_session_without_a_register_at_its_start_counts_from_the_first_sample(
    store: Store,
) -> None:
    await store.start(session(1, meter_start_wh=0, meter_start_told=False))

    for number, energy_wh in enumerate((900_000, 900_700)):
        store.sample("session-0001", sample(number, energy_wh=energy_wh))

    ended = await store.end("session-0001", ended_at=9.0, meter_stop_wh=901_000, reason="Local")
    assert ended is not None
    assert (ended.energy_wh, ended.estimated) == (1000, True)


async def test_a_sample_without_a_session_belongs_to_the_one_of_its_transaction(
    store: Store,
) -> None:
    await store.start(session(1))
    await store.start(session(2, connector=ConnectorKey("CP2", 1)))
    mine = replace(sample(1, energy_wh=5200), transaction_id=1001)
    strangers = [
        replace(sample(2, energy_wh=9000), transaction_id=transaction_id)
        for transaction_id in (1002, 4711, 0, -1, None)
    ]

    for each in (mine, *strangers):
        store.sample(None, each)

    assert await store.samples("session-0001") == [mine]
    assert await store.samples("session-0002") == []
    assert [s.energy_wh for s in await store.running()] == [200, 0]


async def test_a_store_that_kept_everything_has_no_losses(store: Store) -> None:
    store.sample("session-0001", sample(1))
    await store.running()
    assert store.losses() == Losses()


async def test_samples_before_the_end_are_in_what_the_end_gives(store: Store) -> None:
    await store.start(session(1))
    store.sample("session-0001", sample(1, energy_wh=6200))

    ended = await store.end("session-0001", ended_at=9.0, meter_stop_wh=None, reason="PowerLoss")

    assert ended is not None
    assert ended.meter_wh == 6200
    assert ended.energy_wh == 1200


async def test_every_field_of_a_sample_is_kept(store: Store) -> None:
    whole = MeterSample(
        connector=ConnectorKey("CP1", 2),
        at=1_700_000_000.75,
        measured_at=1_699_999_999.5,
        power_w=149_999,
        energy_wh=9_000_000_123,
        current_a=371.25,
        voltage_v=403.5,
        offered_w=150_000,
        soc_pct=41.5,
        transaction_id=-1,
        context="Transaction.End",
    )

    store.sample("session-0001", whole)
    store.sample("session-0001", sample(2))

    assert await store.samples("session-0001") == [whole, sample(2)]


async def test_the_newest_samples_of_a_session_oldest_first(store: Store) -> None:
    for number in range(1, 8):
        store.sample("a", sample(number))
        store.sample("b", sample(100 + number))
    store.sample(None, sample(999))

    assert await store.samples("a", limit=3) == [sample(5), sample(6), sample(7)]
    assert await store.samples("b") == [sample(100 + n) for n in range(1, 8)]
    assert await store.samples("c") == []
    assert await store.samples("a", limit=0) == []
    assert await store.samples("a", limit=-5) == []
