"""The checker sees what it is there to see. What csms does about it is no matter here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from csms.station.model import Feeder, Station
from simulators.charge_point.hardware import Hardware
from tests.simulation.chance import Chance
from tests.simulation.charger import SimulatedCharger, Surroundings
from tests.simulation.checker import Checker
from tests.simulation.network import Line, Network
from tests.simulation.settings import ChargerFaults, NetworkFaults, WorldSettings
from tests.simulation.traits import IDEAL
from tests.simulation.virtual_time import VirtualLoop
from tests.stations import charger, station

SITE = station(
    charger("CP1", fallback_w=1000, feeder_id="F"),
    charger("CP2", fallback_w=1000),
    grid_limit_w=100_000,
    feeders=(Feeder("F", 50_000),),
)


@dataclass
class Bench:
    loop: VirtualLoop
    checker: Checker
    chargers: dict[str, SimulatedCharger]

    def draw(self, charger_id: str, watts: float) -> None:
        """From now on this charger could draw so much."""
        self.chargers[charger_id].physics_w = {1: watts, 2: 0.0}
        self.checker.moved(self.chargers[charger_id])

    def after(self, seconds: float, act: Callable[[], None] = lambda: None) -> None:
        """Let time pass, then do something."""

        async def wait() -> None:
            over = self.loop.create_future()
            self.loop.call_later(seconds, over.set_result, None)
            await over
            act()

        self.loop.run_until_complete(wait())

    def rules(self) -> list[str]:
        return [breach.rule for breach in self.checker.breaches]


@contextmanager
def bench(built: Station = SITE, settings: WorldSettings | None = None) -> Iterator[Bench]:
    loop = VirtualLoop()
    chargers: dict[str, SimulatedCharger] = {}
    checker = Checker(loop, settings or WorldSettings(), built, chargers)
    network = Network(loop, Chance(1), NetworkFaults(), touched=lambda *_: None)
    network.accept = _answers
    around = Surroundings(
        loop,
        dial=network.dial,
        changed=lambda _: None,
        note=lambda *_: None,
        faults=ChargerFaults(),
        random=Chance(1).stream("test"),
    )
    for charger_id in ("CP1", "CP2"):
        hardware = Hardware.uniform(charger_id, 200_000, 2)
        fallback_w = {1: 1000, 2: 1000}
        chargers[charger_id] = SimulatedCharger(
            hardware, IDEAL, fallback_w, around, meter_interval_s=60
        )
    try:
        yield Bench(loop, checker, chargers)
    finally:
        loop.close()


def test_what_fits_breaks_nothing() -> None:
    with bench() as site:
        site.draw("CP1", 50_000)
        site.draw("CP2", 50_000)
        assert site.rules() == []


def test_a_watt_per_connector_is_rounding() -> None:
    with bench() as site:
        site.draw("CP2", 100_004)
        assert site.rules() == []
        site.draw("CP2", 100_005)
        assert site.rules() == ["physics"]


def test_a_feeder_has_its_own_limit() -> None:
    with bench() as site:
        site.draw("CP1", 60_000)
        assert "feeder" in site.checker.breaches[0].text


def test_a_breach_counts_once_from_its_beginning_to_its_end() -> None:
    with bench() as site:
        for watts in (120_000, 130_000, 90_000, 120_000):
            site.draw("CP2", watts)
        assert site.rules() == ["physics", "physics"]


def test_after_a_cut_there_are_three_seconds_and_no_more() -> None:
    with bench() as site:
        _online(site)
        site.draw("CP2", 90_000)
        site.checker.limited(40_000)
        site.after(2.9, site.checker.look)
        assert site.rules() == []
        site.after(0.2)
        assert site.rules() == ["physics"]


def test_a_raise_that_was_on_its_way_when_a_cut_came_is_excused_for_three_seconds() -> None:
    with bench() as site:
        _online(site)
        site.draw("CP2", 30_000)
        site.checker.limited(40_000)
        site.after(0.1, lambda: site.draw("CP2", 60_000))
        site.after(2.8, site.checker.look)
        assert site.rules() == []
        site.after(0.2)
        assert site.rules() == ["physics"]


def test_a_raise_later_than_that_is_not_excused() -> None:
    with bench() as site:
        _online(site)
        site.draw("CP2", 30_000)
        site.checker.limited(40_000)
        site.after(4, lambda: site.draw("CP2", 41_000))
        assert site.rules() == ["physics"]


def test_a_charger_out_of_reach_may_keep_its_limit_but_the_others_make_room() -> None:
    with bench() as site:
        _online(site, "CP1")
        site.draw("CP1", 30_000)
        site.draw("CP2", 35_000)
        site.checker.limited(40_000)
        site.after(60, site.checker.look)
        assert site.rules() == []
        site.after(20, site.checker.look)
        assert site.rules() == ["physics"]
        site.draw("CP1", 5_000)
        site.after(100, site.checker.look)
        assert site.rules() == ["physics"]


def test_a_charger_on_a_half_open_line_is_out_of_reach() -> None:
    with bench() as site:
        _online(site)
        line = site.chargers["CP2"].line
        assert line is not None
        site.draw("CP2", 60_000)
        line.half_open = True
        site.checker.limited(40_000)
        site.after(50, site.checker.look)
        assert site.rules() == []


def test_a_lease_ends_what_a_charger_out_of_reach_may_keep() -> None:
    with bench() as site:
        _online(site)
        site.checker.touched("CP1", "dialled")
        site.checker.touched("CP2", "dialled")
        site.draw("CP2", 90_000)
        site.after(200)
        _half_open(site, "CP2")
        site.checker.limited(40_000)
        site.after(179, site.checker.look)
        assert site.rules() == []
        site.after(2)
        assert site.rules() == ["physics"]


@pytest.mark.parametrize(("in_touch_s", "skew_s"), [(100, 0.0), (200, 3_600.0)])
def test_no_lease_is_expected_before_the_time_is_told_or_of_a_wrong_clock(
    in_touch_s: float, skew_s: float
) -> None:
    with bench() as site:
        _online(site)
        site.checker.touched("CP2", "dialled")
        site.draw("CP2", 90_000)
        site.chargers["CP2"].spells.skew_s = skew_s
        site.after(in_touch_s)
        _half_open(site, "CP2")
        site.checker.limited(40_000)
        site.after(250, site.checker.look)
        assert site.rules() == []


def test_a_limit_is_no_breach_of_a_rule_that_is_not_judged() -> None:
    with bench(settings=replace(WorldSettings(), judged=("ledger",))) as site:
        site.draw("CP2", 120_000)
        assert site.rules() == []


def test_what_fails_is_a_breach_whatever_is_judged() -> None:
    with bench(settings=replace(WorldSettings(), judged=())) as site:
        site.checker.failed("something broke")
        assert site.rules() == ["error"]
        assert site.checker.trace_of_first[-1][1] == "BREACH of error: something broke"


def test_energy_above_the_limit_is_measured() -> None:
    with bench() as site:
        site.draw("CP2", 110_000)
        site.after(36, lambda: site.draw("CP2", 0))
        assert site.checker.tally.overload_ws == pytest.approx(360_000)
        assert site.checker.tally.worst_w == 10_000


def _half_open(site: Bench, charger_id: str) -> None:
    line = site.chargers[charger_id].line
    assert line is not None
    line.half_open = True
    site.checker.touched(charger_id, "half-open line")


def _online(site: Bench, *ids: str) -> None:
    """These chargers are in reach: csms has accepted them."""
    for charger_id in ids or tuple(site.chargers):
        site.chargers[charger_id].dial()
    site.after(1)


def _answers(line: Line) -> bool:
    """A csms that accepts whoever boots, and says nothing else."""
    line.csms_end.write('[3,"' + line.charger_id + '-1",{"status":"Accepted","interval":300}]')
    return True
