"""csms in a simulation: the real core and protocol on lines from memory, until it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

from csms.control import recorder
from csms.control.grid_limits import GridLimits
from csms.control.registration import RegistrationSettings
from csms.control.security import Security
from csms.control.station_loop import LoopSettings
from csms.control.supervisor import Supervisor, SupervisorSettings
from csms.dispatch.commands import Scope, SetLimit
from csms.dispatch.policy import DispatchPolicy
from csms.errors import CsmsError, StorageError
from csms.ports import Answer, Clock
from csms.protocol.connection import Connection
from csms.protocol.link import OcppLink
from csms.protocol.ocpp16 import routes
from csms.protocol.switchboard import Switchboard, SwitchboardSettings
from csms.station.model import Station
from tests.simulation.checker import Checker
from tests.simulation.durable import DurableStore
from tests.simulation.network import Line
from tests.simulation.patches import Patch, patched
from tests.simulation.settings import WorldSettings

ADDRESS = "192.0.2.1"


class WatchedLink(OcppLink):
    """The real link; the checker sees what goes out and what comes back."""

    def watch(self, checker: Checker, central: Central) -> None:
        """Tell this checker."""
        self._checker = checker
        self._central = central

    async def set_limit(self, command: SetLimit) -> Answer:
        self._central.about_to_send(command)
        answer = await super().set_limit(command)
        self._checker.say(f"{command.connector} {command.limit.value_w} W: {answer.outcome.value}")
        if answer.accepted and command.scope is Scope.SESSION:
            self._checker.obeyed(command.connector)
        return answer


class Central:
    """One life of csms, from its start to its crash.

    `rival`: a second one by mistake, whose books the checker does not read.
    """

    def __init__(
        self,
        station: Station,
        store: DurableStore,
        clock: Clock,
        checker: Checker,
        settings: WorldSettings,
        new_id: Callable[[], str],
        *,
        rival: bool = False,
    ) -> None:
        self.up = asyncio.Event()
        self._charger_id = station.chargers[0].charger_id
        self._station_id = station.station_id
        self._store = store
        self._checker = checker
        self._rival = rival
        self._tasks: asyncio.TaskGroup | None = None
        link = WatchedLink(self._connection, self, clock)
        link.watch(checker, self)
        self.supervisor = Supervisor(
            [station],
            store=store,
            link=link,
            clock=clock,
            settings=_settings(settings),
            security=Security(store=store, secret=_Secret(), link=link, clock=clock, sign=None),
        )
        self._switchboard = Switchboard(
            SwitchboardSettings(),
            clock=clock,
            gate=self.supervisor,
            recorder=self.supervisor.recorder,
            frames=store,
            serve_action=routes.serve,
            new_id=new_id,
        )

    async def live(self) -> None:
        """Run until cancelled. Raises StorageError when another one has the disk."""
        await self._store.open()
        async with self.supervisor.running(), asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            if not self._rival:
                core = self.supervisor.loop_of(self._charger_id)
                self._checker.started(core, self._store.on_record(self._station_id))
            self.up.set()
            await asyncio.get_running_loop().create_future()

    def accept(self, line: Line) -> bool:
        """A charger dials."""
        if self._tasks is None:
            return False
        self._tasks.create_task(self._serve(line))
        return True

    async def _serve(self, line: Line) -> None:
        try:
            if await self.supervisor.admit(line.charger_id, ADDRESS):
                await self._switchboard.serve(line.csms_end, line.charger_id)
            else:
                line.csms_end.abort()
        except StorageError:
            line.csms_end.abort()  # a handshake that fails is answered 500
        except Exception as error:  # noqa: BLE001 - a boundary: whatever it is, it is a finding
            self._checker.failed(f"a connection failed: {error!r}")

    def configure(self, station: Station, done: Callable[[], None]) -> None:
        """Change the station; `done` is called when that is in force."""
        assert self._tasks is not None
        self._tasks.create_task(self._configure(station, done))

    async def _configure(self, station: Station, done: Callable[[], None]) -> None:
        try:
            await self.supervisor.configure(station)
        except Exception as error:  # noqa: BLE001 - a boundary: tried again by whoever asked
            self._checker.say(f"configure failed: {error!r}")
            return
        done()

    def run(self, what: Coroutine[Any, Any, None]) -> None:
        """Do something as long as csms lives."""
        assert self._tasks is not None
        self._tasks.create_task(what)

    async def command(self, charger_id: str, action: str, payload: Mapping[str, Any]) -> None:
        """An operator sends a request by hand."""
        try:
            await self.supervisor.commands().call(charger_id, action, payload)
        except CsmsError as error:
            self._checker.say(f"by hand to {charger_id}: {error}")
        else:
            self._checker.say(f"by hand to {charger_id}: answered")

    async def told(self, what: Callable[[GridLimits], Awaitable[object]]) -> bool:
        """Say something of the grid limit; whether it was taken and kept."""
        try:
            await what(self.supervisor.grid_limits())
        except StorageError as error:
            self._checker.say(f"the grid limit was not kept: {error!r}")
            return False
        return True

    def about_to_send(self, command: SetLimit) -> None:
        """A limit is about to be handed to its connection."""
        core = self._checker.core
        entries = () if core is None else core.ledger.entries()
        sent_at = next((e.sent_at for e in entries if e.token == command.token), None)
        if sent_at is not None:
            durable = self._store.written(command.token)
            self._checker.sending(command, sent_at, durable=durable)

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        """`ports.LateAnswers`."""
        self.supervisor.late_answer(command, answer)

    def _connection(self, charger_id: str) -> Connection | None:
        return self._switchboard.connection(charger_id)


def _settings(settings: WorldSettings) -> SupervisorSettings:
    return SupervisorSettings(
        loop=LoopSettings(
            registration=RegistrationSettings(meter_interval_s=settings.meter_interval_s),
            tick_s=settings.tick_s,
            dispatch=DispatchPolicy(
                lease_s=settings.given_lease_s, clock_skew_s=settings.given_skew_s
            ),
        ),
    )


class _Secret:
    """What keys would be hashed with, if a charger had one."""

    value = b"secret" * 8
    kept = True

    def keep(self) -> None:
        """Nothing has to outlive the world."""


class _SeededIds:
    """What the recorder takes its ids from, in place of the modules `uuid` and `secrets`."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def uuid4(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def randbelow(self, bound: int) -> int:
        return self._random.randrange(bound)


@contextmanager
def seeded_ids(random: Random) -> Iterator[None]:
    """Let session and transaction ids depend on the seed alone."""
    ids = _SeededIds(random)
    with patched([Patch(recorder, "uuid", ids), Patch(recorder, "secrets", ids)]):
        yield
