"""What the API asks of the stations."""

from __future__ import annotations

import inspect

import pytest

from csms.api.operations import (
    CommandOperations,
    CommissioningOperations,
    GridLimitOperations,
    LocalListOperations,
    Operations,
    ReservationOperations,
    SecurityOperations,
    SessionOperations,
    TokenOperations,
)
from csms.control.charger_security import SecurityDesk
from csms.control.commands import ChargerCommands
from csms.control.commission import Commissioning
from csms.control.grid_limits import GridLimits
from csms.control.local_lists import LocalLists
from csms.control.reservations import Reservations
from csms.control.sessions import SessionRequests
from csms.control.supervisor import Supervisor
from csms.control.tokens import Tokens
from tests.unit.csms.api.fakes import (
    FakeCommands,
    FakeCommissioning,
    FakeGridLimits,
    FakeLocalLists,
    FakeOperations,
    FakeReservations,
    FakeSecurity,
    FakeSessions,
)


def the_type_checker_holds_both_to_it(
    supervisor: Supervisor, fake: FakeOperations
) -> tuple[Operations, Operations]:
    return supervisor, fake


@pytest.mark.parametrize(
    ("port", "size", "implementations"),
    [
        (Operations, 18, (Supervisor, FakeOperations)),
        (GridLimitOperations, 5, (GridLimits, FakeGridLimits)),
        (SessionOperations, 4, (SessionRequests, FakeSessions)),
        (TokenOperations, 5, (Tokens,)),
        (ReservationOperations, 3, (Reservations, FakeReservations)),
        (LocalListOperations, 2, (LocalLists, FakeLocalLists)),
        (CommissioningOperations, 2, (Commissioning, FakeCommissioning)),
        (CommandOperations, 3, (ChargerCommands, FakeCommands)),
        (SecurityOperations, 4, (SecurityDesk, FakeSecurity)),
    ],
)
def test_the_real_one_and_the_fake_take_the_same_arguments(
    port: type, size: int, implementations: tuple[type, ...]
) -> None:
    asked = {name for name in vars(port) if not name.startswith("_")}
    assert len(asked) == size
    for name in asked:
        wanted = inspect.signature(getattr(port, name)).parameters
        for cls in implementations:
            offered = inspect.signature(getattr(cls, name)).parameters
            assert list(offered) == list(wanted), name
            assert [p.default for p in offered.values()] == [p.default for p in wanted.values()]
