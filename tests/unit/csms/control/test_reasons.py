"""Why connectors are not under control, in words."""

from __future__ import annotations

import pytest

from csms.control.view import station_status
from csms.dispatch.commands import Scope
from csms.ports import Answer
from csms.station.facts import MeterSample
from csms.station.model import Charger, ConnectorKey, Station, Told
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO, SILENCE, YES, Rig, answering, refusing, rig

A1, B1 = ConnectorKey("A", 1), ConnectorKey("B", 1)


def alone(told: Told | None = None) -> Station:
    built = charger("A", max_power_w=100_000, connectors=1)
    return station(Charger("A", 100_000, built.connectors, capabilities=told or Told()))


def why(site: Rig) -> str | None:
    return station_status(site.loop, site.clock.now()).connector(A1).reason


async def draws(site: Rig, power_w: int, times: int = 1) -> None:
    for _ in range(times):
        site.clock.advance(10.0)
        now = site.clock.now()
        site.loop.post(MeterSample(A1, now, measured_at=now, power_w=power_w))
        await site.quiet()


async def test_nothing_is_said_of_what_is_under_control() -> None:
    async with rig(alone(), "A") as site:
        assert why(site) is None


async def test_who_is_not_there_is_said() -> None:
    async with rig(alone()) as site:
        await site.quiet()
        assert why(site) == "never seen"
        await site.connect("A")
        await site.disconnect("A")
        assert why(site) == "not connected"


@pytest.mark.parametrize(("answer", "words"), [(NO, "refused"), (SILENCE, "not answered")])
async def test_a_fallback_and_a_limit_without_a_yes_are_told_apart(
    answer: Answer, words: str
) -> None:
    async with rig(alone()) as site:
        site.link.script = lambda _: answer
        await site.connect("A")
        assert why(site) == f"its fallback was {words}"
        site.link.script = lambda _: YES
        await site.later(400.0)
        site.link.script = refusing(answer, A1)
        await site.start(A1, 50_000)
        assert why(site) == f"a limit was {words}"


async def test_a_fallback_that_is_on_its_way_or_was_never_sent_is_not_answered() -> None:
    async with rig(alone()) as site:
        site.link.configuration_ready.clear()
        site.link.script = answering(SILENCE, B1, scope=Scope.DEFAULT)
        site.link.script = lambda _: None
        await site.connect("A")
        sent = "not answered yet" if site.link.limits else "not sent yet"
        assert why(site) == f"its fallback was {sent}"
        site.link.configuration_ready.set()
        await site.quiet()
        assert why(site) == "its fallback was not answered yet"


async def test_what_is_drawn_is_told_with_what_was_allowed_also_in_the_event() -> None:
    async with rig(alone(), "A") as site:
        await site.start(A1, 11_000)
        await draws(site, 11_000, 2)
        await draws(site, 23_100, 2)
        assert why(site) == "draws 23.1 kW above 11.0 kW"
        told = [e.text for e in site.events.after(0) if e.kind == "condition"]
        assert told[-2:] == [
            "A: CONTROLLED -> UNCONTROLLED (A/1 draws 23.1 kW above 11.0 kW)",
            "SITE: CONTROLLED -> UNCONTROLLED (A/1 draws 23.1 kW above 11.0 kW)",
        ]


async def test_power_without_a_session_is_told() -> None:
    async with rig(alone(), "A") as site:
        await draws(site, 5_000)
        assert why(site) == "draws 5.0 kW without a session"


async def test_a_charger_that_forgets_is_told() -> None:
    async with rig(alone(Told(survives_reboot=False)), "A") as site:
        assert why(site) == "forgets its limits"
