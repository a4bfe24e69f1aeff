from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from csms.control.reservations import KEPT_S, LONGEST_S
from csms.errors import (
    ChargerOfflineError,
    ChargerRefusedError,
    ChargerSilentError,
    IdTokenRefusedError,
    ReservationRefusedError,
    StorageError,
    UnknownChargerError,
    UnknownConnectorError,
    UnknownReservationError,
)
from csms.ports import Answer, IdToken, Outcome, StartReport, TokenStatus
from csms.station.facts import ConnectorStatusReported
from csms.station.model import ConnectorKey
from csms.station.state import ConnectorStatus
from csms.station.tokens import Reservation, ReservationState
from tests.unit.csms.control.desk import A1, Desk, desk
from tests.unit.csms.control.fakes import NO, SILENCE, START, start_report

A0, A2 = ConnectorKey("A", 0), ConnectorKey("A", 2)
LATER = START + 600.0
FAMILY = "FAMILY"


@asynccontextmanager
async def booked(*keys: ConnectorKey, connectors: int = 2) -> AsyncIterator[Desk]:
    """A desk at which ANNA, of the FAMILY as BOB is, has reserved these connectors."""
    async with desk(connectors=connectors) as it:
        await it.rig.store.save_tokens(
            [IdToken(name, parent_id_token=FAMILY) for name in ("ANNA", "BOB")]
        )
        for key in keys:
            await it.access.reservations.reserve(key, "ANNA", LATER)
        yield it


async def answered(it: Desk, key: ConnectorKey, id_token: str, named: int | None = None) -> str:
    plain = start_report(key, id_token, at=it.rig.clock.now())
    report = StartReport(key, id_token, 0, plain.timestamp, plain.started_at, named)
    status = (await it.recorder.start_session(report)).token.status
    await it.rig.quiet()
    return status.value


def states(it: Desk) -> list[str]:
    return [r.state.value for r in it.access.reservations.of("A")]


async def test_a_reservation_is_asked_for_and_kept() -> None:
    async with booked(A1) as it:
        made = Reservation(1, A1, "ANNA", LATER, FAMILY)
        assert it.rig.link.named("reserve") == [(made,)]
        assert it.access.reservations.of("A") == [made]
        assert await it.rig.store.load_reservations() == [made]
        assert it.rig.kinds()[-1] == "reserved"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(Outcome.REJECTED, "Occupied"), ChargerRefusedError),
        (SILENCE, ChargerSilentError),
    ],
)
async def test_what_the_charger_does_not_accept_is_not_kept(
    answer: Answer, error: type[Exception]
) -> None:
    async with booked() as it:
        it.rig.link.answers["reserve"] = answer
        with pytest.raises(error, match="reserve connector A/1"):
            await it.access.reservations.reserve(A1, "ANNA", LATER)
        assert it.access.reservations.of("A") == []


async def test_what_cannot_be_reserved_is_not_asked_for() -> None:
    async with booked() as it:
        await it.rig.store.save_token(IdToken("LOST", TokenStatus.BLOCKED))
        reserve = it.access.reservations.reserve
        for key, id_token, at, error in (
            (ConnectorKey("Z", 1), "ANNA", LATER, UnknownChargerError),
            (ConnectorKey("A", 3), "ANNA", LATER, UnknownConnectorError),
            (A1, "LOST", LATER, IdTokenRefusedError),
            (A1, "ANNA", START, ReservationRefusedError),
            (A1, "ANNA", START + LONGEST_S + 1, ReservationRefusedError),
        ):
            with pytest.raises(error):
                await reserve(key, id_token, at)
        it.rig.link.connected.clear()
        with pytest.raises(ChargerOfflineError):
            await reserve(A1, "ANNA", LATER)
        assert it.rig.link.named("reserve") == []


async def test_a_reservation_expires_by_itself() -> None:
    async with booked(A1) as it:
        assert await answered(it, A1, "CAROL") == "Invalid"
        it.rig.clock.advance(600.0)
        assert states(it) == ["expired"]
        assert await answered(it, A1, "CAROL") == "Accepted"
        it.rig.clock.advance(KEPT_S + 1)
        await it.access.reservations.reserve(A2, "ANNA", it.rig.clock.now() + 600)
        assert [r.reservation_id for r in it.access.reservations.of("A")] == [2]
        assert len(await it.rig.store.load_reservations()) == 1


async def test_reservations_survive_a_restart() -> None:
    async with booked(A1, A2) as it:
        await it.access.reservations.cancel("A", 1)
        await it.access.reservations.open()
        assert states(it) == ["cancelled", "active"]
        assert await answered(it, A2, "CAROL") == "Invalid"
        made = await it.access.reservations.reserve(A1, "ANNA", LATER)
        assert made.reservation_id == 3


# ------------------------------------------------------------------------------ cancelled


async def test_a_reservation_is_cancelled_once() -> None:
    async with booked(A1) as it:
        for _ in range(2):
            ended = await it.access.reservations.cancel("A", 1)
            assert ended.state is ReservationState.CANCELLED
        assert it.rig.link.named("cancel_reservation") == [("A", 1)]
        assert await answered(it, A1, "CAROL") == "Accepted"


@pytest.mark.parametrize(("answer", "error"), [(NO, ChargerRefusedError), (SILENCE, None)])
async def test_one_that_is_not_given_back_stays(
    answer: Answer, error: type[Exception] | None
) -> None:
    async with booked(A1) as it:
        it.rig.link.answers["cancel_reservation"] = answer
        with pytest.raises(error or ChargerSilentError):
            await it.access.reservations.cancel("A", 1)
        assert states(it) == ["active"]


async def test_what_is_not_there_cannot_be_cancelled() -> None:
    async with booked(A1) as it:
        with pytest.raises(UnknownReservationError, match="charger A has no reservation 9"):
            await it.access.reservations.cancel("A", 9)
        with pytest.raises(UnknownChargerError):
            await it.access.reservations.cancel("Z", 1)
        it.rig.link.connected.clear()
        with pytest.raises(ChargerOfflineError):
            await it.access.reservations.cancel("A", 1)


# ------------------------------------------------------------------------------ used


@pytest.mark.parametrize("id_token", ["anna", "BOB"])
async def test_its_token_and_its_group_use_it_up(id_token: str) -> None:
    async with booked(A1) as it:
        assert await answered(it, A1, id_token, named=1) == "Accepted"
        session = it.session()
        assert session is not None
        (used,) = it.access.reservations.of("A")
        assert (used.state, used.session_id) == (ReservationState.USED, session.session_id)
        assert it.rig.kinds().count("reservation_used") == 1


async def test_one_that_is_not_named_is_used_up_all_the_same() -> None:
    async with booked(A1) as it:
        assert await answered(it, A1, "ANNA") == "Accepted"
        assert states(it) == ["used"]


async def test_another_token_is_refused_and_leaves_it() -> None:
    async with booked(A1) as it:
        assert await answered(it, A1, "CAROL", named=1) == "Invalid"
        assert states(it) == ["active"]
        assert it.session() is None
        assert await answered(it, A2, "CAROL") == "Accepted"


async def test_a_start_that_is_repeated_uses_up_one() -> None:
    async with booked(A1, A0) as it:
        for _ in range(2):
            assert await answered(it, A1, "ANNA", named=1) == "Accepted"
        assert states(it) == ["used", "active"]


async def test_a_session_that_is_over_uses_up_none() -> None:
    async with booked() as it:
        stored = await it.start(A1, "ANNA")
        await it.stop(stored.transaction_id)
        await it.access.reservations.reserve(A1, "ANNA", LATER)
        report = start_report(A1, "ANNA", 0, START + 1)
        assert (await it.recorder.start_session(report)).transaction_id == stored.transaction_id
        assert states(it) == ["active"]


async def test_of_any_connector_one_is_left() -> None:
    async with booked(A0, connectors=3) as it:
        assert await answered(it, A1, "CAROL") == "Accepted"
        out_of_order = ConnectorStatusReported(A2, START, ConnectorStatus.FAULTED)
        it.recorder.record(out_of_order)
        await it.rig.quiet()
        assert await answered(it, ConnectorKey("A", 3), "DAVE") == "Invalid"
        assert await answered(it, ConnectorKey("A", 3), "BOB") == "Accepted"
        assert states(it) == ["used"]


async def test_a_use_that_cannot_be_kept_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with booked(A1) as it:

        async def fails(_reservation: Reservation) -> None:
            raise StorageError("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(it.rig.store, "save_reservation", fails)
            with pytest.raises(StorageError):
                await it.recorder.start_session(start_report(A1, "ANNA"))
        assert await answered(it, A1, "ANNA") == "Accepted"
        assert states(it) == ["used"]


async def test_a_charger_of_no_station_has_nothing_free() -> None:
    async with booked() as it:
        elsewhere = Reservation(5, ConnectorKey("Z", 0), "ANNA", LATER)
        await it.rig.store.save_reservation(elsewhere)
        await it.access.reservations.open()
        assert it.access.reservations.keeps_out(ConnectorKey("Z", 1), "CAROL", None)
