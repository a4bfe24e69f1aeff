from __future__ import annotations

import pytest

from csms.station.facts import (
    ChargerBooted,
    ConnectorStatusReported,
    Fact,
    MeterSample,
    SessionEnded,
    SessionStarted,
)
from csms.station.model import Charger, Connector, ConnectorKey, Station
from csms.station.presumption import PresumedEnd, presumed_over
from csms.station.register import Register
from csms.station.state import ConnectorStatus, StationState
from csms.station.update import apply

A1 = ConnectorKey("A", 1)
SITE = Station("S", 1, (Charger("A", 1, (Connector(A1, 1), Connector(ConnectorKey("A", 2), 1))),))
STARTED = SessionStarted(10.0, "s1", 7, A1, "TAG", 9.0, Register(0))
AVAILABLE = ConnectorStatusReported(A1, 20.0, ConnectorStatus.AVAILABLE)
BOOTED = ChargerBooted("A", 15.0)


def found(now: float, *facts: Fact) -> list[tuple[str, PresumedEnd, float]]:
    state = StationState.of(SITE)
    for fact in facts:
        apply(state, fact)
    return [(p.session.session_id, p.reason, p.at) for p in presumed_over(state, now, 60.0)]


def after_boot(status: ConnectorStatus) -> list[tuple[str, PresumedEnd, float]]:
    return found(80.0, STARTED, BOOTED, ConnectorStatusReported(A1, 20.0, status))


def test_available_for_a_while_is_the_end() -> None:
    assert found(79.9, STARTED, AVAILABLE) == []
    assert found(80.0, STARTED, AVAILABLE) == [("s1", PresumedEnd.AVAILABLE, 20.0)]


def test_a_connector_without_a_session_has_none_to_end() -> None:
    assert found(80.0, AVAILABLE) == []
    assert found(80.0, STARTED, AVAILABLE, SessionEnded(30.0, "s1", A1)) == []


@pytest.mark.parametrize("status", [s for s in ConnectorStatus if s is not AVAILABLE.status])
def test_no_other_status_is_the_end(status: ConnectorStatus) -> None:
    assert found(80.0, STARTED, ConnectorStatusReported(A1, 20.0, status)) == []


def test_a_status_told_before_the_session_says_nothing_of_it() -> None:
    assert found(100.0, STARTED) == []
    assert found(100.0, ConnectorStatusReported(A1, 10.0, AVAILABLE.status), STARTED) == []


@pytest.mark.parametrize(
    ("at", "power_w", "over"),
    [(30.0, 101, False), (30.0, 100, True), (20.0, 5_000, True)],
)
def test_a_connector_that_draws_is_not_believed(at: float, power_w: int, over: bool) -> None:
    sample = MeterSample(A1, at, power_w=power_w)
    assert bool(found(80.0, STARTED, sample, AVAILABLE)) is over


def test_after_a_boot_every_status_without_a_transaction_is_the_end() -> None:
    over = {s for s in ConnectorStatus if after_boot(s)}
    assert over == {
        ConnectorStatus.AVAILABLE,
        ConnectorStatus.PREPARING,
        ConnectorStatus.FINISHING,
        ConnectorStatus.RESERVED,
    }
    assert after_boot(ConnectorStatus.PREPARING) == [("s1", PresumedEnd.REBOOTED, 20.0)]


def test_a_boot_before_the_session_is_no_reason() -> None:
    preparing = ConnectorStatusReported(A1, 20.0, ConnectorStatus.PREPARING)
    assert found(80.0, ChargerBooted("A", 10.0), STARTED, preparing) == []


def test_a_boot_after_the_status_leaves_the_status_as_it_was() -> None:
    assert found(80.0, STARTED, AVAILABLE, ChargerBooted("A", 21.0)) == [
        ("s1", PresumedEnd.AVAILABLE, 20.0)
    ]
