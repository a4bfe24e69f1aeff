"""How much a vehicle wants, from what it was declared to take and what it is seen to take.

A vehicle that draws all it is allowed may want more: the reading is *censored*, and says only that
nothing below the vehicle's own ceiling bounds it. A vehicle that draws clearly less than it is
allowed shows what it wants. The estimate must never ratchet down: it is always above the draw, so a
vehicle that wants more soon draws its whole limit, and is then taken at its word at once.

What a reading can say depends on the limit that was in force when it was taken:

| limit confirmed before the reading        | the reading                                          |
|-------------------------------------------|------------------------------------------------------|
| none                                      | says nothing: it may be held down by anything        |
| lower than a vehicle can charge at        | says nothing: it is we who pause the vehicle         |
| raised since, or just before              | says nothing any more, unless it is censored         |
| any other, and the draw is close to it    | is censored: the vehicle may want up to its ceiling  |
| any other                                 | shows what the vehicle takes                         |

Two things make the most of a station that is short of power. A vehicle that has only just been
plugged in draws nothing for half a minute: until it wakes, what it would leave unused is lent out.
And the draw of a DC vehicle falls for most of its session, while a limit follows it in steps: then
`Demand.enough_w` is what the vehicle will take in a while, a little less than it takes now. Only
when all others have enough is it given more. Drawing all of that is foreseen, and no news.

Where no reading says anything the estimate stays as it is, or is the ceiling when there is none or
the last word is too old. Session limits and readings carry the times at which csms learned them, so
no charger's clock matters here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from csms.station.model import Connector, CurrentType, LimitSource
from csms.station.state import LimitStep, Reading, Session

TWO_PHASE_A = 16
"""No vehicle charges on two phases with more than this: one that takes more uses three."""

PAIR = 2
"""One reading may be a slip; two in a row are believed."""

TREND = 3
"""So many readings within the window show whether a draw falls or is steady."""


@dataclass(frozen=True, slots=True)
class DemandPolicy:
    """The numbers of the estimate.

    - `censored_fraction`: a draw of at least this part of the limit is censored.
    - `window_s`: the estimate follows the largest draw of this long.
    - `headroom_fraction`, `headroom_dc_w`, `headroom_ac_a` (per phase): how far the estimate stays
      above the draw; the amperes or watts alone are the least it ever is.
    - `plateau_fraction`: two readings closer than this are level.
    - `grace_s`: for so long after its first useful limit a vehicle may draw nothing. If its meter
      says so within `quick_s`, it is left `waking_dc_w` (or the least on AC) until it draws.
    - `ahead_s`: how far ahead a falling draw is foreseen, by at most `ahead_most_fraction` of it; a
      fall of less than `ahead_least_fraction` is none. `ahead_for_s`: for how long a vehicle that
      then draws all it is given is not asked whether it wants more.
    - `steady_fraction`: how far what is enough stays above a steady draw; more than what would be
      censored.
    - `settle_s`: how long a vehicle takes to follow a limit.
    - `dead_band_w`, `dead_band_fraction`: smaller changes than the larger of both are left out.
    - `raise_spacing_s`: the least time between two raises that follow what is measured.
    - `zero_draw_w`: less than this is no charging.
    - `probe_every_s`, `probe_for_s`: how often and for how long a vehicle that draws nothing is
      offered everything.
    - `stale_s`: what was measured longer ago says nothing.
    - `voltage_tolerance`: how far the real voltage may be above the one configured.
    """

    censored_fraction: float = 0.95
    window_s: float = 60.0
    headroom_fraction: float = 0.05
    headroom_dc_w: int = 3000
    headroom_ac_a: float = 1.0
    plateau_fraction: float = 0.02
    grace_s: float = 90.0
    quick_s: float = 30.0
    waking_dc_w: int = 5000
    ahead_s: float = 120.0
    ahead_least_fraction: float = 0.02
    ahead_most_fraction: float = 0.2
    ahead_for_s: float = 300.0
    steady_fraction: float = 0.065
    settle_s: float = 5.0
    dead_band_w: int = 1000
    dead_band_fraction: float = 0.02
    raise_spacing_s: float = 30.0
    zero_draw_w: int = 1000
    probe_every_s: float = 600.0
    probe_for_s: float = 60.0
    stale_s: float = 300.0
    voltage_tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class Demand:
    """The most a vehicle is thought to want, and why.

    `ceiling_w` is what it could want at most. `changed_at` is when the bound last changed,
    `raised_at` when it was last raised for something measured (None: never), `idle_since` since
    when the vehicle has been seen to draw nothing (None: it draws, or nobody knows). `phases_used`
    is how many phases it is known to charge on, at least. `enough_w` is what it should have while
    others are short (None: the whole bound), and until `foreseen_until` it is expected to draw all
    of that (None: it is not). UTC epoch seconds, watts.
    """

    bound_w: int
    source: LimitSource
    ceiling_w: int
    changed_at: float
    raised_at: float | None = None
    idle_since: float | None = None
    phases_used: int = 1
    enough_w: int | None = None
    foreseen_until: float | None = None


class _Word(Enum):
    """What the readings say: nobody knows, nothing new, it wants more, it takes so much."""

    UNKNOWN = auto()
    NOTHING = auto()
    CENSORED = auto()
    TAKES = auto()


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the readings say. `lowers` is whether less than before is to be believed.

    `idle`: it draws nothing; `waking`: it does not yet. `ahead_w` and `steady_w`: what it will take
    in a while, or has taken for a while.
    """

    word: _Word
    takes_w: int = 0
    idle: bool = False
    waking: bool = False
    lowers: bool = False
    ahead_w: int | None = None
    steady_w: int | None = None


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """What a vehicle could want at most, and why."""

    value_w: int
    source: LimitSource


@dataclass(frozen=True, slots=True)
class _Draw:
    """A reading that can say something, between the limits that were in force around it."""

    at: float
    power_w: int
    lowest_w: int
    highest_w: int


def next_demand(
    previous: Demand | None,
    session: Session,
    connector: Connector,
    policy: DemandPolicy,
    now: float,
) -> Demand:
    """The demand of this session now, from what it was and everything known of the session.

    To be asked after every fact about the session, and every few seconds: time changes it too.
    """
    ceiling = _ceiling(session, connector)
    if previous is None:
        previous = Demand(ceiling.value_w, ceiling.source, ceiling.value_w, changed_at=now)
    draws = _draws(session, connector, policy, now)
    phases_used = _phases_used(previous.phases_used, draws, connector, policy)
    scale = 1.0 if connector.current_type is CurrentType.DC else connector.phases / phases_used
    evidence = _evidence(draws, scale, list(session.limits), connector, policy=policy, now=now)
    evidence = _in_the_light_of(previous, evidence, draws, policy, now)
    idle_since = _idle_since(previous, evidence, now)
    probing = _probing(idle_since, policy, now)
    if probing:
        bound_w = ceiling.value_w
    else:
        target_w = _target_w(previous, ceiling, evidence, connector, policy)
        bound_w = _paced_w(previous, target_w, ceiling, evidence, policy=policy, now=now)
    measured = evidence.word in {_Word.CENSORED, _Word.TAKES}
    same_ceiling = ceiling.value_w == previous.ceiling_w
    raised = bound_w > previous.bound_w and measured and same_ceiling and not probing
    enough_w, foreseen_until = _enough(previous, evidence, bound_w, policy, now)
    return Demand(
        bound_w,
        ceiling.source if bound_w >= ceiling.value_w else LimitSource.DEMAND,
        ceiling.value_w,
        changed_at=previous.changed_at if bound_w == previous.bound_w else now,
        raised_at=now if raised else previous.raised_at,
        idle_since=idle_since,
        phases_used=phases_used,
        enough_w=enough_w,
        foreseen_until=foreseen_until,
    )


def _ceiling(session: Session, connector: Connector) -> _Ceiling:
    """The connector's maximum or the declared one; but never less than is worth offering."""
    declared_w = session.vehicle_max_w
    if declared_w is None or declared_w >= connector.max_power_w:
        return _Ceiling(connector.max_power_w, LimitSource.CONNECTOR)
    lifted_w = max(declared_w, connector.minimum_w)
    return _Ceiling(min(connector.max_power_w, lifted_w), LimitSource.VEHICLE)


def _draws(session: Session, connector: Connector, policy: DemandPolicy, now: float) -> list[_Draw]:
    """The readings that can say something, newest first: the last two and those in the window."""
    limits = list(session.limits)
    useful_w = max(connector.least_useful_w, policy.zero_draw_w)
    found: list[_Draw] = []
    for reading in reversed(session.readings):
        age_s = now - reading.at
        if age_s > policy.stale_s or (age_s > policy.window_s and len(found) > 1):
            break
        around = _limits_around(limits, reading, policy.settle_s)
        if around is not None and around[0] >= useful_w:
            found.append(_Draw(reading.at, reading.power_w, *around))
    return found


def _limits_around(
    limits: Sequence[LimitStep], reading: Reading, settle_s: float
) -> tuple[int, int] | None:
    """The lowest and highest limit the vehicle may have followed; None when one is not known."""
    around: list[int] = []
    for step in reversed(limits):
        if step.at <= reading.at:
            around.append(step.limit_w)
            if step.at <= reading.at - settle_s:
                return min(around), max(around)
    return None


def _phases_used(
    known: int, draws: Sequence[_Draw], connector: Connector, policy: DemandPolicy
) -> int:
    """How many phases the vehicle charges on, at least.

    An AC limit holds on every phase. A vehicle on one of three phases draws a third of the limit
    and is held down all the same; only one that draws more than that uses more phases. One that
    draws more than any vehicle does on two phases uses three.
    """
    if connector.current_type is CurrentType.DC:
        return known
    two_phases_w = 2 * TWO_PHASE_A * connector.voltage_v * (1 + policy.voltage_tolerance)
    for draw in draws:
        full_phases = draw.power_w * connector.phases / draw.highest_w
        known = max(known, math.ceil(full_phases * (1 - policy.voltage_tolerance)))
        if draw.power_w > two_phases_w:
            known = connector.phases
    return min(known, connector.phases)


def _evidence(
    draws: Sequence[_Draw],
    scale: float,
    limits: Sequence[LimitStep],
    connector: Connector,
    *,
    policy: DemandPolicy,
    now: float,
) -> _Evidence:
    """What the readings say together. `scale` makes of a draw the limit that it needs."""
    if not draws:
        return _Evidence(_Word.UNKNOWN)
    if _censored(draws[0], scale, policy):
        return _Evidence(_Word.CENSORED)
    counts_from = _raised_at(limits, policy) + policy.settle_s
    counting = [draw for draw in draws if draw.at >= counts_from]
    useful_since = _useful_since(limits, connector, policy)
    in_grace = draws[0].at < useful_since + policy.grace_s
    quick = bool(counting) and counting[-1].at <= useful_since + policy.quick_s
    if in_grace and quick and all(draw.power_w <= policy.zero_draw_w for draw in draws):
        return _Evidence(_Word.TAKES, idle=True, waking=True, lowers=True)
    if len(counting) < PAIR or _censored(counting[1], scale, policy):
        return _Evidence(_Word.NOTHING)
    newest, before = counting[0], counting[1]
    recent = [draw for draw in counting if now - draw.at <= policy.window_s]
    takes_w = max(*(draw.power_w for draw in recent), newest.power_w, before.power_w)
    rising = newest.power_w > before.power_w * (1 + policy.plateau_fraction)
    still_w = min(newest.power_w, before.power_w)
    trending = connector.current_type is CurrentType.DC and takes_w > policy.zero_draw_w
    ahead_w, steady_w = _trend(recent, policy) if trending else (None, None)
    return _Evidence(
        _Word.TAKES,
        takes_w=math.ceil(takes_w * scale),
        idle=takes_w <= policy.zero_draw_w,
        lowers=not rising and not (in_grace and still_w <= policy.zero_draw_w),
        ahead_w=ahead_w,
        steady_w=steady_w,
    )


def _in_the_light_of(
    previous: Demand, evidence: _Evidence, draws: Sequence[_Draw], policy: DemandPolicy, now: float
) -> _Evidence:
    """The same evidence, seen by somebody who knows what was expected."""
    if evidence.word is _Word.CENSORED:
        foreseen = previous.foreseen_until is not None and now <= previous.foreseen_until
        if foreseen and draws[0].lowest_w < previous.bound_w * policy.censored_fraction:
            return _Evidence(_Word.NOTHING)
    # What it draws while it wakes is little, and no measure of what it will take.
    asleep = previous.idle_since is not None and previous.raised_at is None
    if asleep and draws and draws[0].power_w > policy.zero_draw_w:
        return _Evidence(_Word.CENSORED)
    return evidence


def _enough(
    previous: Demand, evidence: _Evidence, bound_w: int, policy: DemandPolicy, now: float
) -> tuple[int | None, float | None]:
    """What the vehicle should have while others are short, and until when it will draw all of it.

    None where that is the whole bound.
    """
    if evidence.word is _Word.NOTHING:
        enough_w, foreseen_until = previous.enough_w, previous.foreseen_until
    elif evidence.ahead_w is not None:
        enough_w, foreseen_until = evidence.ahead_w, now + policy.ahead_for_s
    else:
        enough_w, foreseen_until = evidence.steady_w, None
    if enough_w is None or enough_w >= bound_w:
        return None, None
    before_w = previous.enough_w
    if before_w is not None and abs(enough_w - before_w) < _dead_band_w(before_w, policy):
        enough_w = min(before_w, bound_w)
    return enough_w, foreseen_until


def _trend(recent: Sequence[_Draw], policy: DemandPolicy) -> tuple[int | None, int | None]:
    """(what a vehicle whose draw falls will take in a while, what is enough for a steady one).

    `recent` are the draws of the window, newest first.
    """
    if len(recent) < TREND or any(
        older.power_w < newer.power_w for newer, older in pairwise(recent)
    ):
        return None, None
    newest, oldest = recent[0], recent[-1]
    per_s = (oldest.power_w - newest.power_w) / (newest.at - oldest.at)
    fall_w = per_s * policy.ahead_s
    if fall_w < newest.power_w * policy.ahead_least_fraction:
        return None, round(oldest.power_w * (1 + policy.steady_fraction))
    most_w = newest.power_w * policy.ahead_most_fraction
    return round(newest.power_w - min(fall_w, most_w)), None


def _censored(draw: _Draw, scale: float, policy: DemandPolicy) -> bool:
    """Whether the vehicle drew about all it was allowed."""
    return draw.power_w * scale >= draw.lowest_w * policy.censored_fraction


def _raised_at(limits: Sequence[LimitStep], policy: DemandPolicy) -> float:
    """When the limit was last raised by more than a trifle; the first one known counts too."""
    at = limits[0].at
    for older, newer in pairwise(limits):
        if newer.limit_w > older.limit_w * (1 + policy.plateau_fraction):
            at = newer.at
    return at


def _useful_since(limits: Sequence[LimitStep], connector: Connector, policy: DemandPolicy) -> float:
    """When the vehicle was last allowed to charge after it was not."""
    useful_w = max(connector.least_useful_w, policy.zero_draw_w)
    at = limits[0].at
    for older, newer in pairwise(limits):
        if older.limit_w < useful_w <= newer.limit_w:
            at = newer.at
    return at


def _idle_since(previous: Demand, evidence: _Evidence, now: float) -> float | None:
    """Since when the vehicle has drawn nothing; a word that is not new leaves it as it was."""
    if evidence.word is _Word.NOTHING or (evidence.idle and previous.idle_since is not None):
        return previous.idle_since
    return now if evidence.idle else None


def _probing(idle_since: float | None, policy: DemandPolicy, now: float) -> bool:
    """Whether an idle vehicle is to be offered everything now."""
    if idle_since is None or now - idle_since < policy.probe_every_s:
        return False
    return (now - idle_since) % policy.probe_every_s < policy.probe_for_s


def _target_w(
    previous: Demand,
    ceiling: _Ceiling,
    evidence: _Evidence,
    connector: Connector,
    policy: DemandPolicy,
) -> int:
    """Where the bound should be, were it free to move."""
    if evidence.word in {_Word.UNKNOWN, _Word.CENSORED}:
        return ceiling.value_w
    at_ceiling = previous.bound_w >= previous.ceiling_w
    kept_w = ceiling.value_w if at_ceiling else min(previous.bound_w, ceiling.value_w)
    if evidence.word is _Word.NOTHING:
        return kept_w
    headroom_w, least_w = _headroom_w(connector, policy)
    if evidence.waking and connector.current_type is CurrentType.DC:
        least_w = max(least_w, policy.waking_dc_w)
    takes_w = 0 if evidence.idle else evidence.takes_w
    target_w = max(least_w, round(takes_w * (1 + policy.headroom_fraction)) + headroom_w)
    if not evidence.lowers:
        target_w = max(target_w, kept_w)
    return min(target_w, ceiling.value_w)


def _headroom_w(connector: Connector, policy: DemandPolicy) -> tuple[int, int]:
    """How far the bound stays above the draw, and the least it ever is: enough to charge with."""
    if connector.current_type is CurrentType.DC:
        return policy.headroom_dc_w, max(policy.headroom_dc_w, connector.minimum_w)
    headroom_w = round(policy.headroom_ac_a * connector.phases * connector.voltage_v)
    return headroom_w, connector.least_useful_w + headroom_w


def _paced_w(
    previous: Demand,
    target_w: int,
    ceiling: _Ceiling,
    evidence: _Evidence,
    *,
    policy: DemandPolicy,
    now: float,
) -> int:
    """The bound after dead band and spacing, which hold back only what follows the meter."""
    if ceiling.value_w != previous.ceiling_w or evidence.word is _Word.UNKNOWN:
        return target_w
    band_w = _dead_band_w(previous.bound_w, policy)
    if abs(target_w - previous.bound_w) < band_w and evidence.word is not _Word.CENSORED:
        return previous.bound_w
    spaced_until = (
        now if previous.raised_at is None else previous.raised_at + policy.raise_spacing_s
    )
    if target_w > previous.bound_w and now < spaced_until:
        return previous.bound_w
    return target_w


def _dead_band_w(value_w: int, policy: DemandPolicy) -> float:
    return max(policy.dead_band_w, value_w * policy.dead_band_fraction)
