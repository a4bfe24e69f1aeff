from __future__ import annotations

import pytest

from simulators.charge_point.messages import (
    BootDue,
    HeartbeatDue,
    Message,
    MeterSampled,
    Status,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
    kept_offline,
)
from simulators.charge_point.meter import Reading

TRANSACTION = Transaction(1, "TAG", 1000.0, 5)
READING = Reading(energy_wh=5, power_w=0.0, offered_w=0.0)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (TransactionBegun(TRANSACTION), True),
        (TransactionOver(TRANSACTION), True),
        (MeterSampled(1, TRANSACTION, READING, 1000.0), True),
        (MeterSampled(1, None, READING, 1000.0), False),
        (StatusChanged(1, Status.AVAILABLE, 1000.0), False),
        (TokenPresented(1, "TAG"), False),
        (HeartbeatDue(), False),
        (BootDue(), False),
    ],
)
def test_what_is_about_a_transaction_is_kept_offline(message: Message, kept: bool) -> None:
    assert kept_offline(message) is kept


def test_a_transaction_without_a_number_is_minus_one_on_the_wire() -> None:
    transaction = Transaction(1, "TAG", 1000.0, 5)
    assert transaction.wire_id == -1
    transaction.transaction_id = 7
    assert transaction.wire_id == 7
    assert transaction.as_running().transaction_id == 7
    assert transaction.as_running().started_at == 1000.0
