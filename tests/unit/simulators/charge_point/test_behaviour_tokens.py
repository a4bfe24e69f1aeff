"""Tokens that end transactions or are known already, and connectors that break."""

from __future__ import annotations

import pytest

from simulators.charge_point.behaviour import Behaviour
from simulators.charge_point.messages import StatusChanged, TokenPresented, TransactionOver
from simulators.charge_point.reservations import Kept
from simulators.vehicle.vehicle import ConstantVehicle
from tests.unit.simulators.charge_point.test_behaviour import at, charger, charging, number, told


def test_the_token_of_a_transaction_ends_it_once_csms_agrees() -> None:
    behaviour = charging()
    behaviour.present_token(1, "tag", online=True, moment=at(1))
    (shown,) = behaviour.drain()
    assert shown == TokenPresented(1, "tag", to_end=True)
    behaviour.stopped_by(1, "tag", at(2))
    over, status = behaviour.drain()
    assert isinstance(over, TransactionOver)
    assert (over.transaction.reason, over.transaction.stopped_by) == ("Local", "tag")
    assert told([status]) == [("status", 1, "Finishing")]
    behaviour.stopped_by(1, "tag", at(3))
    assert behaviour.drain() == []


def test_offline_the_token_of_a_transaction_ends_it_at_once() -> None:
    behaviour = charging()
    behaviour.present_token(1, "TAG", online=False, moment=at(1))
    assert told(behaviour.drain()) == [("over", 1, "Local"), ("status", 1, "Finishing")]


def twice(valid: bool) -> Behaviour:
    """A charger where a token has charged, and is shown again to a next vehicle."""
    behaviour = charging()
    transaction = behaviour.connector(1).transaction
    assert transaction is not None
    behaviour.start_answered(transaction, 7, valid=valid, moment=at(1))
    behaviour.unplug(1, at(2))
    behaviour.plug_in(1, ConstantVehicle(50_000.0), at(3))
    behaviour.drain()
    behaviour.present_token(1, "TAG", online=True, moment=at(4))
    return behaviour


def test_a_token_that_is_known_need_not_be_asked_about() -> None:
    assert told(twice(valid=True).drain()) == [("token", 1, "TAG")]
    behaviour = charging()
    behaviour.configuration.change("LocalPreAuthorize", "true")
    behaviour.plug_in(2, ConstantVehicle(50_000.0), at(1))
    behaviour.drain()
    behaviour.present_token(2, "TAG", online=True, moment=at(2))
    assert told(behaviour.drain()) == [("begun", 2, "TAG"), ("status", 2, "Charging")]
    assert twice(valid=False).cache == set()


def test_a_remote_start_may_have_its_token_asked_about() -> None:
    behaviour = charger()
    behaviour.configuration.change("AuthorizeRemoteTxRequests", "true")
    assert behaviour.remote_start(2, "TAG", at(0)) is True
    assert told(behaviour.drain()) == [("token", 2, "TAG")]
    behaviour.authorised(2, "TAG", at(1))
    assert told(behaviour.drain()) == [("status", 2, "Preparing")]


def test_unlocking_ends_what_runs() -> None:
    behaviour = charging()
    assert behaviour.unlock(1, at(1)) == "Unlocked"
    assert told(behaviour.drain()) == [("over", 1, "UnlockCommand"), ("status", 1, "Finishing")]
    assert behaviour.unlock(2, at(2)) == "Unlocked"
    assert behaviour.unlock(3, at(2)) == "NotSupported"
    assert behaviour.drain() == []


def test_a_broken_connector_starts_nothing_until_it_is_mended() -> None:
    behaviour = charging()
    behaviour.break_down(1, "ConnectorLockFailure", at(1))
    over, faulted = behaviour.drain()
    assert told([over]) == [("over", 1, "Other")]
    assert isinstance(faulted, StatusChanged)
    assert (faulted.status, faulted.error_code) == ("Faulted", "ConnectorLockFailure")
    assert behaviour.remote_start(1, "TAG", at(2)) is False
    behaviour.break_down(1, "NoError", at(3))
    assert told(behaviour.drain()) == [("status", 1, "Finishing")]
    assert behaviour.remote_start(1, "TAG", at(4)) is True
    number(behaviour, 1, 8)


def test_a_loss_of_power_ends_everything() -> None:
    behaviour = charging()
    behaviour.reboot(at(1), hard=True, power_lost=True)
    assert told(behaviour.drain())[0] == ("over", 1, "PowerLoss")


@pytest.mark.parametrize(("connector_id", "answer"), [(0, "Accepted"), (1, "Occupied")])
def test_any_connector_can_be_reserved_while_one_is_free(connector_id: int, answer: str) -> None:
    behaviour = charging()
    kept = Kept(5, connector_id, "TAG", None, at(60).utc_s)
    assert behaviour.reserve(kept, at(1)) == answer


def test_no_connector_can_be_reserved_when_none_is_free() -> None:
    behaviour = charging(connectors=1)
    assert behaviour.reserve(Kept(5, 0, "TAG", None, at(60).utc_s), at(1)) == "Occupied"
    assert behaviour.reserve(Kept(5, 4, "TAG", None, at(60).utc_s), at(1)) == "Unavailable"
