"""The grid limit in force: configured, given at run time, scheduled, or the fail-safe limit.

The limit at any moment is the smallest of what is configured, the newest limit given at run time
while it is valid, and the schedule's value. A source of limits may have promised to be heard from.
Once it is silent for longer than its time-out the fail-safe limit holds as well (law 7). It is left
only when a heartbeat and a new limit have come, as in the EEBUS use case "Limitation of Power
Consumption". Losing the source never raises the limit.

Everything here is a value and a function of `now`. `advance` lets time pass, the other functions
say what happened, and `TABLE` holds every case.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from csms.station.model import GOES_ON_AT_ZERO, Charger, Station
from csms.station.units import w_to_kw

TIMEOUT_S = 120.0
MISSED_HEARTBEATS = 2
MAX_STEPS = 3_000


class Mode(StrEnum):
    """How things stand with the source of limits.

    OPEN nobody has promised to be heard from; HEARD the source is there. The others are the
    fail-safe: LOST nothing has come since, HEARTBEAT_CAME only a limit is missing, LIMIT_CAME only
    a heartbeat is missing.
    """

    OPEN = "open"
    HEARD = "heard"
    LOST = "lost"
    HEARTBEAT_CAME = "heartbeat_came"
    LIMIT_CAME = "limit_came"


class Sign(StrEnum):
    """What can happen. SILENCE: the time-out has passed; EXPIRY: the given limit has run out."""

    PROMISE = "promise"
    LIMIT = "limit"
    HEARTBEAT = "heartbeat"
    SILENCE = "silence"
    EXPIRY = "expiry"
    WITHDRAWAL = "withdrawal"
    RESTART = "restart"


TABLE: dict[tuple[Mode, Sign], Mode] = {
    (Mode.OPEN, Sign.PROMISE): Mode.HEARD,
    (Mode.OPEN, Sign.LIMIT): Mode.OPEN,
    (Mode.OPEN, Sign.HEARTBEAT): Mode.OPEN,
    (Mode.OPEN, Sign.SILENCE): Mode.OPEN,
    (Mode.OPEN, Sign.EXPIRY): Mode.OPEN,
    (Mode.OPEN, Sign.WITHDRAWAL): Mode.OPEN,
    (Mode.OPEN, Sign.RESTART): Mode.OPEN,
    (Mode.HEARD, Sign.PROMISE): Mode.HEARD,
    (Mode.HEARD, Sign.LIMIT): Mode.HEARD,
    (Mode.HEARD, Sign.HEARTBEAT): Mode.HEARD,
    (Mode.HEARD, Sign.SILENCE): Mode.LOST,
    # A limit may end while its source is there: then the configured one holds.
    (Mode.HEARD, Sign.EXPIRY): Mode.HEARD,
    (Mode.HEARD, Sign.WITHDRAWAL): Mode.OPEN,
    # What came while csms was down is not known.
    (Mode.HEARD, Sign.RESTART): Mode.LOST,
    (Mode.LOST, Sign.PROMISE): Mode.LOST,
    (Mode.LOST, Sign.LIMIT): Mode.LIMIT_CAME,
    (Mode.LOST, Sign.HEARTBEAT): Mode.HEARTBEAT_CAME,
    (Mode.LOST, Sign.SILENCE): Mode.LOST,
    (Mode.LOST, Sign.EXPIRY): Mode.LOST,
    # Nobody talks a station out of its fail-safe but the source itself.
    (Mode.LOST, Sign.WITHDRAWAL): Mode.LOST,
    (Mode.LOST, Sign.RESTART): Mode.LOST,
    (Mode.HEARTBEAT_CAME, Sign.PROMISE): Mode.HEARTBEAT_CAME,
    (Mode.HEARTBEAT_CAME, Sign.LIMIT): Mode.HEARD,
    (Mode.HEARTBEAT_CAME, Sign.HEARTBEAT): Mode.HEARTBEAT_CAME,
    # Half of the way out does not last: the source is silent again.
    (Mode.HEARTBEAT_CAME, Sign.SILENCE): Mode.LOST,
    # What runs out here was given before the source was lost.
    (Mode.HEARTBEAT_CAME, Sign.EXPIRY): Mode.HEARTBEAT_CAME,
    (Mode.HEARTBEAT_CAME, Sign.WITHDRAWAL): Mode.HEARTBEAT_CAME,
    (Mode.HEARTBEAT_CAME, Sign.RESTART): Mode.LOST,
    (Mode.LIMIT_CAME, Sign.PROMISE): Mode.LIMIT_CAME,
    (Mode.LIMIT_CAME, Sign.LIMIT): Mode.LIMIT_CAME,
    (Mode.LIMIT_CAME, Sign.HEARTBEAT): Mode.HEARD,
    (Mode.LIMIT_CAME, Sign.SILENCE): Mode.LOST,
    # The new limit is no more: a heartbeat alone would leave none.
    (Mode.LIMIT_CAME, Sign.EXPIRY): Mode.LOST,
    (Mode.LIMIT_CAME, Sign.WITHDRAWAL): Mode.LOST,
    (Mode.LIMIT_CAME, Sign.RESTART): Mode.LOST,
}

AWAITED: dict[Mode, tuple[Sign, ...]] = {
    Mode.OPEN: (),
    Mode.HEARD: (),
    Mode.LOST: (Sign.HEARTBEAT, Sign.LIMIT),
    Mode.HEARTBEAT_CAME: (Sign.LIMIT,),
    Mode.LIMIT_CAME: (Sign.HEARTBEAT,),
}
"""What must still come before the fail-safe is left."""


class GridLimitSource(StrEnum):
    """Which of the limits binds."""

    CONFIGURED = "configured"
    GIVEN = "given"
    SCHEDULE = "schedule"
    FAILSAFE = "failsafe"


@dataclass(frozen=True, slots=True)
class GivenLimit:
    """A limit given at run time, until `valid_until` (None: until another one comes)."""

    limit_w: int
    at: float
    valid_until: float | None = None


@dataclass(frozen=True, slots=True)
class GridStep:
    """From `start_at` on, until the next step: this limit."""

    start_at: float
    limit_w: int


@dataclass(frozen=True, slots=True)
class GridLimit:
    """The limit in force, which one it is, and since when it is that one."""

    limit_w: int
    source: GridLimitSource
    since: float


@dataclass(frozen=True, slots=True)
class GridState:
    """Everything that was said of the grid limit at run time, as true at `at`.

    `heartbeat_s` is how often the source has promised to be heard from, None without a promise of
    its own; `last_sign_at` when it last was, by heartbeat or limit. `in_force` is None only before
    the first `advance`.
    """

    mode: Mode = Mode.OPEN
    given: GivenLimit | None = None
    heartbeat_s: float | None = None
    last_sign_at: float | None = None
    schedule: tuple[GridStep, ...] = ()
    at: float = 0.0
    in_force: GridLimit | None = None

    @property
    def failsafe(self) -> bool:
        """Whether the source is lost and the fail-safe limit holds."""
        return bool(AWAITED[self.mode])


# ------------------------------------------------------------------------------ what holds


def grid_limit(station: Station, grid: GridState, now: float) -> GridLimit:
    """The limit in force at `now`, which is not before the newest fact."""
    found = advance(station, grid, now).in_force
    assert found is not None
    return found


def in_force(station: Station, grid: GridState, now: float) -> Station:
    """The station with the grid limit in force at `now`: itself when that is the configured one."""
    limit_w = grid_limit(station, grid, now).limit_w
    return station if limit_w == station.grid_limit_w else replace(station, grid_limit_w=limit_w)


def timeout_s(station: Station, heartbeat_s: float | None = None) -> float:
    """How long the source may be silent.

    Twice the interval it promised (EEBUS: 60 s and 120 s), at most what the station says.
    """
    most_s = TIMEOUT_S if station.grid_source is None else station.grid_source.timeout_s
    return most_s if heartbeat_s is None else min(most_s, MISSED_HEARTBEATS * heartbeat_s)


def silent_at(station: Station, grid: GridState) -> float | None:
    """When the source counts as silent if nothing comes; None when nothing is expected of it."""
    if grid.mode in {Mode.OPEN, Mode.LOST} or grid.last_sign_at is None:
        return None
    return grid.last_sign_at + timeout_s(station, grid.heartbeat_s)


def failsafe_w(station: Station) -> int:
    """The fail-safe limit: as configured, or else what the fallbacks need and no more."""
    return least_w(station) if station.grid_source is None else station.grid_source.failsafe_w


def next_change_at(station: Station, grid: GridState, now: float) -> float | None:
    """The next moment after `now` at which time alone may change the limit: when to look again."""
    silent = silent_at(station, grid)
    times = [t for t in (silent, planned_change_at(grid, now)) if t is not None and t > now]
    return min(times, default=None)


def planned_change_at(grid: GridState, now: float) -> float | None:
    """The same without silence, which nobody plans: the given limit's end, the schedule's step."""
    coming = _steps_after(grid, now)
    times = [coming[0].start_at] if coming else []
    if grid.given is not None and grid.given.valid_until is not None:
        times.append(grid.given.valid_until)
    return min((t for t in times if t > now), default=None)


# ------------------------------------------------------------------------------ what happens


def advance(station: Station, grid: GridState, now: float) -> GridState:
    """Let time pass until `now`; a `now` before the newest fact is taken as that fact's time."""
    grid = _as_configured(station, grid)
    until = max(now, grid.at)
    moments = {step.start_at for step in _steps_after(grid, grid.at) if step.start_at < until}
    ends = [silent_at(station, grid), None if grid.given is None else grid.given.valid_until]
    moments |= {t for t in ends if t is not None and grid.at < t < until}
    for moment in (*sorted(moments), until):
        grid = _settled(station, grid, moment)
    return grid


def given(
    station: Station,
    grid: GridState,
    limit_w: int,
    at: float,
    *,
    valid_until: float | None = None,
    heartbeat_s: float | None = None,
) -> GridState:
    """A new limit has come. A promise once made holds until it is replaced or withdrawn."""
    grid = advance(station, grid, at)
    if heartbeat_s is not None:
        grid = replace(grid, heartbeat_s=heartbeat_s)
    limit = GivenLimit(limit_w, at, valid_until)
    return _seen(station, replace(grid, given=limit), Sign.LIMIT, at)


def heartbeat(station: Station, grid: GridState, at: float) -> GridState:
    """The source is alive."""
    return _seen(station, advance(station, grid, at), Sign.HEARTBEAT, at)


def scheduled(
    station: Station, grid: GridState, steps: tuple[GridStep, ...], at: float
) -> GridState:
    """A new schedule, in place of the one before. `steps` are in order (see `misplaced`)."""
    assert misplaced(steps) is None
    return advance(station, replace(advance(station, grid, at), schedule=steps), at)


def withdrawn(station: Station, grid: GridState, at: float) -> GridState:
    """Back to the configured limit: what was given, scheduled and promised is no more.

    The fail-safe stays in force, and so does the watch on a source that the station requires.
    """
    grid = advance(station, grid, at)
    required = station.grid_source is not None and station.grid_source.required
    mode = grid.mode
    if not (required and mode is Mode.HEARD):
        mode = TABLE[mode, Sign.WITHDRAWAL]
    promised_s = grid.heartbeat_s if AWAITED[mode] else None
    grid = replace(grid, mode=mode, given=None, schedule=(), heartbeat_s=promised_s)
    return advance(station, grid, at)


def restarted(station: Station, grid: GridState, at: float) -> GridState:
    """The process was down until `at`: what the source has said meanwhile is not known."""
    mode = TABLE[grid.mode, Sign.RESTART]
    kept = replace(grid, mode=mode, last_sign_at=None, at=at, in_force=None)
    return advance(station, kept, at)


def misplaced(steps: Iterable[GridStep]) -> int | None:
    """The index of the first step that does not start after the one before it; None when all do."""
    pairs = enumerate(pairwise(steps), start=1)
    return next((i for i, (one, other) in pairs if other.start_at <= one.start_at), None)


# ------------------------------------------------------------------------------ can it hold?


def least_w(station: Station) -> int:
    """The least grid limit this station can hold: static load, reserve and every fallback."""
    fallback_w = sum(c.unspoken_w for c in station.chargers)
    return station.static_load_w + station.reserve_w + fallback_w


def fallbacks_named(chargers: Iterable[Charger]) -> str:
    """How messages call what these chargers' connectors may draw when nobody speaks to them."""
    if any(c.capabilities.at_zero == GOES_ON_AT_ZERO for c in chargers):
        return f'the fallbacks (minima where atZero is "{GOES_ON_AT_ZERO}")'
    return "the fallbacks"


def shortfall(station: Station, name: str, limit_w: int) -> str | None:
    """Why the station cannot hold this limit when nobody speaks to its chargers; None if it can."""
    if least_w(station) <= limit_w:
        return None
    return (
        f"static load, reserve and {fallbacks_named(station.chargers)} of all connectors sum to "
        f"{w_to_kw(least_w(station))} kW, more than {name} of {w_to_kw(limit_w)} kW"
    )


def schedule_shortfalls(
    station: Station, steps: tuple[GridStep, ...], now: float
) -> list[tuple[int, str]]:
    """The steps, by index, that hold at `now` or later and that the station cannot hold; why."""
    first = max(0, bisect_right(steps, now, key=lambda s: s.start_at) - 1)
    found = ((i, shortfall(station, "the limit", s.limit_w)) for i, s in enumerate(steps))
    return [(i, reason) for i, reason in found if i >= first and reason is not None]


# ------------------------------------------------------------------------------ in words


def news(before: GridState, after: GridState) -> list[tuple[str, str]]:
    """What an operator should read of a change, as (kind, text); nothing of a new configuration."""
    told: list[tuple[str, str]] = []
    if after.failsafe and not before.failsafe:
        awaited = " and ".join(AWAITED[after.mode])
        told.append(("grid_source_lost", f"fail-safe; left on a new {awaited}"))
    if before.failsafe and not after.failsafe:
        told.append(("grid_source_back", "the fail-safe is left"))
    old, new = before.in_force, after.in_force
    sources = {limit.source for limit in (old, new) if limit is not None}
    if new is not None and new != old and sources != {GridLimitSource.CONFIGURED}:
        told.append(("grid_limit", f"{w_to_kw(new.limit_w)} kW ({new.source})"))
    return told


# ------------------------------------------------------------------------------ as kept


def dump_grid(grid: GridState) -> dict[str, Any]:
    """What has to survive a restart, as a JSON document. A heartbeat alone does not change it."""
    limit = grid.given
    return {
        "active": grid.mode is not Mode.OPEN,
        "given": None if limit is None else [limit.limit_w, limit.at, limit.valid_until],
        "heartbeat_s": grid.heartbeat_s,
        "schedule": [[step.start_at, step.limit_w] for step in grid.schedule],
    }


def load_grid(document: Mapping[str, Any]) -> GridState:
    """What `dump_grid` kept; to be taken up again by `restarted`."""
    limit = document["given"]
    return GridState(
        mode=Mode.HEARD if document["active"] else Mode.OPEN,
        given=None if limit is None else GivenLimit(*limit),
        heartbeat_s=document["heartbeat_s"],
        schedule=tuple(GridStep(*step) for step in document["schedule"]),
    )


# ------------------------------------------------------------------------------ inside


def _as_configured(station: Station, grid: GridState) -> GridState:
    """What the station says of a source: a required one that was never heard is lost."""
    source = station.grid_source
    if source is not None and source.required and grid.mode is Mode.OPEN:
        return replace(grid, mode=Mode.LOST)
    if source is None and grid.heartbeat_s is None and grid.mode is not Mode.OPEN:
        return replace(grid, mode=Mode.OPEN)
    return grid


def _seen(station: Station, grid: GridState, sign: Sign, at: float) -> GridState:
    mode = grid.mode
    if station.grid_source is not None or grid.heartbeat_s is not None:
        mode = TABLE[mode, Sign.PROMISE]
    return advance(station, replace(grid, mode=TABLE[mode, sign], last_sign_at=at), at)


def _settled(station: Station, grid: GridState, at: float) -> GridState:
    """The state at this moment, when nothing has changed since `grid.at` but at this moment."""
    silent, limit = silent_at(station, grid), grid.given
    if limit is not None and limit.valid_until is not None and limit.valid_until <= at:
        grid = replace(grid, mode=TABLE[grid.mode, Sign.EXPIRY], given=None)
    if silent is not None and silent <= at:
        grid = replace(grid, mode=TABLE[grid.mode, Sign.SILENCE])
    limit_w, source = _binding(station, grid, at)
    found = grid.in_force
    if found is None or (found.limit_w, found.source) != (limit_w, source):
        found = GridLimit(limit_w, source, at)
    return replace(grid, at=at, in_force=found)


def _binding(station: Station, grid: GridState, at: float) -> tuple[int, GridLimitSource]:
    """The smallest limit. Of equal ones the most urgent is named."""
    limits: list[tuple[int, GridLimitSource]] = []
    if grid.failsafe:
        limits.append((failsafe_w(station), GridLimitSource.FAILSAFE))
    if grid.given is not None:
        limits.append((grid.given.limit_w, GridLimitSource.GIVEN))
    begun = bisect_right(grid.schedule, at, key=lambda step: step.start_at)
    if begun:
        limits.append((grid.schedule[begun - 1].limit_w, GridLimitSource.SCHEDULE))
    limits.append((station.grid_limit_w, GridLimitSource.CONFIGURED))
    return min(limits, key=lambda limit: limit[0])


def _steps_after(grid: GridState, at: float) -> tuple[GridStep, ...]:
    return grid.schedule[bisect_right(grid.schedule, at, key=lambda step: step.start_at) :]
