from __future__ import annotations

from csms.control.conditions import conditions
from csms.dispatch.standing import Condition
from csms.station.facts import ChargerBooted
from csms.station.model import ConnectorKey
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, SILENCE, Rig, refusing, rig

A1, B1 = ConnectorKey("A", 1), ConnectorKey("B", 1)
BOTH = station(charger("A", connectors=1), charger("B", connectors=1), grid_limit_w=200_000)


def told(site: Rig) -> list[str]:
    return [event.text for event in site.events.after(0) if event.kind == "condition"]


async def test_the_worst_connector_is_the_charger_s_and_the_worst_charger_the_station_s() -> None:
    async with rig(BOTH, "A") as site:
        known = site.loop.conditions(site.clock.now())
        assert known.connectors == {A1: Condition.CONTROLLED, B1: Condition.NEVER_SEEN}
        assert known.chargers == {"A": Condition.CONTROLLED, "B": Condition.NEVER_SEEN}
        assert known.station is Condition.NEVER_SEEN
        await site.connect("B")
        assert site.loop.conditions(site.clock.now()).station is Condition.CONTROLLED
        await site.disconnect("A")
        assert site.loop.conditions(site.clock.now()).chargers["A"] is Condition.OFFLINE_RESERVED


async def test_a_limit_without_a_yes_is_uncertain_until_one_is_confirmed() -> None:
    async with rig(BOTH, "A", "B") as site:
        for answer in (NO, SILENCE):
            site.link.script = refusing(answer, A1)
            await site.start(A1, 50_000)
            now = site.clock.now()
            assert site.loop.conditions(now).connectors[A1] is Condition.UNCERTAIN
            site.link.script = refusing(NO)
            await site.later(60.0)
            assert site.loop.conditions(site.clock.now()).station is Condition.CONTROLLED
            await site.end(A1)


async def test_more_than_may_be_drawn_is_overcommitted() -> None:
    async with rig(BOTH, "A", "B") as site:
        await site.start(A1)
        await site.disconnect("A")
        small = station(charger("A", connectors=1), charger("B", connectors=1), grid_limit_w=50_000)
        await site.renew(small)
        assert site.loop.conditions(site.clock.now()).station is Condition.OVERCOMMITTED
        assert told(site)[-1] == "SITE: OFFLINE_RESERVED -> OVERCOMMITTED"


async def test_what_counts_for_more_than_its_limits_is_uncontrolled() -> None:
    async with rig(BOTH, "A", "B") as site:
        standing = site.loop.standing(site.clock.now())
        site.loop.ledger.suspect(A1, 200_000)
        known = conditions(site.loop.ledger, standing, site.loop.watch)
        assert known.chargers == {"A": Condition.UNCONTROLLED, "B": Condition.CONTROLLED}


async def test_a_first_condition_comes_from_nowhere() -> None:
    async with rig(BOTH) as site:
        await site.quiet()
        assert told(site) == ["A: NEVER_SEEN", "B: NEVER_SEEN", "SITE: NEVER_SEEN"]


async def test_every_change_of_a_condition_is_told_once() -> None:
    async with rig(BOTH, "A", "B") as site:
        already = len(told(site))
        await site.disconnect("B")
        assert told(site)[already:] == [
            "B: CONTROLLED -> OFFLINE_RESERVED",
            "SITE: CONTROLLED -> OFFLINE_RESERVED",
        ]
        await site.quiet()
        assert len(told(site)) == already + 2
        site.loop.post(ChargerBooted("A", site.clock.now()))
        await site.quiet()
        assert site.loop.conditions(site.clock.now()).chargers["A"] is Condition.CONTROLLED


async def test_of_many_uncontrolled_connectors_a_few_are_named() -> None:
    five = station(*(charger(name, connectors=1, max_power_w=10_000) for name in "ABCDE"))
    async with rig(five, *"ABCDE") as site:
        for name in "ABCDE":
            site.loop.ledger.suspect(ConnectorKey(name, 1), 10_000)
        standing = site.loop.standing(site.clock.now())
        known = conditions(site.loop.ledger, standing, site.loop.watch)
        assert known.uncontrolled().startswith("A/1 not seen to obey since a pause, B/1 ")
        assert known.uncontrolled().endswith(" and 2 more")
        assert known.uncontrolled("E") == "E/1 not seen to obey since a pause"
