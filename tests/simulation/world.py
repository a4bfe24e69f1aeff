"""One simulated world: a site, its chargers and cars, csms, and what goes wrong, from one seed."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog

from csms.dispatch.ledger import Entry
from csms.errors import StorageError
from csms.station.model import Connector, ConnectorKey
from tests.simulation.alterations import Alteration
from tests.simulation.central import Central, seeded_ids
from tests.simulation.chance import Chance
from tests.simulation.charger import SimulatedCharger, Surroundings
from tests.simulation.checker import Breach, Checker, Tally
from tests.simulation.durable import Disk, DurableStore
from tests.simulation.grid import Grid
from tests.simulation.mischief import Mischief, every
from tests.simulation.network import Line, Network
from tests.simulation.operator import Operator
from tests.simulation.patches import Patch, patched
from tests.simulation.population import STAY_S, Visit, hardware, site, visit
from tests.simulation.settings import WorldSettings
from tests.simulation.virtual_time import LoopClock, VirtualLoop

DOWN_S = (5.0, 60.0)
RIVAL_S = (300.0, 1_800.0)
LOOK_S = 30.0
SESSIONS_KEPT = 10
HOPS = 6


@dataclass(slots=True)
class Result:
    """What came of one world, or of several added up."""

    seed: int
    hours: float
    injected: Counter[str] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)
    trace: list[tuple[float, str]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    energy_wh: float = 0.0
    sessions: int = 0
    limits: int = 0
    limits_that_changed: int = 0
    share_at_end: float = 1.0

    @property
    def granted_share(self) -> float:
        """The mean part that could be drawn of what was wanted and there."""
        return self.tally.granted_ws / self.tally.wanted_ws if self.tally.wanted_ws else 1.0


class World:
    """Build with a seed, then `run`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int, settings: WorldSettings) -> None:
        self.chance = Chance(seed)
        self.settings = settings
        self.sessions = 0
        self._loop = loop
        self._clock = LoopClock(loop)
        built = site(settings, self.chance.stream("site"))
        self.station = built.station
        self.chargers: dict[str, SimulatedCharger] = {}
        self.checker = Checker(loop, settings, built.station, self.chargers)
        self._network = Network(loop, self.chance, settings.faults.network, self.checker.touched)
        for charger in built.station.chargers:
            traits = built.traits[charger.charger_id]
            around = Surroundings(
                loop,
                dial=self._network.dial,
                changed=self.checker.moved,
                note=self._network.note,
                faults=settings.faults.charger,
                random=self.chance.stream("charger", charger.charger_id),
            )
            self.chargers[charger.charger_id] = SimulatedCharger(
                hardware(charger, traits.most_part),
                traits,
                {c.key.connector_id: c.fallback_w for c in charger.connectors},
                around,
                meter_interval_s=settings.meter_interval_s,
            )
        self._disk = Disk(samples_kept=SESSIONS_KEPT)
        self._cars = self.chance.stream("cars")
        self._site_random = self.chance.stream("site faults")
        self._ids = self.chance.stream("ids")
        self._visits: dict[ConnectorKey, Visit] = {}
        self._central: Central | None = None
        self._life: asyncio.Task[None] | None = None
        self._store: DurableStore | None = None
        self._rivals: list[Central] = []
        self._rival_lives: list[asyncio.Task[None]] = []
        self._crash_armed = False
        self._over: asyncio.Future[None] = loop.create_future()
        self._tasks: asyncio.TaskGroup | None = None
        self._grid = Grid(loop, self.chance, built.station, self.checker, lambda: self._central)

    # ------------------------------------------------------------------ life

    async def run(self, hours: float) -> None:
        """Let it be for so many hours, or until a breach if so set."""
        self._loop.set_exception_handler(self._on_exception)
        self._loop.call_later(hours * 3600, self._end)
        if self.settings.stop_at_first:
            self.checker.on_breach = self._end
        for charger in self.chargers.values():
            self._loop.call_later(self._cars.uniform(0, 10), charger.dial)
            faults = self.settings.faults.charger
            Mischief(charger, self._network, self.chance, faults).begin()
        for connector in self.station.connectors():
            at_s = self.settings.all_come_at_s
            self._loop.call_later(self._gap_s() if at_s is None else at_s, self._arrive, connector)
        site_faults = self.settings.faults.site
        every(self._loop, site_faults.crash_every_s, self.chance.stream("crashes"), self._arm)
        every(self._loop, site_faults.rival_every_s, self.chance.stream("rivals"), self._rival)
        operator = Operator(self.station, self.chargers, self.chance)
        every(
            self._loop,
            site_faults.by_hand_every_s,
            self.chance.stream("by hand"),
            lambda: operator.act(self._central),
        )
        self._grid.begin(site_faults)
        every(self._loop, LOOK_S, self.chance.stream("looks"), self._look)
        with seeded_ids(self._ids):
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._start()
                await self._over
                for life in self._rival_lives:
                    life.cancel()
                self._kill()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _start(self) -> None:
        if self._tasks is None or self._over.done():
            return
        self._store = self._new_store("disk", self._ledger_changed)
        self._central = self._new_central(self._store)
        self._life = self._tasks.create_task(self._live(self._central))

    def _new_store(self, name: str, on_ledger: Callable[[Sequence[Entry]], None]) -> DurableStore:
        return DurableStore(
            self._disk,
            self._loop,
            self.chance.stream(name, self._loop.time()),
            self.settings.faults.site,
            on_ledger=on_ledger,
            injected=self._injected,
        )

    def _new_central(self, store: DurableStore, *, rival: bool = False) -> Central:
        return Central(
            self.station,
            store,
            self._clock,
            self.checker,
            self.settings,
            lambda: f"{self._ids.getrandbits(64):016x}",
            rival=rival,
        )

    async def _live(self, central: Central) -> None:
        self._network.accept = self._accept
        self.checker.say("csms starts")
        try:
            await central.live()
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - a boundary: csms may never end by itself
            if _did_not_start(central, error):
                # Without a database it does not start; whoever keeps it running tries again.
                self._crash()
                return
            self.checker.failed(f"csms ended by itself: {error!r}")
            self._end()

    def _accept(self, line: Line) -> bool:
        """A charger dials: whichever csms it reaches."""
        there = [c for c in (self._central, *self._rivals) if c is not None and c.up.is_set()]
        if not there:
            return False
        one = there[0] if len(there) == 1 else self._site_random.choice(there)
        return one.accept(line)

    def _rival(self) -> None:
        """Somebody starts a second csms on the same disk."""
        if self._tasks is None or self._central is None or not self._central.up.is_set():
            return
        store = self._new_store("rival's disk", lambda _: None)
        rival = self._new_central(store, rival=True)
        self.chance.injected["second csms"] += 1
        life = self._tasks.create_task(self._live_as_rival(rival, store))
        self._rival_lives.append(life)
        self._loop.call_later(self._site_random.uniform(*RIVAL_S), life.cancel)

    async def _live_as_rival(self, rival: Central, store: DurableStore) -> None:
        self._rivals.append(rival)
        try:
            await rival.live()
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - a boundary: it may fail only to start
            if not _did_not_start(rival, error):
                self.checker.failed(f"the second csms ended by itself: {error!r}")
        finally:
            store.crash()
            self._rivals.remove(rival)

    def _injected(self, kind: str) -> None:
        self.chance.injected[kind] += 1
        self.checker.disturbed()

    def _on_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        self.checker.failed(f"{context.get('message')}: {context.get('exception')!r}")

    # ------------------------------------------------------------------ crashes

    def _arm(self) -> None:
        """Half of the crashes come just after something was written; the rest at any time."""
        if self._site_random.random() < 0.5:
            self._crash()
        else:
            self._crash_armed = True

    def _ledger_changed(self, entries: Sequence[Entry]) -> None:
        self.checker.ledger_changed(entries)
        if self._crash_armed:
            self._crash_armed = False
            hops = self._site_random.randrange(HOPS)
            self._loop.call_later(self._site_random.choice((0.0, 0.01, 0.1, 0.3)), self._hop, hops)

    def _hop(self, hops: int) -> None:
        """Some steps of the loop later: between any two awaits."""
        if hops:
            self._loop.call_soon(self._hop, hops - 1)
        else:
            self._crash()

    def _crash(self) -> None:
        if self._central is None or self._over.done():
            return
        self.chance.injected["csms crash"] += 1
        self.checker.say("csms dies")
        for charger_id in self.chargers:
            self.checker.touched(charger_id, "csms died")
        self._kill()
        self._loop.call_later(self._site_random.uniform(*DOWN_S), self._restart)

    def _restart(self) -> None:
        for charger_id in self.chargers:
            self.checker.touched(charger_id, "csms starts again")
        self._start()
        self._grid.restarted()

    def _kill(self) -> None:
        self._network.csms_died()
        self.checker.core = None
        self._central = None
        if self._store is not None:
            self._store.crash()
        if self._life is not None:
            self._life.cancel()
            self._life = None

    # ------------------------------------------------------------------ cars

    def _gap_s(self) -> float:
        mean_s = 86_400 / self.settings.sessions_per_day - sum(STAY_S) / 2
        return self._cars.expovariate(1 / mean_s)

    def _arrive(self, connector: Connector) -> None:
        charger = self.chargers[connector.key.charger_id]
        if not charger.ready_for_cars():
            self._loop.call_later(60.0, self._arrive, connector)
            return
        self.sessions += 1
        car = visit(connector, self._loop.time(), self.sessions, self._cars)
        self._visits[connector.key] = car
        self.checker.say(f"a car comes to {connector.key}")
        charger.behaviour.plug_in(connector.key.connector_id, car.vehicle, charger.moment())
        charger.settle()
        self._nudge(car)
        self._loop.call_at(car.leaves_at, self._leave, connector, car)

    def _nudge(self, car: Visit) -> None:
        """The driver shows the token until the car charges."""
        if self._visits.get(car.key) is not car:
            return
        charger = self.chargers[car.key.charger_id]
        outlet = charger.behaviour.connector(car.key.connector_id)
        if outlet.transaction is None and (charger.online or charger.starts_offline):
            charger.present_token(car.key.connector_id, car.id_tag)
        self._loop.call_later(self._cars.uniform(60, 180), self._nudge, car)

    def _leave(self, connector: Connector, car: Visit) -> None:
        charger = self.chargers[car.key.charger_id]
        del self._visits[car.key]
        self.checker.say(f"the car leaves {car.key}")
        charger.behaviour.unplug(car.key.connector_id, charger.moment())
        charger.settle()
        self._loop.call_later(self._gap_s(), self._arrive, connector)

    # ------------------------------------------------------------------ measuring

    def _look(self) -> None:
        self.checker.wants(self._useful_w())
        self.checker.look()

    def _useful_w(self) -> float:
        """What all running sessions could use of what the station may draw."""
        feeders = {f.feeder_id: float(f.limit_w) for f in self.station.feeders}
        by_feeder: dict[str | None, float] = {}
        for charger in self.station.chargers:
            behaviour = self.chargers[charger.charger_id].behaviour
            wanted_w = 0.0
            for connector in charger.connectors:
                car = self._visits.get(connector.key)
                running = behaviour.connector(connector.key.connector_id).transaction
                if car is not None and running is not None:
                    wanted_w += min(connector.max_power_w, car.wants_w())
            wanted_w = min(wanted_w, charger.max_power_w)
            by_feeder[charger.feeder_id] = by_feeder.get(charger.feeder_id, 0.0) + wanted_w
        total_w = sum(
            watts if feeder is None else min(watts, feeders[feeder])
            for feeder, watts in by_feeder.items()
        )
        return min(total_w, float(self.checker.allowed_w))

    def result(self, hours: float) -> Result:
        """What came of it."""
        counts = [charger.counts for charger in self.chargers.values()]
        return Result(
            self.chance.seed,
            hours,
            self.chance.injected,
            self.checker.breaches,
            self.checker.trace_of_first,
            self.checker.tally,
            sum(
                c.meter.energy_wh for x in self.chargers.values() for c in x.behaviour.connectors()
            ),
            self.sessions,
            sum(c.limits for c in counts),
            sum(c.limits_that_changed for c in counts),
            self.checker.share(self._useful_w()),
        )


def _did_not_start(central: Central, error: BaseException) -> bool:
    """Whether it ended for want of its database before it was up; the error may be in a group."""
    return not central.up.is_set() and "StorageError" in repr(error)


@contextmanager
def errors_are_findings(failed: Callable[[str], None]) -> Iterator[None]:
    """Exceptions that csms logs are told here; the other records would take most of the time.

    csms lives on after an exception of its own (its boundaries): unseen, it would hide a breach.
    """

    def find(_: object, __: str, record: MutableMapping[str, Any]) -> NoReturn:
        error = sys.exc_info()[1] if record.pop("exc_info", False) else None
        if error is not None and not isinstance(error, StorageError):  # disks are made to fail
            failed(f"{record} {error!r}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[find],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def little_collection() -> Iterator[None]:
    """Less garbage collection meanwhile."""
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def run_world(
    seed: int,
    hours: float,
    settings: WorldSettings,
    alteration: Alteration | None = None,
) -> Result:
    """One world, from its beginning to its end."""
    patches: Sequence[Patch] = ()
    if alteration is not None:
        patches, settings = alteration.patches(), alteration.settings(settings)
    with (
        little_collection(),
        patched(patches),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        loop = runner.get_loop()
        world = World(loop, seed, settings)
        with errors_are_findings(world.checker.failed):
            runner.run(world.run(hours))
        return world.result(loop.time() / 3600)
