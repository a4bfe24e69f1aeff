from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from simulators.charge_point.client import ClientSettings
from simulators.charge_point.events import Event
from simulators.clock import Clock
from simulators.operator_api import OperatorApi
from simulators.runner import Options, Player, ScenarioReport, StepReport
from simulators.scenario import parse_scenario
from tests.unit.simulators.central import EqualShares, TickingClock, until

QUICK = ClientSettings(tick_s=0.001, redial_first_s=0.0, redial_most_s=0.0)
PATIENT = Options(patience=20.0)

STATION = """
name = "test"
[station]
stationId = "S"
gridCapacity = 200
chargers = [{ id = "CP001", maxPower = 400, connectors = 4 }]
"""


def arrive(connector: int, *, declare: bool = True, at: float = 0, kw: float = 150) -> str:
    return f"""
[[step]]
at = {at}
action = "arrive"
connector = "CP001/{connector}"
declare = {str(declare).lower()}
vehicle = {{ max_kw = {kw} }}
"""


def leave(connector: int) -> str:
    return f'[[step]]\nat = 0\naction = "leave"\nconnector = "CP001/{connector}"\n'


def grid(capacity_kw: float) -> str:
    return f'[[step]]\nat = 0\naction = "grid"\ncapacity_kw = {capacity_kw}\n'


def want(connector: int, kw: float) -> str:
    return f'[[step]]\nat = 0\naction = "want"\nconnector = "CP001/{connector}"\nkw = {kw}\n'


def expect(**allocated: float) -> str:
    inner = ", ".join(f'"CP001/{name[1:]}" = {kw}' for name, kw in allocated.items())
    return f'[[step]]\nat = 0\naction = "expect"\nallocated = {{ {inner} }}\n'


class Show:
    """A player with everything around it."""

    def __init__(
        self,
        steps: str,
        *,
        central: EqualShares | None = None,
        options: Options = PATIENT,
        clock: Clock | None = None,
        head: str = STATION,
    ) -> None:
        self.central = central or EqualShares(200.0)
        self.stop = asyncio.Event()
        self.events: list[Event] = []
        client = httpx.AsyncClient(transport=self.central.transport(), base_url="http://csms")
        self.player = Player(
            parse_scenario(head + steps, "test"),
            self.central.dial_for,
            OperatorApi(client, "S"),
            clock or TickingClock(),
            options=options,
            settings=QUICK,
            watcher=self.events.append,
            stop=self.stop,
        )

    async def play(self) -> ScenarioReport:
        async with asyncio.timeout(30):
            return await self.player.play()

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]


async def play(steps: str) -> ScenarioReport:
    return await Show(steps).play()


# ---------------------------------------------------------------------------- what passes


async def test_expectations_that_are_met() -> None:
    report = await play(
        arrive(1) + expect(c1=150) + arrive(2) + expect(c1=100, c2=100) + leave(1) + expect(c2=150)
    )
    assert report.failures == []
    assert report.problems == []
    assert report.passed
    assert [(s.action, s.what, s.ok) for s in report.steps] == [
        ("arrive", "CP001/1", True),
        ("expect", "CP001/1 150", True),
        ("arrive", "CP001/2", True),
        ("expect", "CP001/1 100, CP001/2 100", True),
        ("leave", "CP001/1", True),
        ("expect", "CP001/2 150", True),
    ]
    assert report.peak_limit_sum_w == 200_000.0
    assert report.overloads == 0


async def test_reactions_are_timed() -> None:
    report = await play(arrive(1) + expect(c1=150))
    (expected,) = [step for step in report.steps if step.action == "expect"]
    assert expected.reaction_s is not None
    assert expected.reaction_s > 0
    assert report.slowest_reaction_s == expected.reaction_s
    assert [step.reaction_s for step in report.steps if step.action != "expect"] == [None]


async def test_a_driver_with_a_token_says_nothing_of_the_vehicle() -> None:
    show = Show(arrive(1, declare=False, kw=80) + expect(c1=150))
    report = await show.play()
    assert report.passed
    assert show.central.payloads("CP001", "Authorize") == [{"idTag": "SIMULATED"}]
    assert report.peak_power_sum_w == 80_000.0


async def test_a_session_of_the_api_is_stopped_there_and_one_of_a_token_at_the_plug() -> None:
    show = Show(arrive(1) + arrive(2, declare=False) + expect(c1=100, c2=100) + leave(1) + leave(2))
    assert (await show.play()).passed
    reasons = [p["reason"] for p in show.central.payloads("CP001", "StopTransaction")]
    assert reasons == ["Remote", "EVDisconnected"]


async def test_a_tolerance_of_a_tenth_of_a_kilowatt() -> None:
    three = arrive(1) + arrive(2) + arrive(3)
    assert (await play(three + expect(c1=66.7, c2=66.6, c3=66.7))).passed


async def test_a_vehicle_that_wants_another_power() -> None:
    report = await play(arrive(1) + expect(c1=150) + want(1, 30) + expect(c1=150))
    assert report.passed
    assert report.steps[2] == StepReport(0, "want", "CP001/1 30.0 kW", ok=True)


async def test_another_grid_limit_down_and_up() -> None:
    report = await play(
        arrive(1) + expect(c1=150) + grid(90) + expect(c1=90) + grid(140) + expect(c1=140)
    )
    assert report.failures == []
    assert report.peak_limit_sum_w == 150_000.0


# ---------------------------------------------------------------------------- what fails


async def test_an_expectation_that_is_not_met_says_what_is() -> None:
    show = Show(arrive(1) + expect(c1=120), options=Options(patience=0.05))
    report = await show.play()
    assert not report.passed
    assert report.failures == [
        "t=0 expected CP001/1 120 kW: CP001/1 obeys 150.00 kW; CP001/1 is allocated 150.00 kW"
    ]
    assert report.steps[-1].reaction_s is None


async def test_a_session_that_is_not_there_is_named() -> None:
    report = await Show(expect(c2=10), options=Options(patience=0.05)).play()
    assert report.failures == [
        "t=0 expected CP001/2 10 kW: CP001/2 obeys 0.00 kW; CP001/2 has no session"
    ]


async def test_chargers_that_do_not_obey_are_seen_whatever_csms_says() -> None:
    central = EqualShares(200.0, wrong_kw=-20.0)
    report = await Show(
        arrive(1) + expect(c1=150), central=central, options=Options(patience=0.05)
    ).play()
    assert report.failures == ["t=0 expected CP001/1 150 kW: CP001/1 obeys 130.00 kW"]


async def test_limits_above_the_grid_are_a_failure() -> None:
    report = await Show(
        arrive(1) + arrive(2) + expect(c1=125, c2=125), central=EqualShares(250.0)
    ).play()
    assert report.overloads > 0
    assert report.failures == ["limits summed to 250.0 kW where the grid gave 200.0 kW"]


async def test_static_load_leaves_less_for_chargers() -> None:
    report = await Show(arrive(1) + expect(c1=150), head=STATION + "staticLoad = 60\n").play()
    assert report.failures == ["limits summed to 150.0 kW where the grid gave 140.0 kW"]


async def test_a_site_that_is_never_ready_is_a_failure() -> None:
    central = EqualShares(200.0)
    central.settled = False
    show = Show(arrive(1), central=central, options=Options(ready_s=0.05))
    report = await show.play()
    assert report.failures == [
        "csms did not bring every charger under control: it still waits for answers of chargers"
    ]
    assert report.steps == []


async def test_a_charger_that_is_not_let_in_is_named_with_the_reason() -> None:
    central = EqualShares(200.0)
    central.down = True
    report = await Show(arrive(1), central=central, options=Options(ready_s=0.05)).play()
    assert report.failures == [
        (
            "csms did not bring every charger under control: "
            "CP001 was not let in (ConnectionRefusedError)"
        )
    ]


async def test_a_charger_that_does_not_come_under_control_is_named_with_its_condition() -> None:
    central = EqualShares(200.0)
    central.condition = "UNCONTROLLED"
    report = await Show(arrive(1), central=central, options=Options(ready_s=0.05)).play()
    assert report.failures == [
        "csms did not bring every charger under control: CP001 is UNCONTROLLED"
    ]


async def test_a_charger_that_is_not_accepted_is_named() -> None:
    central = EqualShares(200.0)
    central.answers["BootNotification"] = lambda _, __: None
    report = await Show(arrive(1), central=central, options=Options(ready_s=0.05)).play()
    assert report.failures == [
        "csms did not bring every charger under control: CP001 was not accepted, and is CONTROLLED"
    ]


async def test_a_charger_of_the_station_that_is_not_in_the_scenario_is_named() -> None:
    central = EqualShares(200.0)
    central.absent["CP009"] = "NEVER_SEEN"
    report = await Show(arrive(1), central=central, options=Options(ready_s=0.05)).play()
    assert report.failures == [
        (
            "csms did not bring every charger under control: "
            "CP009 is NEVER_SEEN and not in the scenario"
        )
    ]


async def test_a_csms_that_does_not_know_the_station_is_a_failure_at_once() -> None:
    central = EqualShares(200.0)
    central.status_code = 404
    report = await Show(arrive(1), central=central, options=Options(ready_s=10.0)).play()
    assert report.failures == ["csms cannot play this scenario: GET /stations/S/status: 404 "]


async def test_a_csms_that_cannot_be_asked_is_a_failure_in_the_end() -> None:
    central = EqualShares(200.0)
    central.status_code = 503
    report = await Show(arrive(1), central=central, options=Options(ready_s=0.05)).play()
    (failure,) = report.failures
    assert "GET /stations/S/status: 503" in failure


# ---------------------------------------------------------------------------- one after the other


async def test_a_play_leaves_no_session_behind() -> None:
    central = EqualShares(200.0)
    steps = arrive(1) + arrive(2, declare=False) + expect(c1=100, c2=100)
    for _ in range(2):
        report = await Show(steps, central=central).play()
        assert (report.failures, report.problems) == ([], [])
        assert central.sessions == {}


async def test_a_play_that_is_stopped_leaves_no_session_behind() -> None:
    show = Show(arrive(1) + arrive(2, at=1_000_000))

    async def stop_after_the_first() -> None:
        await until(lambda: "started" in show.names)
        show.stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(stop_after_the_first())
        group.create_task(show.play())
    assert show.central.sessions == {}


async def test_sessions_of_a_play_that_was_killed_are_ended_first() -> None:
    central = EqualShares(200.0)
    killed = Show(arrive(1) + arrive(2, at=1_000_000), central=central)
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(killed.play())
        await until(lambda: central.sessions)
        playing.cancel()
    assert list(central.sessions) == ["1"]

    show = Show(arrive(1) + expect(c1=150), central=central)
    report = await show.play()
    assert (report.failures, report.problems) == ([], [])
    assert "freed" in show.names
    (over, _) = central.payloads("CP001", "StopTransaction")
    assert (over["transactionId"], over["reason"]) == (1, "PowerLoss")


async def test_sessions_of_chargers_that_do_not_play_are_left_alone() -> None:
    central = EqualShares(200.0)
    central.sessions["5"] = {
        "sessionId": "5",
        "transactionId": 5,
        "connectorId": {"chargerId": "CP009", "idx": 1},
        "most": 1.0,
        "allocatedPower": 1.0,
    }
    assert (await Show(arrive(1), central=central).play()).passed
    assert list(central.sessions) == ["5"]


async def test_the_grid_limit_is_given_back() -> None:
    central = EqualShares(200.0)
    report = await Show(arrive(1) + grid(50) + expect(c1=50), central=central).play()
    assert (report.failures, report.problems) == ([], [])
    assert central.grid_kw == 200.0


async def test_a_grid_limit_that_cannot_be_given_back_is_a_problem() -> None:
    central = EqualShares(200.0)
    central.changes_left = 1
    report = await Show(grid(150) + grid(100), central=central).play()
    assert report.passed
    assert report.problems == ["POST /stations/S/config: 409 not now"] * 2


# ---------------------------------------------------------------------------- problems


async def test_a_call_that_is_refused_is_a_problem_and_the_play_goes_on() -> None:
    central = EqualShares(200.0)
    central.refuses_stops = True
    show = Show(arrive(1) + leave(1) + arrive(2) + expect(c2=150), central=central)
    report = await show.play()
    assert report.passed
    assert report.problems == ["DELETE /stations/S/sessions/1: 409 not now"]
    assert [step.ok for step in report.steps] == [True, False, True, True]
    assert "problem" in show.names


async def test_an_arrival_at_a_taken_connector_is_a_problem() -> None:
    report = await play(arrive(1) + arrive(1) + want(2, 5) + expect(c1=150))
    assert report.problems == ["CP001/1 is taken", "there is no vehicle on CP001/2"]
    assert report.passed


async def test_what_chargers_complain_of_is_a_problem() -> None:
    central = EqualShares(200.0)
    central.answers["MeterValues"] = lambda _, __: {}
    central.answers["StatusNotification"] = lambda _, __: {"error": "InternalError"}
    report = await Show(arrive(1) + expect(c1=150), central=central).play()
    assert report.passed
    assert report.problems
    assert all("StatusNotification" in problem for problem in report.problems)


# ---------------------------------------------------------------------------- time


async def test_steps_wait_for_their_time() -> None:
    show = Show(
        arrive(1, at=1_000) + expect(c1=150).replace("at = 0", "at = 1000"), clock=Clock(5_000.0)
    )
    assert (await show.play()).passed
    (ready,) = [event.at for event in show.events if event.name == "ready"]
    (arrived,) = [event.at for event in show.events if event.name == "arrived"]
    assert arrived - ready >= 1_000


async def test_a_duration_ends_the_play_before_steps_that_are_late() -> None:
    show = Show(
        arrive(1) + arrive(2, at=1_000_000), options=replace(PATIENT, duration_s=1.0), clock=Clock()
    )
    report = await show.play()
    assert [step.what for step in report.steps] == ["CP001/1"]
    assert report.passed


async def test_a_stop_ends_the_play() -> None:
    show = Show(arrive(1) + arrive(2, at=1_000_000))

    async def stop_after_the_first() -> None:
        await until(lambda: "started" in show.names)
        show.stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(stop_after_the_first())
        playing = group.create_task(show.play())
    report = playing.result()
    assert [step.what for step in report.steps] == ["CP001/1"]
    assert report.failures == ["it was stopped after 1 of 2 steps"]


async def test_a_stop_is_the_end_of_a_stream() -> None:
    show = Show("[stream]\nfrom_s = 0\ngap_s = 5\nstay_s = 5\n", clock=Clock(100.0))

    async def stop_after_the_first() -> None:
        await until(lambda: "started" in show.names)
        show.stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(stop_after_the_first())
        playing = group.create_task(show.play())
    assert playing.result().passed


async def test_a_play_that_was_stopped_before_csms_was_ready_has_not_passed() -> None:
    central = EqualShares(200.0)
    central.settled = False
    show = Show(arrive(1), central=central)
    show.stop.set()
    report = await show.play()
    assert not report.passed
    (failure,) = report.failures
    assert failure.startswith("it was stopped before csms was ready: ")
    assert report.steps == []
    assert "ready" not in show.names


async def test_a_stream_goes_on_until_the_duration_is_over() -> None:
    stream = "[stream]\nfrom_s = 0\ngap_s = 5\nstay_s = 5\n"
    show = Show(stream, options=replace(PATIENT, duration_s=1.0, seed=4), clock=Clock(100.0))
    report = await show.play()
    arrivals = [step for step in report.steps if step.action == "arrive"]
    departures = [step for step in report.steps if step.action == "leave"]
    assert len(arrivals) > 4
    assert departures


# ---------------------------------------------------------------------------- the report


def test_a_report_as_json() -> None:
    report = ScenarioReport(
        "test",
        failures=["one"],
        steps=[StepReport(0, "expect", "x", ok=True, reaction_s=0.25)],
        peak_limit_sum_w=123_456.7,
        peak_power_sum_w=100_000.0,
        overloads=3,
    )
    assert report.as_json() == {
        "scenario": "test",
        "passed": False,
        "failures": ["one"],
        "problems": [],
        "peakLimitSum": 123.457,
        "peakPowerSum": 100.0,
        "overloads": 3,
        "slowestReaction": 0.25,
    }


def test_a_report_without_expectations_has_no_reaction() -> None:
    assert ScenarioReport("test").slowest_reaction_s is None


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_same_seed_plays_the_same_stream(seed: int) -> None:
    stream = "[stream]\nfrom_s = 0\ngap_s = 5\nstay_s = 5\n"
    plays = []
    for _ in range(2):
        options = replace(PATIENT, duration_s=0.5, seed=seed)
        report = await Show(stream, options=options, clock=Clock(100.0)).play()
        plays.append([(step.at, step.action, step.what) for step in report.steps][:3])
    assert plays[0] == plays[1]
