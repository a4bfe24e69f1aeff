"""What every connector should be told, and when once more."""

from __future__ import annotations

import itertools

from csms.control.capabilities import CapabilityBook
from csms.control.contact import Contact
from csms.control.contacts import Contacts, Registered
from csms.control.orders import OrderBook
from csms.control.set_up import SetUpBook
from csms.control.wishes import WishList
from csms.dispatch.commands import Form, Purpose, Scope, SetLimit
from csms.dispatch.ledger import Ledger
from csms.dispatch.planner import Wish
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Limit,
    LimitSource,
    RateUnit,
)
from csms.station.state import StationState
from csms.storage.memory import MemoryStore
from tests.stations import charger, station
from tests.unit.csms.control.fakes import FakeClock, FakeLink, ac_charger, loop_settings, rig

ONE = ConnectorKey("A", 1)


class Ready(Contacts):
    """Contacts of which every one is ready for limits."""

    def get(self, charger_id: str) -> Contact | None:
        return Contact(0.0, ready=True)


class Nobody:
    """Takes items, and does nothing about them."""

    def post(self, item: Registered) -> None:
        """Nobody waits for it."""

    async def caught_up(self) -> None:
        """Nothing is left to be done."""


def fallbacks(wishes: list[Wish]) -> list[tuple[str, bool]]:
    return [(str(w.connector), w.again) for w in wishes if w.scope is Scope.DEFAULT]


def test_what_is_to_be_told_once_more_is_asked_for_until_it_is_told() -> None:
    state = StationState.of(station(charger("A"), charger("B", connectors=1)))
    capabilities = CapabilityBook(MemoryStore())
    orders = OrderBook(state, capabilities, itertools.count(1), DispatchPolicy())
    wishes = WishList(state, Ledger(state.station), orders)
    set_ups = SetUpBook(FakeClock(), lambda _kind, _text: None)
    ready = Ready(state, FakeLink(), loop_settings().registration, set_ups, Nobody())
    assert fallbacks(wishes.of({}, ready)) == [("A/1", False), ("A/2", False), ("B/1", False)]
    wishes.again(ONE)
    wishes.again(ConnectorKey("B", 1))
    assert fallbacks(wishes.of({}, ready)) == [("A/1", True), ("A/2", False), ("B/1", True)]
    wishes.told(ONE, Scope.SESSION)
    assert fallbacks(wishes.of({}, ready))[0] == ("A/1", True)
    wishes.told(ONE, Scope.DEFAULT)
    assert fallbacks(wishes.of({}, ready))[0] == ("A/1", False)
    del state.connectors[ConnectorKey("B", 1)]
    wishes.forget_others()
    assert fallbacks(wishes.of({}, ready))[2] == ("B/1", False)


async def test_a_limit_says_everything_the_wire_needs() -> None:
    connector = Connector(ONE, 22_000, CurrentType.AC, phases=1, voltage_v=240)
    async with rig(station(Charger("A", 22_000, (connector,))), "A") as site:
        await site.start(ONE, 5_000)
        assert site.link.last(ONE) == SetLimit(
            token=2,
            connector=ONE,
            scope=Scope.SESSION,
            limit=Limit(4_992, LimitSource.VEHICLE),
            form=Form(Purpose.SESSION, RateUnit.AMPERES),
            session_id="s1",
            transaction_id=101,
            current_type=CurrentType.AC,
            phases=1,
            voltage_v=240,
        )


async def test_the_dc_connector_of_a_charger_with_both_is_given_watts() -> None:
    async with rig(station(ac_charger(first=CurrentType.DC)), "AC") as site:
        assert {str(c.connector): c.form.unit for c in site.link.limits} == {
            "AC/1": RateUnit.WATTS,
            "AC/2": RateUnit.AMPERES,
        }
