"""What people and programs say of the grid limit at run time: kept first, then a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary, WeakSet

from csms.control.events import EventLog
from csms.control.station_loop import StationLoop
from csms.errors import (
    ConfigurationRefusedError,
    GridFailSafeError,
    StorageError,
    UnknownStationError,
)
from csms.ports import Clock, StationStore
from csms.station import grid
from csms.station.facts import (
    GridFact,
    GridHeartbeat,
    GridLimitGiven,
    GridLimitWithdrawn,
    GridScheduleGiven,
)
from csms.station.model import Station
from csms.station.state import StationState
from csms.station.units import render_kw
from csms.station.update import grid_after

SAVE_WITHIN_S = 1.0
"""A database that takes longer to keep a limit has failed to: a lower limit cannot wait."""


@dataclass(frozen=True, slots=True)
class GridStatus:
    """The grid limit of a station at one moment.

    `next_change_at` is when the limit given ends or the next step of the schedule begins. `awaited`
    is what must come before the fail-safe is left, empty when it does not hold. `silent_at` is when
    the source counts as lost if nothing comes. `warnings` say what this limit cannot be kept by.
    """

    limit: grid.GridLimit
    configured_w: int
    failsafe_w: int
    given: grid.GivenLimit | None
    next_change_at: float | None
    awaited: tuple[grid.Sign, ...]
    last_sign_at: float | None
    silent_at: float | None
    schedule: tuple[grid.GridStep, ...]
    warnings: tuple[str, ...]


class GridLimits:
    """The grid limits of all stations.

    A limit is in the database before it is in force. When the database fails, a lower one, or the
    same for longer, is in force all the same: it cannot wait for a disk. The caller learns that it
    was not kept, and it is written with whatever is said next of that station, also where that
    changes nothing.
    """

    def __init__(
        self,
        store: StationStore,
        clock: Clock,
        events: EventLog,
        loop_of_station: Callable[[str], StationLoop],
        save_within_s: float = SAVE_WITHIN_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._loop = loop_of_station
        self._save_within_s = save_within_s
        # Of each station its own: one whose change is stuck must not hold up the others.
        self._changing: WeakKeyDictionary[StationLoop, asyncio.Lock] = WeakKeyDictionary()
        self._not_kept: WeakSet[StationLoop] = WeakSet()

    async def restore(self, state: StationState) -> None:
        """Take up what was kept; a source that was active counts as lost."""
        kept = await self._store.load_grid(state.station.station_id)
        known = grid.GridState() if kept is None else grid.load_grid(kept)
        state.grid = grid.restarted(state.station, known, self._clock.now())

    def status(self, station_id: str) -> GridStatus:
        """The grid limit in force. Raises UnknownStationError."""
        state = self._loop(station_id).state
        return grid_status(state, self._clock.now())

    async def give(
        self,
        station_id: str,
        limit_w: int,
        *,
        valid_for_s: float | None = None,
        heartbeat_s: float | None = None,
    ) -> GridStatus:
        """A new limit, and what its source promises. Raises UnknownStationError, StorageError."""
        now = self._clock.now()
        valid_until = None if valid_for_s is None else now + valid_for_s
        return await self._take(station_id, GridLimitGiven(now, limit_w, valid_until, heartbeat_s))

    async def heartbeat(self, station_id: str) -> GridStatus:
        """The source of limits is alive. Raises UnknownStationError, StorageError."""
        return await self._take(station_id, GridHeartbeat(self._clock.now()))

    async def schedule(self, station_id: str, steps: Sequence[grid.GridStep]) -> GridStatus:
        """A new schedule, in order.

        Raises UnknownStationError, StorageError, and ConfigurationRefusedError with every step that
        the station cannot hold.
        """
        now = self._clock.now()
        fact = GridScheduleGiven(now, tuple(steps))
        station = self._loop(station_id).state.station
        reasons = [f"steps.{i}: {r}" for i, r in grid.schedule_shortfalls(station, fact.steps, now)]
        if reasons:
            raise ConfigurationRefusedError(reasons)
        return await self._take(station_id, fact)

    async def withdraw(self, station_id: str) -> GridStatus:
        """Back to the configured limit.

        Raises UnknownStationError, StorageError, and GridFailSafeError in fail-safe.
        """
        now = self._clock.now()
        awaited = self.status(station_id).awaited
        if awaited:
            raise GridFailSafeError(
                f"station {station_id} is in fail-safe: "
                f"it is left on a heartbeat and a new limit (awaited: {', '.join(awaited)})"
            )
        return await self._take(station_id, GridLimitWithdrawn(now))

    def conflicts(self, station: Station) -> list[str]:
        """Why this station cannot hold the schedule of the one of its name; none if it is new."""
        try:
            steps = self._loop(station.station_id).state.grid.schedule
        except UnknownStationError:
            return []
        found = grid.schedule_shortfalls(station, steps, self._clock.now())
        return [f"scheduled grid limit {i}: {reason}" for i, reason in found]

    async def _take(self, station_id: str, fact: GridFact) -> GridStatus:
        loop = self._loop(station_id)
        failure: StorageError | None = None
        async with self._changing.setdefault(loop, asyncio.Lock()):
            before = grid.advance(loop.state.station, loop.state.grid, fact.at)
            after = grid_after(loop.state, fact)
            changed = grid.dump_grid(after) != grid.dump_grid(before)
            again = loop in self._not_kept and not isinstance(fact, GridHeartbeat)
            try:
                if changed or again:
                    await self._keep(loop, before, after)
            except StorageError as error:
                self._events.add(station_id, "grid_limit_not_kept", str(error))
                if not _lowers(before, after):
                    raise
                failure = error
            loop.post(fact)
            await loop.caught_up()
        if failure is not None:
            raise failure
        return self.status(station_id)

    async def _keep(self, loop: StationLoop, before: grid.GridState, after: grid.GridState) -> None:
        """Write what is to be in force. Raises StorageError, in time."""
        self._not_kept.add(loop)
        try:
            async with asyncio.timeout(self._save_within_s):
                await self._store.save_grid(loop.station_id, grid.dump_grid(after))
        except TimeoutError as error:
            if not _lowers(before, after):
                await self._take_back(loop.station_id, before)
            raise StorageError("the database did not answer in time") from error
        self._not_kept.discard(loop)

    async def _take_back(self, station_id: str, before: grid.GridState) -> None:
        """What was asked of a slow database may be written yet: have what is in force follow it.

        A store has its work in order from when it is asked; nobody waits for this to be done.
        """
        with suppress(TimeoutError, StorageError):
            async with asyncio.timeout(0):
                await self._store.save_grid(station_id, grid.dump_grid(before))


def _lowers(before: grid.GridState, after: grid.GridState) -> bool:
    """Whether this is lower than before; or as low, and then for as long at least."""
    assert before.in_force is not None
    assert after.in_force is not None
    if after.in_force.limit_w != before.in_force.limit_w:
        return after.in_force.limit_w < before.in_force.limit_w
    apart_from_limits = replace(after, given=before.given, at=before.at, in_force=before.in_force)
    return (
        not before.failsafe
        and grid.dump_grid(apart_from_limits) == grid.dump_grid(before)
        and _outlasts(after.given, before.given)
    )


def _outlasts(limit: grid.GivenLimit | None, other: grid.GivenLimit | None) -> bool:
    """Whether the limit is no higher than the other one for all the time that one is there."""
    if limit is None or other is None:
        return other is None
    if limit.valid_until is not None and (
        other.valid_until is None or limit.valid_until < other.valid_until
    ):
        return False
    return limit.limit_w <= other.limit_w


def grid_status(state: StationState, now: float) -> GridStatus:
    """The grid limit of this station."""
    station = state.station
    found = grid.advance(station, state.grid, now)
    limit = grid.grid_limit(station, found, now)
    reason = grid.shortfall(station, "the grid limit", limit.limit_w)
    warnings = [] if reason is None else [reason]
    given = found.given
    if given is not None and given.limit_w > station.grid_limit_w:
        warnings.append(
            f"the limit of {render_kw(given.limit_w)} kW changes nothing: "
            f"the configured one is {render_kw(station.grid_limit_w)} kW"
        )
    return GridStatus(
        limit=limit,
        configured_w=station.grid_limit_w,
        failsafe_w=grid.failsafe_w(station),
        given=found.given,
        next_change_at=grid.planned_change_at(found, now),
        awaited=grid.AWAITED[found.mode],
        last_sign_at=found.last_sign_at,
        silent_at=grid.silent_at(station, found),
        schedule=found.schedule,
        warnings=tuple(warnings),
    )
