from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from csms.control.guesses import MOST_REFUSED
from csms.control.recorder import RecorderSettings
from csms.control.supervisor import UnknownChargers
from csms.errors import (
    ChargerOfflineError,
    ChargerRefusedError,
    ChargerSilentError,
    ConnectorOccupiedError,
    IdTokenRefusedError,
    StationError,
    UnknownChargerError,
    UnknownConnectorError,
    UnknownSessionError,
    UnknownStationError,
)
from csms.ports import IdToken, TokenStatus
from csms.station.model import (
    ConnectorKey,
    Station,
)
from csms.station.state import ConnectorStatus
from tests.stations import charger, station
from tests.unit.csms.control.fakes import (
    NO,
    SILENCE,
    START,
    FaultyStore,
    Site,
    site,
    stored,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1, B2 = ConnectorKey("B", 1), ConnectorKey("B", 2)
ACCEPTING = UnknownChargers(22_000, 2)


def two_chargers(grid_limit_w: int = 200_000) -> Station:
    return station(charger("A"), charger("B"), grid_limit_w=grid_limit_w)


def other_station(*ids: str, name: str = "OTHER") -> Station:
    return replace(station(*(charger(i) for i in ids)), station_id=name)


async def test_static_load_comes_off_first() -> None:
    built = station(
        charger("A", max_power_w=300_000),
        charger("B", max_power_w=300_000),
        static_load_w=3_000,
    )
    async with site(built) as it:
        it.obeying()
        await it.connect("A")
        await it.connect("B")
        for key in (A1, A2, B1, B2):
            await it.supervisor.sessions().start("SITE", key, vehicle_max_w=150_000)
        assert set(it.allocated().values()) == {99_250}
        assert it.supervisor.status("SITE").allocated_w == 397_000


async def test_a_session_is_started_from_afar() -> None:
    async with site(two_chargers()) as it:
        it.obeying()
        await it.connect("A")
        shown = await it.supervisor.sessions().start("SITE", A1, vehicle_max_w=50_000)
        assert (shown.connector, shown.id_token) == (A1, "CSMS")
        assert (shown.vehicle_max_w, shown.allocated_w) == (50_000, 50_000)
        assert it.link.named("remote_start") == [(A1, "CSMS")]
        other = await it.supervisor.sessions().start("SITE", A2, id_token="MINE")  # noqa: S106
        assert (other.id_token, other.vehicle_max_w) == ("MINE", None)


async def test_an_operator_starts_a_session_while_somebody_guesses_at_the_reader() -> None:
    strict = RecorderSettings(accept_unknown_tokens=False)
    async with site(two_chargers(), recorder=strict) as it:
        it.obeying()
        await it.connect("A")
        await it.store.save_token(IdToken("GOOD"))
        for number in range(MOST_REFUSED):
            await it.supervisor.recorder.authorize("A", f"T{number}")
        refused = await it.supervisor.recorder.authorize("A", "GOOD")
        assert refused.status is TokenStatus.INVALID
        shown = await it.supervisor.sessions().start("SITE", A1, id_token="GOOD")  # noqa: S106
        assert shown.connector == A1


async def offline(it: Site) -> None:
    it.link.connected.discard("A")


async def refusing(it: Site) -> None:
    it.link.answers["remote_start"] = it.link.answers["remote_stop"] = NO


async def silent(it: Site) -> None:
    it.link.answers["remote_start"] = it.link.answers["remote_stop"] = SILENCE


async def promising(it: Site) -> None:
    """The charger accepts and does nothing."""


async def occupied(it: Site) -> None:
    await it.start(A1)


async def faulted(it: Site) -> None:
    await it.report(A1, ConnectorStatus.FAULTED)


async def busy_starting(it: Site) -> None:
    async def meanwhile(key: ConnectorKey, id_token: str) -> None:
        it.link.on_remote_start = None
        with pytest.raises(ConnectorOccupiedError, match="is being started"):
            await it.supervisor.sessions().start("SITE", A1)

    it.link.on_remote_start = meanwhile


@pytest.mark.parametrize(
    ("station_id", "key", "prepare", "error", "words"),
    [
        ("NOWHERE", A1, promising, UnknownStationError, "no station 'NOWHERE'"),
        ("SITE", ("Z", 1), promising, UnknownChargerError, "station SITE has no charger 'Z'"),
        ("SITE", ("A", 9), promising, UnknownConnectorError, "A has no connector 9; it has 2"),
        ("SITE", A1, offline, ChargerOfflineError, "charger A is not connected"),
        ("SITE", A1, occupied, ConnectorOccupiedError, "A/1 has a session already: "),
        ("SITE", A1, faulted, ConnectorOccupiedError, "A/1 cannot take a session: it is Faulted"),
        ("SITE", A1, refusing, ChargerRefusedError, "refused to start a session"),
        ("SITE", A1, silent, ChargerSilentError, "no answer to the request to start"),
        ("SITE", A1, promising, ChargerSilentError, "reported none within 0 s"),
        ("SITE", A1, busy_starting, ChargerSilentError, "reported none within 0 s"),
    ],
)
async def test_a_start_that_cannot_be_done_says_why(
    station_id: str,
    key: tuple[str, int],
    prepare: Callable[[Site], object],
    error: type[StationError],
    words: str,
) -> None:
    async with site(two_chargers(), remote_timeout_s=0) as it:
        await it.connect("A")
        await prepare(it)  # type: ignore[misc]
        with pytest.raises(error, match=words):
            await it.supervisor.sessions().start(station_id, ConnectorKey(*key))


async def test_another_driver_who_is_faster_ends_the_start() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")

        async def somebody_else(key: ConnectorKey, id_token: str) -> None:
            await it.start(key, "DRIVER")

        it.link.on_remote_start = somebody_else
        with pytest.raises(ConnectorOccupiedError, match="another driver"):
            await it.supervisor.sessions().start(
                "SITE",
                A1,
                id_token="MINE",  # noqa: S106
                vehicle_max_w=7_000,
            )
        (session,) = it.supervisor.status("SITE").sessions()
        assert (session.id_token, session.vehicle_max_w) == ("DRIVER", None)


async def test_a_session_is_stopped_from_afar() -> None:
    async with site(two_chargers()) as it:
        it.obeying()
        await it.connect("A")
        shown = await it.supervisor.sessions().start("SITE", A1)
        ended = await it.supervisor.sessions().stop("SITE", shown.session_id)
        assert (ended.session_id, ended.reason, ended.energy_wh) == (
            shown.session_id,
            "Remote",
            3_000,
        )
        assert ended.ended_at == START + 1
        assert it.link.named("remote_stop") == [("A", shown.transaction_id)]
        assert it.supervisor.status("SITE").sessions() == []
        assert await it.supervisor.sessions().ended("SITE") == [ended]


@pytest.mark.parametrize(
    ("station_id", "known", "prepare", "error", "words"),
    [
        ("NOWHERE", True, promising, UnknownStationError, "no station 'NOWHERE'"),
        ("SITE", False, promising, UnknownSessionError, "SITE has no running session 'nobody'"),
        ("SITE", True, offline, ChargerOfflineError, "charger A is not connected"),
        ("SITE", True, refusing, ChargerRefusedError, "refused to stop session"),
        ("SITE", True, silent, ChargerSilentError, "no answer to the request to stop"),
        ("SITE", True, promising, ChargerSilentError, "did not report its end within 0 s"),
    ],
)
async def test_a_stop_that_cannot_be_done_says_why(
    station_id: str,
    known: bool,
    prepare: Callable[[Site], object],
    error: type[StationError],
    words: str,
) -> None:
    async with site(two_chargers(), remote_timeout_s=0) as it:
        await it.connect("A")
        await it.start(A1)
        (session,) = it.supervisor.status("SITE").sessions()
        await prepare(it)  # type: ignore[misc]
        with pytest.raises(error, match=words):
            await it.supervisor.sessions().stop(
                station_id, session.session_id if known else "nobody"
            )


async def test_a_session_that_is_not_in_the_store_cannot_be_shown() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")
        await it.start(A1)
        (session,) = it.supervisor.status("SITE").sessions()

        it.obeying()
        it.store.loses_what_ends = True
        with pytest.raises(UnknownSessionError, match="is not in the store"):
            await it.supervisor.sessions().stop("SITE", session.session_id)


async def test_reported_power_counts_as_if_it_was_metered() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")
        await it.start(A1)
        (session,) = it.supervisor.status("SITE").sessions()
        name = session.session_id
        shown = await it.supervisor.sessions().update_power("SITE", name, vehicle_max_w=90_000)
        assert (shown.measured_w, shown.allocated_w) == (None, 90_000)
        assert await it.store.samples(name) == []
        shown = await it.supervisor.sessions().update_power("SITE", name, consumed_w=42_000)
        assert (shown.measured_w, shown.allocated_w) == (42_000, 90_000)
        assert [s.power_w for s in await it.store.samples(name)] == [42_000]
        # No charger wrote it, so it says nothing of a clock.
        contact = it.loop().contacts.get("A")
        assert contact is not None
        assert contact.clock_ahead_s == 0.0
        assert (await it.store.running())[0].vehicle_max_w == 90_000
        with pytest.raises(UnknownSessionError):
            await it.supervisor.sessions().update_power("SITE", "nobody", consumed_w=1)
        with pytest.raises(UnknownStationError):
            await it.supervisor.sessions().update_power("NOWHERE", name, consumed_w=1)


async def test_ended_sessions_come_newest_first() -> None:
    store = FaultyStore()
    for number in (1, 2, 3):
        await store.start(stored(f"s{number}", number, A1))
        await store.end(f"s{number}", ended_at=START + number, meter_stop_wh=1, reason="Local")
    async with site(two_chargers(), store=store) as it:
        newest = await it.supervisor.sessions().ended("SITE", limit=2)
        assert [s.session_id for s in newest] == ["s3", "s2"]
        before = await it.supervisor.sessions().ended("SITE", before=START + 2)
        assert [s.session_id for s in before] == ["s1"]
        with pytest.raises(UnknownStationError):
            await it.supervisor.sessions().ended("NOWHERE")


async def test_tokens_are_kept_and_replaced() -> None:
    settings = RecorderSettings(accept_unknown_tokens=False)
    async with site(two_chargers(), recorder=settings) as it:
        await it.supervisor.access().tokens.put([IdToken("ONE"), IdToken("TWO")])
        await it.supervisor.access().tokens.put([IdToken("two", TokenStatus.BLOCKED)])
        statuses = [
            (await it.supervisor.recorder.authorize("A", name)).status
            for name in ("one", "TWO", "THREE")
        ]
        assert statuses == [TokenStatus.ACCEPTED, TokenStatus.BLOCKED, TokenStatus.INVALID]


async def test_a_token_that_may_not_charge_is_refused_before_the_charger_is_asked() -> None:
    nobody = RecorderSettings(accept_unknown_tokens=False)
    async with site(two_chargers(), recorder=nobody) as it:
        await it.connect("A")
        it.link.wire.clear()
        await it.supervisor.access().tokens.put([IdToken("STOLEN", TokenStatus.BLOCKED)])
        for token, status in (("STOLEN", "Blocked"), ("NEVERSEEN", "Invalid")):
            with pytest.raises(IdTokenRefusedError, match=f"id token '{token}' is {status}"):
                await it.supervisor.sessions().start("SITE", A1, id_token=token)
        assert it.link.wire == []


async def test_an_operator_may_start_where_unknown_tokens_may_not() -> None:
    nobody = RecorderSettings(accept_unknown_tokens=False)
    async with site(two_chargers(), recorder=nobody) as it:
        await it.connect("A")
        it.obeying()
        started = await it.supervisor.sessions().start("SITE", A1)
        assert started.allocated_w == 200_000
        # Asked for once and no more: whoever shows that token later is refused.
        assert (await it.supervisor.recorder.authorize("A", "CSMS")).status is TokenStatus.INVALID
