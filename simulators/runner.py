"""Plays a scenario on a simulated site against a running csms, and judges what came of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from simulators.arrivals import arrivals
from simulators.charge_point.behaviour import NotPossibleError
from simulators.charge_point.client import ClientSettings, Dial
from simulators.charge_point.events import Event, Watcher, nobody
from simulators.clock import Clock
from simulators.operator_api import CONTROLLED, ApiError, OperatorApi, StationStatus
from simulators.scenario import (
    W_PER_KW,
    Arrive,
    Expect,
    Grid,
    Leave,
    Scenario,
    Step,
    Want,
)
from simulators.site import Site, networked, split_name

TOLERANCE_KW = 0.1
POLL_S = 0.02
FLUSH_S = 5.0
STEPS_KEPT = 10_000
PROBLEMS_KEPT = 1_000
# A remote start may wait for its session for a minute before csms answers.
API_TIMEOUT_S = 75.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to play.

    `patience` multiplies every wait for something expected; `ready_s` is how long csms may take to
    bring all chargers under control; `grace_s` how long a lowered grid limit may take to arrive;
    `duration_s` ends the play, in real seconds since its beginning.
    """

    duration_s: float | None = None
    seed: int = 0
    patience: float = 1.0
    ready_s: float = 30.0
    grace_s: float = 1.0


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as it went. `reaction_s`: until an expectation was met, in real seconds."""

    at: float
    action: str
    what: str
    ok: bool
    reaction_s: float | None = None


@dataclass(slots=True)
class ScenarioReport:
    """What came of a scenario.

    `failures` are expectations not met, overloads, and having been stopped too early; `problems`
    are calls that were refused and the like: they fail nothing by themselves. `overloads` counts
    moments at which the limits in force summed above what the grid gave, by the chargers' own
    record. Of steps and problems the newest are kept.
    """

    scenario: str
    failures: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    peak_limit_sum_w: float = 0.0
    peak_power_sum_w: float = 0.0
    overloads: int = 0

    @property
    def passed(self) -> bool:
        """Whether it was played, every expectation was met and the grid limit held."""
        return not self.failures

    @property
    def slowest_reaction_s(self) -> float | None:
        """The longest an expectation took to be met."""
        return max((s.reaction_s for s in self.steps if s.reaction_s is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object, powers in kW."""
        return {
            "scenario": self.scenario,
            "passed": self.passed,
            "failures": self.failures,
            "problems": self.problems,
            "peakLimitSum": round(self.peak_limit_sum_w / W_PER_KW, 3),
            "peakPowerSum": round(self.peak_power_sum_w / W_PER_KW, 3),
            "overloads": self.overloads,
            "slowestReaction": self.slowest_reaction_s,
        }


async def run_scenario(
    scenario: Scenario,
    ocpp_url: str,
    api_url: str,
    *,
    speed: float = 1.0,
    options: Options | None = None,
    settings: ClientSettings | None = None,
    watcher: Watcher = nobody,
    stop: asyncio.Event | None = None,
) -> ScenarioReport:
    """Play a scenario over real sockets.

    `ocpp_url` is `ws://host:port/path` without the charger id, `api_url` `http://host:port`. With a
    `[stream]` and no duration it goes on until `stop` is set.
    """
    settings = settings or ClientSettings(meter_interval_s=scenario.meter_interval_s)
    async with httpx.AsyncClient(
        base_url=api_url, timeout=API_TIMEOUT_S, trust_env=False
    ) as client:
        player = Player(
            scenario,
            networked(ocpp_url, settings, scenario.simulated),
            OperatorApi(client, scenario.plan.station_id),
            Clock(speed),
            options=options,
            settings=settings,
            watcher=watcher,
            stop=stop,
        )
        return await player.play()


class Player:
    """One play of one scenario. `dial_for` and `api` lead to the same csms."""

    def __init__(
        self,
        scenario: Scenario,
        dial_for: Callable[[str], Dial],
        api: OperatorApi,
        clock: Clock,
        *,
        options: Options | None = None,
        settings: ClientSettings | None = None,
        watcher: Watcher = nobody,
        stop: asyncio.Event | None = None,
    ) -> None:
        self.report = ScenarioReport(scenario.name)
        self._scenario = scenario
        self._api = api
        self._clock = clock
        self._options = options or Options()
        self._watcher = watcher
        self._stop = stop or asyncio.Event()
        self._sessions: dict[str, str] = {}
        self._changed_at_s = 0.0
        self._seen: StationStatus | None = None
        self._unheard = ""
        self._found: dict[str, Any] | None = None
        self.site = Site(
            scenario.plan.hardware(),
            dial_for,
            clock,
            settings=settings,
            quirks=scenario.simulated,
            watcher=self._watch,
        )

    async def play(self) -> ScenarioReport:
        """Bring the site up, play every step, leave csms as it was found, take the site down."""
        self._allow(self._scenario.plan.grid_capacity, grace_s=0.0)
        async with self.site.running():
            if await self._ready():
                await self._play_steps()
                await self._tidy_up()
        record = self.site.record
        report = self.report
        report.peak_limit_sum_w = record.peak_limit_sum_w
        report.peak_power_sum_w = record.peak_power_sum_w
        report.overloads = record.overload_count
        report.problems += self.site.complaints()
        if record.overloads:
            worst = max(record.overloads, key=lambda overload: overload.limit_sum_w)
            report.failures.append(
                f"limits summed to {worst.limit_sum_w / W_PER_KW:.1f} kW "
                f"where the grid gave {worst.allowed_w / W_PER_KW:.1f} kW"
            )
        return report

    # ------------------------------------------------------------------ waiting

    async def _ready(self) -> bool:
        try:
            async with asyncio.timeout(self._options.ready_s * self._options.patience):
                await self._under_control()
        except TimeoutError:
            self.report.failures.append(
                f"csms did not bring every charger under control: {self._not_ready()}"
            )
            return False
        except ApiError as error:
            self.report.failures.append(f"csms cannot play this scenario: {error}")
            return False
        if self._stop.is_set():
            self.report.failures.append(
                f"it was stopped before csms was ready: {self._not_ready()}"
            )
            return False
        self._tell("ready")
        return True

    async def _under_control(self) -> None:
        # csms tells nobody when it is ready: it has to be asked.
        freed: set[str] | None = None
        while not self._stop.is_set():
            self._seen = await self._status_if_there()
            booted = all(point.booted.is_set() for point in self.site.points.values())
            if booted and self._seen is not None:
                if freed is None:
                    freed = self._free(self._seen.transactions)
                elif self._seen.ready and not freed & self._seen.transactions.keys():
                    return
            await asyncio.sleep(POLL_S)

    async def _status_if_there(self) -> StationStatus | None:
        try:
            return await self._api.status()
        except ApiError as error:
            if error.final:
                raise
            self._unheard = str(error)  # csms may be about to start
            return None

    def _free(self, transactions: Mapping[str, int]) -> set[str]:
        # Sessions of a play that was cut off: as a charge point does after a loss of power, those
        # of this play report their end. Nothing else would ever end them.
        freed = set()
        for connector, transaction_id in transactions.items():
            charger_id, number = split_name(connector)
            point = self.site.points.get(charger_id)
            if point is not None and point.has_connector(number):
                point.report_over(number, transaction_id)
                self._tell("freed", connector, transaction=transaction_id)
                freed.add(connector)
        return freed

    def _not_ready(self) -> str:
        """What keeps csms from being ready, charger by charger."""
        wrong = [self._unheard] if self._seen is None else []
        conditions = {} if self._seen is None else self._seen.conditions
        for charger_id, point in self.site.points.items():
            condition = conditions.get(charger_id, "no charger of the station")
            if point.refusal:
                wrong.append(f"{charger_id} was not let in ({point.refusal})")
            elif not point.booted.is_set():
                wrong.append(f"{charger_id} was not accepted, and is {condition}")
            elif condition != CONTROLLED:
                wrong.append(f"{charger_id} is {condition}")
        absent = sorted(conditions.keys() - self.site.points.keys())
        wrong += [
            f"{charger_id} is {conditions[charger_id]} and not in the scenario"
            for charger_id in absent
            if conditions[charger_id] != CONTROLLED
        ]
        return "; ".join(wrong) or "it still waits for answers of chargers"

    async def _play_steps(self) -> None:
        began_at_s = self._clock.moment().scenario_s
        for taken, step in enumerate(self._steps()):
            await self._pause_until(began_at_s + step.at)
            if self._over():
                self._judge_end(taken)
                return
            await self._take(step)
        if self._options.duration_s is not None:
            await self._pause_until(math.inf)

    def _judge_end(self, taken: int) -> None:
        """A play that is stopped from outside has shown nothing of the steps that were to come.

        One with a stream has no end of its own, and one with a duration ends when it was asked to.
        """
        if self._stop.is_set() and self._scenario.stream is None:
            all_steps = len(self._scenario.step)
            self.report.failures.append(f"it was stopped after {taken} of {all_steps} steps")

    def _steps(self) -> Iterator[Step]:
        yield from self._scenario.step
        stream = self._scenario.stream
        if stream is not None:
            taken = {
                f"{charger_id}/{connector.hardware.connector_id}"
                for charger_id, point in self.site.points.items()
                for connector in point.behaviour.connectors()
                if connector.vehicle is not None
            }
            random = Random(self._options.seed)  # noqa: S311 - a simulation, and repeatable
            yield from arrivals(stream, self._scenario.plan.hardware(), taken, random)

    def _over(self) -> bool:
        ends_at_s = self._options.duration_s
        return self._stop.is_set() or (
            ends_at_s is not None and self._clock.monotonic() >= ends_at_s
        )

    async def _pause_until(self, scenario_s: float) -> None:
        """Wait for a moment of the scenario, or the end of the play."""
        while not self._over():
            left_s = (scenario_s - self._clock.moment().scenario_s) / self._clock.speed
            if left_s <= 0:
                return
            if self._options.duration_s is not None:
                left_s = min(left_s, self._options.duration_s - self._clock.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._stop.wait()

    async def _tidy_up(self) -> None:
        """Let every vehicle leave and every charge point say so; give the station its grid limit.

        The next play, of this scenario or another, finds what this one has found.
        """
        for point in self.site.points.values():
            point.empty()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                for point in self.site.points.values():
                    await point.flushed(POLL_S)
        if self._found is not None:
            try:
                await self._api.configure(self._found)
            except ApiError as error:
                self._problem(str(error))

    # ------------------------------------------------------------------ steps

    async def _take(self, step: Step) -> None:
        if isinstance(step, Expect):
            await self._expect(step)
            return
        self._changed_at_s = self._clock.monotonic()
        ok = True
        try:
            what = await self._act(step)
        except (ApiError, NotPossibleError) as error:
            ok, what = False, str(error)
            self._problem(what)
        self._took(StepReport(step.at, step.action, what, ok))

    async def _act(self, step: Arrive | Leave | Want | Grid) -> str:
        match step:
            case Arrive():
                await self._arrive(step)
                return step.connector
            case Leave():
                await self._leave(step.connector)
                return step.connector
            case Want(connector=name, kw=kw):
                charger_id, number = split_name(name)
                vehicle = self.site.points[charger_id].behaviour.connector(number).vehicle
                if vehicle is None:
                    raise NotPossibleError(f"there is no vehicle on {name}")
                vehicle.want(kw * W_PER_KW)
                self._tell("wants", name, kw=kw)
                return f"{name} {kw} kW"
            case Grid(capacity_kw=capacity_kw):
                await self._set_grid(capacity_kw)
                return f"{capacity_kw} kW"

    async def _arrive(self, step: Arrive) -> None:
        charger_id, number = split_name(step.connector)
        point = self.site.points[charger_id]
        vehicle = step.vehicle.build()
        point.plug_in(number, vehicle)
        if step.declare:
            max_kw = vehicle.max_w / W_PER_KW
            session_id = await self._api.start_session(charger_id, number, max_kw)
            self._sessions[step.connector] = session_id
        else:
            point.present_token(number, step.id_tag)

    async def _leave(self, connector: str) -> None:
        charger_id, number = split_name(connector)
        session_id = self._sessions.pop(connector, None)
        try:
            if session_id is not None:
                await self._api.stop_session(session_id)
        finally:
            self.site.points[charger_id].unplug(number)

    async def _set_grid(self, capacity_kw: float) -> None:
        self._tell("grid", capacity_kw=capacity_kw)
        plan = self._scenario.plan
        if self._found is None:
            self._found = await self._api.configuration()
        raised = (capacity_kw - plan.static_load) * W_PER_KW > self.site.record.allowed_w
        if raised:
            self._allow(capacity_kw, grace_s=0.0)
        await self._api.configure(self._scenario.station_with(capacity_kw))
        if not raised:
            self._allow(capacity_kw, grace_s=self._options.grace_s * self._options.patience)

    def _allow(self, grid_capacity_kw: float, *, grace_s: float) -> None:
        allowed_w = (grid_capacity_kw - self._scenario.plan.static_load) * W_PER_KW
        self.site.record.allow(allowed_w, self._clock.moment(), grace_s=grace_s)

    # ------------------------------------------------------------------ expectations

    async def _expect(self, step: Expect) -> None:
        while True:
            missed = await self._missed(step)
            late_s = self._clock.monotonic() - self._changed_at_s
            overdue = late_s > step.within * self._options.patience
            if not missed or overdue or self._stop.is_set():
                break
            await asyncio.sleep(POLL_S)
        wanted = ", ".join(f"{name} {kw:g}" for name, kw in step.allocated.items())
        reaction_s = None if missed else round(late_s, 3)
        self._took(StepReport(step.at, step.action, wanted, not missed, reaction_s))
        self._tell("expect", ok=not missed, allocated=step.allocated, reaction=reaction_s)
        if missed:
            self.report.failures.append(f"t={step.at:g} expected {wanted} kW: {missed}")

    async def _missed(self, step: Expect) -> str:
        """What is not as expected, in words; empty when all is."""
        wrong = [
            f"{name} obeys {self.site.limit_w(name) / W_PER_KW:.2f} kW"
            for name, kw in step.allocated.items()
            if abs(self.site.limit_w(name) / W_PER_KW - kw) > TOLERANCE_KW
        ]
        try:
            status = await self._api.status()
        except ApiError as error:
            return str(error)
        for name, kw in step.allocated.items():
            allocated_kw = status.allocated_kw.get(name)
            if allocated_kw is None:
                wrong.append(f"{name} has no session")
            elif abs(allocated_kw - kw) > TOLERANCE_KW:
                wrong.append(f"{name} is allocated {allocated_kw:.2f} kW")
        if not wrong and not status.settled:
            wrong.append("csms still waits for answers of chargers")
        return "; ".join(wrong)

    # ------------------------------------------------------------------ watching

    def _watch(self, event: Event) -> None:
        # The clock of an expectation starts when the change it follows took effect at the charger.
        if event.name in {"started", "stopped"}:
            self._changed_at_s = self._clock.monotonic()
        self._watcher(event)

    def _took(self, step: StepReport) -> None:
        self.report.steps.append(step)
        del self.report.steps[:-STEPS_KEPT]

    def _problem(self, what: str) -> None:
        self.report.problems.append(what)
        del self.report.problems[:-PROBLEMS_KEPT]
        self._tell("problem", reason=what)

    def _tell(self, name: str, connector: str = "", **detail: Any) -> None:
        self._watcher(
            Event(self._clock.moment().scenario_s, name, connector=connector, detail=detail)
        )
