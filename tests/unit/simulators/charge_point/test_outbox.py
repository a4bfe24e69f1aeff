from __future__ import annotations

from simulators.charge_point.messages import (
    HeartbeatDue,
    Message,
    MeterSampled,
    Status,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.meter import Reading
from simulators.charge_point.outbox import Outbox

TRANSACTION = Transaction(1, "TAG", 1000.0, 0)
BEGUN = TransactionBegun(TRANSACTION)
OVER = TransactionOver(TRANSACTION)
STATUS = StatusChanged(1, Status.CHARGING, 1000.0)
TOKEN = TokenPresented(1, "TAG")


def sample(number: int) -> MeterSampled:
    return MeterSampled(1, TRANSACTION, Reading(number, 0.0, 0.0), 1000.0)


def emptied(outbox: Outbox, now: float = 0.0) -> list[Message]:
    messages = []
    while (message := outbox.head(now)) is not None:
        messages.append(message)
        outbox.delivered()
    return messages


def test_messages_leave_in_their_order() -> None:
    outbox = Outbox()
    outbox.put([STATUS, BEGUN])
    outbox.put([OVER])
    assert len(outbox) == 3
    assert emptied(outbox) == [STATUS, BEGUN, OVER]
    assert outbox.wait_s(0.0) is None


def test_the_head_stays_until_it_is_delivered() -> None:
    outbox = Outbox()
    outbox.put([BEGUN])
    assert outbox.head(0.0) is BEGUN
    assert outbox.head(0.0) is BEGUN
    assert outbox.wait_s(0.0) == 0.0


def test_some_go_before_all_others() -> None:
    outbox = Outbox()
    outbox.put([BEGUN])
    outbox.put_first([STATUS, TOKEN])
    assert emptied(outbox) == [STATUS, TOKEN, BEGUN]


def test_a_lost_link_leaves_what_is_about_transactions() -> None:
    outbox = Outbox()
    outbox.put([STATUS, BEGUN, TOKEN, sample(1), HeartbeatDue(), OVER])
    outbox.link_lost()
    assert emptied(outbox) == [BEGUN, sample(1), OVER]


def test_a_failed_transaction_message_is_tried_again_later_each_time() -> None:
    outbox = Outbox()
    outbox.put([BEGUN, OVER])
    outbox.failed(100.0, attempts=5, retry_interval_s=10.0)
    assert outbox.head(109.9) is None
    assert outbox.wait_s(104.0) == 6.0
    assert outbox.head(110.0) is BEGUN
    outbox.failed(110.0, attempts=5, retry_interval_s=10.0)
    assert outbox.head(129.9) is None
    assert outbox.head(130.0) is BEGUN


def test_after_the_last_try_a_message_is_dropped() -> None:
    outbox = Outbox()
    outbox.put([BEGUN, OVER])
    outbox.failed(0.0, attempts=2, retry_interval_s=1.0)
    outbox.failed(1.0, attempts=2, retry_interval_s=1.0)
    assert outbox.head(1.0) is OVER
    assert outbox.dropped == 1


def test_other_messages_are_tried_once() -> None:
    outbox = Outbox()
    outbox.put([STATUS, BEGUN])
    outbox.failed(0.0, attempts=5, retry_interval_s=10.0)
    assert outbox.head(0.0) is BEGUN
    assert outbox.dropped == 1


def test_a_delivery_ends_the_waiting() -> None:
    outbox = Outbox()
    outbox.put([BEGUN, OVER])
    outbox.failed(0.0, attempts=5, retry_interval_s=10.0)
    outbox.delivered()
    assert outbox.head(0.0) is OVER


def test_a_new_link_may_try_at_once() -> None:
    outbox = Outbox()
    outbox.put([BEGUN])
    outbox.failed(0.0, attempts=5, retry_interval_s=10.0)
    outbox.link_lost()
    assert outbox.head(0.0) is BEGUN


def test_over_capacity_old_samples_go_first_and_never_the_head() -> None:
    outbox = Outbox(capacity=3)
    outbox.put([BEGUN, sample(1), sample(2), OVER, sample(3)])
    assert outbox.dropped == 2
    assert emptied(outbox) == [BEGUN, OVER, sample(3)]


def test_over_capacity_without_samples_the_oldest_after_the_head_goes() -> None:
    outbox = Outbox(capacity=2)
    outbox.put([sample(1), BEGUN, OVER])
    assert emptied(outbox) == [sample(1), OVER]
