from __future__ import annotations

from typing import Any

import pytest

from simulators.charge_point.answers import Answers
from simulators.charge_point.behaviour import Behaviour
from simulators.charge_point.configuration import Configuration
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.charge_point.messages import BootDue, HeartbeatDue, Message, StatusChanged
from simulators.charge_point.quirks import Quirks
from simulators.moment import Moment
from simulators.vehicle.vehicle import ConstantVehicle
from tests.unit.simulators.central import NOON_S, profile

NOW = Moment(NOON_S + 0.4, 0.4)


class Desk:
    """A charge point that is asked, and what came of it."""

    def __init__(self, kind: CurrentType = CurrentType.DC, quirks: Quirks | None = None) -> None:
        hardware = Hardware.uniform("CP001", 200_000.0, 2, kind)
        self.behaviour = Behaviour(hardware, Configuration(hardware), quirks or Quirks())
        self.sent: list[Message] = []
        self.resets: list[bool] = []
        self.changes = 0
        self.answers = Answers(
            self.behaviour,
            moment=lambda: NOW,
            changed=self._changed,
            send=self.sent.append,
            reset=self.resets.append,
        )

    def _changed(self) -> None:
        self.changes += 1

    def charge(self) -> None:
        self.behaviour.plug_in(1, ConstantVehicle(150_000.0), NOW)
        assert self.answers.remote_start(1, "TAG") == "Accepted"
        transaction = self.behaviour.connector(1).transaction
        assert transaction is not None
        self.behaviour.start_answered(transaction, 7, valid=True, moment=NOW)


def test_remote_start_and_stop() -> None:
    desk = Desk()
    desk.charge()
    assert desk.answers.remote_start(1, "TAG") == "Rejected"
    assert desk.answers.remote_stop(8) == "Rejected"
    assert desk.answers.remote_stop(7) == "Accepted"
    assert desk.behaviour.connector(1).transaction is None
    assert desk.changes == 4


def test_profiles_are_set_and_cleared() -> None:
    desk = Desk()
    desk.charge()
    assert desk.answers.set_profile(1, profile(80_000, transaction_id=7)) == "Accepted"
    assert desk.behaviour.limits_w()[1] == 80_000.0
    assert desk.answers.set_profile(1, profile(80_000, transaction_id=8)) == "Rejected"
    assert desk.answers.clear_profiles(5, None, None, None) == "Unknown"
    assert desk.answers.clear_profiles(None, 1, "TxProfile", 0) == "Accepted"
    assert desk.behaviour.limits_w()[1] == 200_000.0


def schedule(desk: Desk, connector_id: int, unit: str | None = None) -> dict[str, Any]:
    answer = desk.answers.composite_schedule(connector_id, 600, unit)
    assert answer is not None
    return answer


def test_a_composite_schedule_in_watts() -> None:
    desk = Desk()
    desk.charge()
    desk.answers.set_profile(1, profile(80_000, transaction_id=7))
    assert schedule(desk, 1) == {
        "duration": 600,
        "startSchedule": "2025-01-01T12:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 80_000.0}],
    }


def test_a_composite_schedule_in_amperes_per_phase() -> None:
    desk = Desk(CurrentType.AC)
    desk.charge()
    desk.answers.set_profile(1, profile(16, transaction_id=7, unit="A"))
    answer = schedule(desk, 1, "A")
    assert answer["chargingRateUnit"] == "A"
    assert answer["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 16.0}]


def test_without_profiles_the_composite_schedule_is_the_hardware() -> None:
    desk = Desk()
    assert schedule(desk, 0)["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 200_000.0}]
    assert schedule(desk, 2)["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 200_000.0}]


def test_no_composite_schedule_of_a_connector_that_is_not_there() -> None:
    assert Desk().answers.composite_schedule(3, 600, None) is None


def test_a_composite_schedule_is_at_most_a_week() -> None:
    answer = Desk().answers.composite_schedule(1, 10**9, None)
    assert answer is not None
    assert answer["duration"] == 604_800


def test_configuration_is_read_and_changed() -> None:
    desk = Desk()
    assert desk.answers.change_configuration("MeterValueSampleInterval", "5") == "Accepted"
    assert desk.answers.change_configuration("NumberOfConnectors", "5") == "Rejected"
    assert desk.answers.change_configuration("Nonsense", "5") == "NotSupported"
    assert desk.answers.configuration(["MeterValueSampleInterval", "Nonsense"]) == {
        "configurationKey": [{"key": "MeterValueSampleInterval", "readonly": False, "value": "5"}],
        "unknownKey": ["Nonsense"],
    }


def test_triggers() -> None:
    desk = Desk()
    assert desk.answers.trigger("Heartbeat", None) == "Accepted"
    assert desk.answers.trigger("BootNotification", None) == "Accepted"
    assert desk.sent == [HeartbeatDue(), BootDue()]
    assert desk.answers.trigger("StatusNotification", 2) == "Accepted"
    assert [m.connector_id for m in desk.behaviour.drain() if isinstance(m, StatusChanged)] == [2]
    assert desk.answers.trigger("MeterValues", 1) == "Accepted"
    assert len([m for m in desk.behaviour.drain() if not isinstance(m, StatusChanged)]) == 1


@pytest.mark.parametrize(
    ("message", "connector_id", "status"),
    [
        ("LunchNotification", None, "NotImplemented"),
        ("StatusNotification", 3, "Rejected"),
        ("StatusNotification", 0, "Accepted"),
    ],
)
def test_triggers_it_cannot_serve(message: str, connector_id: int | None, status: str) -> None:
    desk = Desk()
    assert desk.answers.trigger(message, connector_id) == status


def test_resets_are_passed_on() -> None:
    desk = Desk()
    assert desk.answers.reset("Hard") == "Accepted"
    assert desk.answers.reset("Soft") == "Accepted"
    assert desk.resets == [True, False]


def test_a_charger_without_composite_schedules_rejects_the_question() -> None:
    desk = Desk(quirks=Quirks(no_composite=True))
    assert desk.answers.composite_schedule(1, 60, None) is None


def test_a_connector_out_of_service_starts_nothing_until_it_is_back() -> None:
    desk = Desk()
    assert desk.answers.change_availability(1, "Inoperative") == "Accepted"
    assert desk.behaviour.connector(1).status() == "Unavailable"
    desk.behaviour.plug_in(1, ConstantVehicle(150_000.0), NOW)
    assert desk.answers.remote_start(1, "TAG") == "Rejected"
    desk.behaviour.authorised(1, "TAG", NOW)
    assert desk.behaviour.connector(1).transaction is None
    assert desk.behaviour.connector(2).status() == "Available"
    assert desk.answers.change_availability(0, "Operative") == "Accepted"
    assert desk.answers.remote_start(1, "TAG") == "Accepted"
    assert desk.answers.change_availability(3, "Inoperative") == "Rejected"


def test_a_transaction_goes_on_to_its_end_before_the_connector_is_out_of_service() -> None:
    desk = Desk()
    desk.charge()
    assert desk.answers.change_availability(1, "Inoperative") == "Scheduled"
    assert desk.behaviour.connector(1).transaction is not None
    assert desk.answers.remote_stop(7) == "Accepted"
    assert desk.behaviour.connector(1).status() == "Unavailable"


def test_a_charger_may_say_yes_to_a_stop_and_go_on() -> None:
    desk = Desk(quirks=Quirks(ignores_remote_stop=True))
    desk.charge()
    assert desk.answers.remote_stop(7) == "Accepted"
    assert desk.behaviour.connector(1).transaction is not None


def test_the_cache_is_cleared_where_there_is_one() -> None:
    desk = Desk()
    desk.charge()
    assert desk.behaviour.cache == {"tag"}
    assert desk.answers.clear_cache() == "Accepted"
    assert desk.behaviour.cache == set()
    desk.answers.change_configuration("AuthorizationCacheEnabled", "false")
    assert desk.answers.clear_cache() == "Rejected"


def test_unlocking_is_seen_at_once() -> None:
    desk = Desk()
    desk.charge()
    changes = desk.changes
    assert desk.answers.unlock(1) == "Unlocked"
    assert desk.changes == changes + 1
    assert desk.answers.unlock(9) == "NotSupported"
