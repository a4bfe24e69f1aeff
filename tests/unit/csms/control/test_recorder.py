from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from csms.control.boots import BootPolicy
from csms.control.recorder import LARGEST_TRANSACTION_ID, RecorderSettings
from csms.errors import StorageError
from csms.ports import (
    BootReport,
    BootVerdict,
    ChargerRecord,
    ChargerReport,
    IdToken,
    StopReport,
    TokenStatus,
    Topic,
)
from csms.station.facts import ChargerConnected, ConnectorStatusReported, MeterSample
from csms.station.model import ConnectorKey
from csms.station.register import Register
from csms.station.state import ConnectorStatus
from tests.unit.csms.control.desk import A1, desk
from tests.unit.csms.control.fakes import SILENCE, START, start_report

A2 = ConnectorKey("A", 2)
ELSEWHERE = ConnectorKey("Z", 1)
NOBODY = RecorderSettings(accept_unknown_tokens=False)


# ------------------------------------------------------------------------------ boot


async def test_a_boot_is_accepted_and_remembered() -> None:
    async with desk(RecorderSettings(heartbeat_interval_s=120)) as it:
        it.rig.clock.advance(7.0)
        verdict = await it.recorder.boot(BootReport("A", "ACME", "Fast", "S1", "1.2"))
        assert verdict == BootVerdict(accepted=True, interval_s=120)
        record = ChargerRecord("A", "ACME", "Fast", "S1", "1.2", True, START + 7)
        assert it.recorder.records == {"A": record}
        assert await it.rig.store.load_chargers() == {"A": record}
        await it.rig.quiet()
        known = it.rig.loop.state.chargers["A"]
        assert (known.vendor, known.model, known.serial, known.firmware) == (
            "ACME",
            "Fast",
            "S1",
            "1.2",
        )
        assert "charger_booted" in it.rig.kinds()


async def test_in_a_storm_of_boots_a_charger_waits_and_counts_as_booted() -> None:
    storm = RecorderSettings(boots=BootPolicy(per_s=0.001, burst=1.0))
    async with desk(storm) as it:
        assert (await it.recorder.boot(BootReport("B"))).accepted
        verdict = await it.recorder.boot(BootReport("A", "ACME"))
        assert (verdict.accepted, verdict.pending) == (False, True)
        assert verdict.interval_s >= 30
        assert "A" not in it.recorder.records
        await it.rig.quiet()
        assert it.rig.kinds().count("charger_booted") == 1
        # It boots again because it was told to.
        for _ in range(2):
            assert (await it.recorder.boot(BootReport("A", "ACME"))).pending
        await it.rig.quiet()
        assert "boot_loop" not in it.rig.kinds()
        await it.recorder.start_session(start_report(A1))
        await it.rig.quiet()
        assert (await it.recorder.boot(BootReport("A", "ACME"))).accepted


async def test_a_known_charger_boots_though_the_database_is_down() -> None:
    async with desk() as it:
        await it.recorder.remember("A")
        it.rig.store.chargers_to_fail = 1
        assert (await it.recorder.boot(BootReport("A", "ACME"))).accepted
        await it.rig.quiet()
        assert "charger_booted" in it.rig.kinds()
        assert it.recorder.records["A"].vendor == "ACME"
        assert (await it.rig.store.load_chargers())["A"].vendor == ""


async def test_a_boot_puts_limits_in_doubt_before_the_database_answers() -> None:
    async with desk() as it:
        it.rig.store.silent = True
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(it.recorder.boot(BootReport("A", "ACME")))
            await it.rig.quiet()
            assert "charger_booted" in it.rig.kinds()
            asked.cancel()


async def test_a_transaction_is_not_answered_when_the_database_does_not_answer() -> None:
    async with desk(RecorderSettings(answer_s=0.01)) as it:
        verdict = await it.recorder.start_session(start_report(A2))
        it.rig.store.silent = True
        report = start_report(A1)
        with pytest.raises(StorageError, match=r"no answer within 0\.01 s"):
            await it.recorder.start_session(report)
        with pytest.raises(StorageError, match=r"no answer within 0\.01 s"):
            await it.stop(verdict.transaction_id)
        it.rig.store.silent = False
        # It was kept all the same: the repeat finds it, and tells of it.
        await it.recorder.start_session(report)
        await it.rig.quiet()
        assert it.session() is not None
        assert len(await it.rig.store.running()) == 2


@pytest.mark.parametrize(("timed", "ahead_s"), [(True, 0.0), (False, None)])
async def test_only_a_time_that_was_told_says_how_the_clock_goes(
    timed: bool, ahead_s: float | None
) -> None:
    async with desk() as it:
        await it.recorder.start_session(replace(start_report(A1), timed=timed))
        await it.rig.quiet()
        contact = it.rig.loop.contacts.get("A")
        assert contact is not None
        assert contact.clock_ahead_s == ahead_s


async def test_a_charger_of_no_station_may_boot_too() -> None:
    async with desk() as it:
        assert (await it.recorder.boot(BootReport("Z"))).accepted
        assert list(it.recorder.records) == ["Z"]


async def test_a_charger_that_has_been_here_is_remembered_once() -> None:
    async with desk() as it:
        await it.recorder.remember("A")
        record = ChargerRecord("A", last_seen_at=START)
        assert it.recorder.records == {"A": record}
        assert await it.rig.store.load_chargers() == {"A": record}
        await it.recorder.boot(BootReport("A", "ACME"))
        await it.recorder.remember("A")
        assert it.recorder.records["A"].vendor == "ACME"
        assert it.recorder.records["A"].accepted


async def test_a_charger_that_could_not_be_kept_is_not_known() -> None:
    async with desk() as it:
        it.rig.store.chargers_to_fail = 2
        with pytest.raises(StorageError):
            await it.recorder.remember("A")
        with pytest.raises(StorageError):
            await it.recorder.boot(BootReport("A", "ACME"))
        assert it.recorder.records == {}
        await it.recorder.remember("A")
        assert list(await it.rig.store.load_chargers()) == ["A"]


# ------------------------------------------------------------------------------ tokens


@pytest.mark.parametrize(
    ("settings", "status"),
    [(RecorderSettings(), TokenStatus.ACCEPTED), (NOBODY, TokenStatus.INVALID)],
)
async def test_a_token_nobody_registered(settings: RecorderSettings, status: TokenStatus) -> None:
    async with desk(settings) as it:
        assert await it.recorder.authorize("A", "TAG") == IdToken("TAG", status)


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (IdToken("Tag"), TokenStatus.ACCEPTED),
        (IdToken("Tag", expires_at=START + 0.1), TokenStatus.ACCEPTED),
        (IdToken("Tag", expires_at=START), TokenStatus.EXPIRED),
        (IdToken("Tag", TokenStatus.BLOCKED), TokenStatus.BLOCKED),
        (IdToken("Tag", TokenStatus.BLOCKED, expires_at=START - 1), TokenStatus.BLOCKED),
        (IdToken("Tag", parent_id_token="FAMILY"), TokenStatus.ACCEPTED),  # noqa: S106
    ],
)
async def test_a_registered_token_has_the_status_that_holds_now(
    token: IdToken, status: TokenStatus
) -> None:
    async with desk(NOBODY) as it:
        await it.rig.store.save_token(token)
        assert await it.recorder.authorize("A", "TAG") == replace(token, status=status)


# ------------------------------------------------------------------------------ start


async def test_a_start_is_kept_and_told() -> None:
    async with desk() as it:
        report = replace(start_report(A1, "TAG", 1_234, START), started_at=START - 30)
        verdict = await it.recorder.start_session(report)
        assert verdict.token == IdToken("TAG")
        assert 1 <= verdict.transaction_id <= LARGEST_TRANSACTION_ID
        stored = await it.rig.store.find("A", verdict.transaction_id)
        assert stored is not None
        assert (stored.station_id, stored.connector, stored.id_token) == ("SITE", A1, "TAG")
        assert (stored.started_at, stored.meter_start_wh) == (START - 30, 1_234)
        assert (stored.ended_at, stored.vehicle_max_w) == (None, None)
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.session_id == stored.session_id
        assert session.transaction_id == verdict.transaction_id
        assert (session.started_at, session.register) == (START - 30, Register(1_234))
        assert it.rig.link.last(A1).transaction_id == verdict.transaction_id


async def test_the_same_start_again_gets_the_same_verdict_and_no_second_session() -> None:
    async with desk() as it:
        report = start_report(A1)
        first = await it.recorder.start_session(report)
        await it.rig.quiet()
        assert await it.recorder.start_session(report) == first
        await it.rig.quiet()
        assert len(await it.rig.store.running()) == 1
        assert it.rig.kinds().count("session_started") == 1


async def test_a_start_replayed_after_the_token_was_blocked_gets_the_verdict_it_had() -> None:
    async with desk() as it:
        first = await it.recorder.start_session(start_report(A1))
        await it.rig.store.save_token(IdToken("TAG", TokenStatus.BLOCKED))
        assert await it.recorder.start_session(start_report(A1)) == first


async def test_a_start_replayed_after_its_end_starts_nothing() -> None:
    async with desk() as it:
        verdict = await it.recorder.start_session(start_report(A1))
        await it.stop(verdict.transaction_id)
        assert await it.recorder.start_session(start_report(A1)) == verdict
        await it.rig.quiet()
        assert it.session() is None


async def test_a_start_that_was_kept_but_never_told_is_told_when_it_is_replayed() -> None:
    async with desk() as it:
        await it.start(A1)
        report = start_report(A1, "TAG", 9_000, START + 30)
        it.rig.store.ends_to_fail = 1
        with pytest.raises(StorageError):
            await it.recorder.start_session(report)
        verdict = await it.recorder.start_session(report)
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.transaction_id == verdict.transaction_id
        assert [s.session_id for s in await it.rig.store.running()] == [session.session_id]


async def test_an_old_start_replayed_does_not_end_a_newer_session() -> None:
    async with desk(NOBODY) as it:
        await it.rig.store.save_token(IdToken("GOOD"))
        refused = start_report(A1, "BAD", 0, START)
        await it.recorder.start_session(refused)
        newer = await it.start(A1, "GOOD")
        await it.recorder.start_session(refused)
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.session_id == newer.session_id


@pytest.mark.parametrize("status", [TokenStatus.BLOCKED, TokenStatus.INVALID])
async def test_a_token_that_is_not_accepted_gets_a_real_id_and_no_power(
    status: TokenStatus,
) -> None:
    async with desk() as it:
        await it.rig.store.save_token(IdToken("TAG", status))
        verdict = await it.recorder.start_session(start_report(A1))
        assert verdict.token.status is status
        assert verdict.transaction_id > 0
        await it.rig.quiet()
        assert it.session() is None
        assert it.rig.counted() == {}
        stored = await it.rig.store.find("A", verdict.transaction_id)
        assert stored is not None
        assert stored.id_status is status
        await it.stop(verdict.transaction_id)
        assert await it.rig.store.running() == []


async def test_an_older_session_on_the_connector_is_ended() -> None:
    async with desk() as it:
        older = await it.start(A1, meter_wh=1_000)
        it.recorder.record(
            MeterSample(A1, START, energy_wh=4_000, transaction_id=older.transaction_id)
        )
        await it.rig.quiet()
        newer = await it.start(A1, meter_wh=4_100)
        ended = (await it.rig.store.ended("SITE"))[0]
        assert ended.session_id == older.session_id
        assert (ended.ended_at, ended.energy_wh, ended.reason) == (START + 2, 3_000, "Superseded")
        assert (ended.provisional, ended.estimated) == (True, True)
        session = it.session()
        assert session is not None
        assert session.session_id == newer.session_id
        assert it.rig.kinds()[-3:] == ["session_started", "session_ended", "session_started"]


async def test_a_session_elsewhere_on_the_charger_is_left_alone() -> None:
    async with desk() as it:
        await it.start(A1)
        await it.start(A2)
        assert len(await it.rig.store.running()) == 2


async def test_an_older_session_that_is_not_in_the_store_gives_way() -> None:
    async with desk() as it:
        await it.rig.start(A1)
        newer = await it.start(A1)
        session = it.session()
        assert session is not None
        assert session.session_id == newer.session_id


async def test_a_transaction_id_that_is_taken_is_drawn_again() -> None:
    async with desk() as it:
        it.rig.store.starts_to_fail = 4
        stored = await it.start(A1)
        tried = [s.transaction_id for s in it.rig.store.start_attempts]
        assert len(set(tried)) == 5
        assert tried[-1] == stored.transaction_id
        assert len({s.session_id for s in it.rig.store.start_attempts}) == 1


async def test_a_start_that_cannot_be_kept_is_not_answered() -> None:
    async with desk() as it:
        it.rig.store.starts_to_fail = 5
        with pytest.raises(StorageError):
            await it.recorder.start_session(start_report(A1))
        await it.rig.quiet()
        assert it.session() is None


async def test_a_database_that_is_down_is_not_asked_again_and_again() -> None:
    async with desk() as it:
        it.rig.store.starts_refused = True
        with pytest.raises(StorageError):
            await it.recorder.start_session(start_report(A1))
        assert len(it.rig.store.start_attempts) == 1


async def test_what_was_declared_with_a_remote_start_goes_with_the_session() -> None:
    async with desk() as it:

        async def plugs_in(connector: ConnectorKey, id_token: str) -> None:
            await it.start(connector, id_token)

        it.rig.link.on_remote_start = plugs_in
        session_id = await it.remote.start(A1, "TAG", 70_000)
        session = it.session()
        assert session is not None
        assert (session.session_id, session.vehicle_max_w) == (session_id, 70_000)
        assert (await it.rig.store.running())[0].vehicle_max_w == 70_000


# ------------------------------------------------------------------------------ stop


async def test_a_stop_is_kept_and_told() -> None:
    async with desk() as it:
        session = await it.start(A1, meter_wh=1_000)
        assert await it.stop(session.transaction_id) is None
        ended = (await it.rig.store.ended("SITE"))[0]
        assert ended.session_id == session.session_id
        assert (ended.ended_at, ended.reason, ended.energy_wh) == (
            START + 60,
            "EVDisconnected",
            4_000,
        )
        assert it.session() is None
        assert it.rig.kinds()[-1] == "session_ended"


async def test_who_asked_for_a_stop_hears_of_it() -> None:
    async with desk() as it:
        session = await it.start(A1)

        async def stops(charger_id: str, transaction_id: int) -> None:
            await it.stop(transaction_id)

        it.rig.link.on_remote_stop = stops
        it.rig.link.answers["remote_stop"] = SILENCE
        await it.remote.stop("A", session.transaction_id, session.session_id)
        assert it.session() is None


async def test_a_stop_without_a_usable_register_is_kept() -> None:
    async with desk() as it:
        session = await it.start(A1)
        await it.stop(session.transaction_id, meter_stop_wh=None)
        assert (await it.rig.store.ended("SITE"))[0].meter_stop_wh is None


async def test_a_stop_told_again_changes_nothing() -> None:
    async with desk() as it:
        session = await it.start(A1)
        for _ in range(2):
            await it.stop(session.transaction_id)
        assert (await it.rig.store.ended("SITE"))[0].meter_stop_wh == 5_000
        assert await it.rig.store.quarantined("A") == []
        assert it.rig.kinds().count("session_ended") == 1


async def test_a_stop_that_contradicts_the_first_is_put_aside() -> None:
    async with desk() as it:
        session = await it.start(A1)
        await it.stop(session.transaction_id)
        await it.stop(session.transaction_id, meter_stop_wh=9_999)
        assert (await it.rig.store.ended("SITE"))[0].meter_stop_wh == 5_000
        (aside,) = await it.rig.store.quarantined("A")
        assert aside.reason == "contradicts the stop that came before it"


async def test_the_token_of_a_stop_is_judged() -> None:
    async with desk() as it:
        session = await it.start(A1)
        await it.rig.store.save_token(IdToken("OTHER", TokenStatus.BLOCKED))
        verdict = await it.stop(session.transaction_id, id_token="OTHER")  # noqa: S106
        assert verdict == IdToken("OTHER", TokenStatus.BLOCKED)
        assert it.session() is None


@pytest.mark.parametrize("charger_id", ["A", "Z"])
async def test_a_stop_of_an_unknown_id_is_answered_and_put_aside(charger_id: str) -> None:
    async with desk() as it:
        await it.start(A1)
        for _ in range(2):
            verdict = await it.stop(4_711, id_token="TAG", charger_id=charger_id)  # noqa: S106
            assert verdict == IdToken("TAG")
        (aside,) = await it.rig.store.quarantined(charger_id)
        assert (aside.at, aside.action) == (START + 1, "StopTransaction")
        assert aside.reason == "no session of this charger has transaction 4711"
        assert it.rig.kinds().count("quarantined") == 1
        assert it.session() is not None


async def test_another_charger_cannot_stop_a_session() -> None:
    async with desk() as it:
        session = await it.start(A1)
        await it.stop(session.transaction_id, charger_id="Z")
        assert it.session() is not None


@pytest.mark.parametrize("transaction_id", [0, -1, None])
async def test_a_stop_without_an_id_ends_the_only_session_of_the_charger(
    transaction_id: int | None,
) -> None:
    async with desk() as it:
        session = await it.start(A2)
        await it.stop(transaction_id)
        assert [s.session_id for s in await it.rig.store.ended("SITE")] == [session.session_id]
        assert it.session(A2) is None


@pytest.mark.parametrize(("keys", "charger_id"), [((), "A"), ((A1, A2), "A"), ((A1,), "Z")])
async def test_a_stop_without_an_id_ends_nothing_when_nobody_knows_which(
    keys: tuple[ConnectorKey, ...], charger_id: str
) -> None:
    async with desk() as it:
        for key in keys:
            await it.start(key)
        await it.stop(0, charger_id=charger_id)
        assert len(await it.rig.store.running()) == len(keys)


async def test_a_stop_at_a_charger_of_no_station_is_kept() -> None:
    async with desk() as it:
        stored = await it.start(ELSEWHERE)
        await it.stop(stored.transaction_id, charger_id="Z")
        assert await it.rig.store.running() == []


# ------------------------------------------------------------------------------ facts


async def test_a_sample_is_kept_with_its_session() -> None:
    async with desk() as it:
        session = await it.start(A1)
        sample = MeterSample(A1, START, power_w=50_000, energy_wh=700)
        it.recorder.record(sample)
        await it.rig.quiet()
        assert await it.rig.store.samples(session.session_id) == [sample]
        running = it.session()
        assert running is not None
        assert (running.measured_w, running.energy_wh) == (50_000, 700)


async def test_every_sample_is_kept_also_when_only_the_newest_counts() -> None:
    async with desk() as it:
        session = await it.start(A1)
        for watts in (1, 2, 3):
            it.recorder.record(MeterSample(A1, START, power_w=watts))
        kept = await it.rig.store.samples(session.session_id)
        assert [s.power_w for s in kept] == [1, 2, 3]


async def test_a_sample_right_behind_its_start_is_kept_with_its_session() -> None:
    async with desk() as it:
        verdict = await it.recorder.start_session(start_report(A1))
        sample = MeterSample(A1, START, energy_wh=5_000, transaction_id=verdict.transaction_id)
        it.recorder.record(sample)
        assert it.session() is None
        (stored,) = await it.rig.store.running()
        assert await it.rig.store.samples(stored.session_id) == [sample]
        assert stored.energy_wh == 5_000
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.energy_wh == 5_000


async def test_a_sample_of_another_transaction_is_kept_without_a_session() -> None:
    async with desk() as it:
        session = await it.start(A1)
        it.recorder.record(MeterSample(A1, START, power_w=5, transaction_id=4_711))
        assert await it.rig.store.samples(session.session_id) == []
        await it.rig.quiet()
        running = it.session()
        assert running is not None
        assert running.measured_w is None


async def test_facts_reach_the_loop_of_their_charger() -> None:
    async with desk() as it:
        it.recorder.record(ConnectorStatusReported(A2, START, ConnectorStatus.FAULTED))
        it.recorder.record(ChargerConnected("A", START))
        await it.rig.quiet()
        assert it.rig.loop.state.connectors[A2].status is ConnectorStatus.FAULTED
        assert it.rig.kinds().count("charger_connected") == 2


async def test_facts_about_a_charger_of_no_station_go_nowhere() -> None:
    async with desk() as it:
        before = it.rig.kinds()
        it.recorder.record(ChargerConnected("Z", START))
        it.recorder.record(MeterSample(ELSEWHERE, START, power_w=1))
        it.recorder.note("Z", "DataTransfer", {})
        await it.recorder.report(ChargerReport("Z", Topic.LOG, "Uploaded", START))
        await it.rig.quiet()
        assert it.rig.kinds() == before


async def test_a_note_is_an_event() -> None:
    async with desk() as it:
        it.recorder.note("A", "FirmwareStatusNotification", {"status": "Installed", "n": 1})
        last = it.rig.events.after(0)[-1]
        assert (last.station_id, last.kind) == ("SITE", "charger_said")
        assert last.text == "A FirmwareStatusNotification status=Installed n=1"


async def test_a_report_is_an_event_and_kept() -> None:
    async with desk() as it:
        uploaded = ChargerReport("A", Topic.LOG, "Uploaded", START, request_id=3)
        tamper = ChargerReport("A", Topic.SECURITY, "TamperDetectionActivated", START, info="lid")
        await it.recorder.report(uploaded)
        await it.recorder.report(tamper)
        assert [(e.kind, e.text) for e in it.rig.events.after(0)[-2:]] == [
            ("charger_reported", "A log Uploaded"),
            ("security_event", "A security TamperDetectionActivated lid"),
        ]
        assert it.recorder.reports.of("A", Topic.LOG) == [uploaded]
        assert it.recorder.reports.of("A", Topic.SECURITY) == []
        assert [(e.kind, e.charger_id, e.text) for e in await it.rig.store.security_events()] == [
            ("charger_reported", "A", "TamperDetectionActivated lid")
        ]


async def test_no_certificate_is_signed_for_a_charger_nobody_has() -> None:
    async with desk() as it:
        assert not await it.recorder.sign("Z", "request")
        assert not await it.recorder.sign("A", "request")


async def test_a_transaction_of_long_ago_is_kept_and_told_once() -> None:
    long_ago = START - 100 * 86_400
    async with desk() as it:
        # Its clock is right.
        it.recorder.record(MeterSample(A1, START, power_w=0, measured_at=START))
        await it.rig.quiet()
        start = replace(start_report(A1), started_at=long_ago)
        verdict = await it.recorder.start_session(start)
        assert await it.recorder.start_session(start) == verdict
        stop = StopReport("A", verdict.transaction_id, 900, long_ago, timestamp="T")
        for _ in range(2):
            await it.recorder.stop_session(stop)
        # A charger of no station has nobody to tell.
        stranger = replace(start_report(ConnectorKey("X", 1)), started_at=long_ago)
        await it.recorder.start_session(stranger)
        texts = [e.text for e in it.rig.events.after(0) if e.kind == "transaction_out_of_time"]
        assert texts == [
            "A/1 StartTransaction says it was written 100 days ago",
            "A/1 StopTransaction says it was written 100 days ago",
        ]
