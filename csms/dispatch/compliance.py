"""Whether a connector does what it was told: accepted is not applied.

A reading is held against the most that any limit may have let through while it was taken: what the
ledger counted from a settling time before it was measured until now. Above that by more than the
tolerance it is an *excess*. Two excesses in a row, or one after which the charger falls silent,
*convict* the connector: it counts at what was seen or its hardware maximum, whichever is more, and
what is done about it grows from step to step. It is never learned away: only a connector seen to be
held down by a limit is acquitted. One that is paused, draws nothing and says that it is the charger
that holds its vehicle back (`SuspendedEVSE`) obeys that pause, whatever it does at other limits: it
stays convicted, and counts at its limit until the pause is over.

| reading                                                    | says                               |
|------------------------------------------------------------|------------------------------------|
| from a queue, from another clock, or no power a meter has  | nothing                            |
| from before the session, or while a vehicle lets go of one | nothing                            |
| no session, more than a charger's own use                  | EXCEEDS, believed at once          |
| no session, less                                           | OBEYS                              |
| above everything that may have been in force               | EXCEEDS                            |
| the same to the watt while the limit moved                 | UNKNOWN: the meter is stuck        |
| within limits of which one has just changed                | SETTLING                           |
| any other                                                  | OBEYS                              |

After a pause a charger may resume without any limit (interop G11), so from the raise on it counts
at its hardware maximum until it has been seen to obey. Times are receipt times of csms; a charger's
own time only tells how long a reading was on its way. safety.md F5, F12, F20; I11.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from csms.dispatch.lateness import ChargerClock, delay
from csms.station.model import Connector, CurrentType, RateUnit
from csms.station.state import ConnectorState, ConnectorStatus, LimitStep, Reading, Session

PAIR = 2
"""One reading may be a slip; two in a row are believed."""

INTERVALS = 2
"""So many meter intervals are waited for a reading, and believed to be a delay of one."""

FRESH_INTERVALS = 3
"""A reading older than so many intervals says nothing of now."""

STEPS_KEPT = 32
"""Changes of the limit remembered; beyond that the two oldest are taken for the higher one."""


class Verdict(StrEnum):
    """What the newest reading that says anything says of the connector."""

    UNKNOWN = "unknown"
    SETTLING = "settling"
    OBEYS = "obeys"
    EXCEEDS = "exceeds"


class Cause(StrEnum):
    """What a connector is convicted of."""

    LIMIT = "draws more than any limit allows"
    NO_SESSION = "delivers power without a session"


class Step(IntEnum):
    """How far things have come with a convicted connector; every lower step has been taken too.

    ALARM: tell an operator. RESEND: send its limit again, in the next form. STOP: end the session
    from here. UNAVAILABLE: take the connector out of service, with an alarm that stays until
    somebody pardons it.
    """

    NONE = 0
    ALARM = 1
    RESEND = 2
    STOP = 3
    UNAVAILABLE = 4


@dataclass(frozen=True, slots=True)
class CompliancePolicy:
    """The numbers of the closed loop.

    - `tolerance_w`, `tolerance_fraction`: a draw above a limit by less than the larger of both is
      the meter's error. `voltage_fraction`: the same for a limit in amperes, which lets through
      more when the voltage is high (EN 50160: 10 %).
    - `settle_s`: how long a charger and its vehicle take to follow a limit.
    - `idle_w`: up to this a connector without a vehicle may use for itself.
    - `interval_s`: the meter interval until it is known; `longest_interval_s`: a longer gap is an
      outage.
    - `credible_factor`: above so many times the hardware maximum a reading is no power.
    - `stuck_s`, `stuck_move_w`: a reading the same for so long while the limit moved by so much.
    - `held_fraction`: a draw of this part of a limit is held down by it. `trial_s`: a draw within
      its limit for so long is thought to obey it although it is not held down.
    - `steady_s`: a charger's clock is steady when it runs with ours to within this.
    - `least_dc_w`: a DC limit below this is a pause.
    """

    tolerance_w: int = 500
    tolerance_fraction: float = 0.05
    voltage_fraction: float = 0.1
    settle_s: float = 5.0
    idle_w: int = 300
    interval_s: float = 60.0
    longest_interval_s: float = 900.0
    credible_factor: int = 3
    stuck_s: float = 60.0
    stuck_move_w: int = 5_000
    held_fraction: float = 0.8
    trial_s: float = 60.0
    steady_s: float = 2.0
    least_dc_w: int = 1_000

    def tolerance(self, limit_w: int, unit: RateUnit) -> float:
        """How far above this limit a draw may be read, in watts."""
        fraction = self.tolerance_fraction
        if unit is RateUnit.AMPERES:
            fraction = max(fraction, self.voltage_fraction)
        return max(self.tolerance_w, limit_w * fraction)

    def comply_s(self, interval_s: float) -> float:
        """T_comply: how long a connector may take to be seen at its limit (safety.md F5)."""
        return self.settle_s + INTERVALS * interval_s


@dataclass(frozen=True, slots=True)
class Terms:
    """What a connector is judged by.

    `in_force_w` is the most that any limit which may be in force lets through now, the fallback
    included: `Ledger.worst_case_w`, without what its compliance makes it count. `unit` is how its
    limits are written, `interval_s` the meter interval it was told (None: not known),
    `trusts_resume` whether it is known to obey a limit after a pause, and `sent_w` the limits that
    were sent to its session since the newest confirmed one, oldest first.
    """

    in_force_w: int
    unit: RateUnit = RateUnit.WATTS
    interval_s: float | None = None
    trusts_resume: bool = False
    sent_w: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Readings of one kind in a row: since when, how many, how many of the last at their limit."""

    since: float
    count: int = 1
    held: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one call to the next.

    `in_force` are the changes of `Terms.in_force_w`; `interval_s` is how far apart readings come
    (0: not known). `read_at` is when the newest reading looked at came, `said_at` when the newest
    one that said something came, `said` what. `same_w` has been read since `same_since`; `over` are
    the excesses in a row, `kept` the readings that show obedience, `paused` those that show that a
    pause is kept to.
    """

    session_id: str | None = None
    in_force: tuple[LimitStep, ...] = ()
    interval_s: float = 0.0
    clock: ChargerClock = field(default_factory=ChargerClock)
    read_at: float | None = None
    said: Verdict = Verdict.UNKNOWN
    said_at: float | None = None
    same_w: int | None = None
    same_since: float = 0.0
    over: Run | None = None
    kept: Run | None = None
    paused: Run | None = None


@dataclass(frozen=True, slots=True)
class Compliance:
    """How a connector stands to its limits.

    `counted_w` is what it counts at whatever its limits are, None when its limits count. `cause` is
    what it is convicted of, None when of nothing, `since` when; `observed_w` the largest excess
    seen, `allowed_w` what it was held against. `step_at` is when `step` was taken. `paused`: its
    session's limit is, or may be, too low to charge at; `resumed`: it was, and the connector has
    not been seen to obey since.
    """

    verdict: Verdict = Verdict.UNKNOWN
    counted_w: int | None = None
    cause: Cause | None = None
    observed_w: int = 0
    allowed_w: int = 0
    step: Step = Step.NONE
    step_at: float = 0.0
    since: float = 0.0
    paused: bool = False
    resumed: bool = False
    memory: Memory = Memory()


@dataclass(frozen=True, slots=True)
class _Look:
    """A new reading: what it says (None: nothing), and the highest limit it is held against."""

    power_w: int
    at: float
    says: Verdict | None = None
    highest_w: int = 0


def next_compliance(
    previous: Compliance | None,
    connector: Connector,
    state: ConnectorState,
    terms: Terms,
    policy: CompliancePolicy,
    now: float,
) -> Compliance:
    """How the connector stands now, from how it stood and what has been learned since.

    To be asked in every cycle, before limits are planned: the ledger's changes must all be seen.
    """
    before = _entered(previous or Compliance(), state, now)
    memory = _with_limit(before.memory, terms, policy, now)
    before = _paced(_remembering(before, memory), connector, state.session, terms, policy)
    look, memory = _look(before.memory, connector, state, terms, policy)
    if look is not None:
        memory = _with_runs(before, memory, look, connector, state, terms, policy)
    judged = _judged(_remembering(before, memory), look, state.session, policy, now)
    counted_w = None
    verdict = _verdict(judged, state.session, policy, now)
    guilty = judged.cause is not None and not _keeps_to_its_pause(judged, verdict, policy)
    if guilty or (judged.resumed and not terms.trusts_resume):
        counted_w = max(judged.observed_w, connector.max_power_w)
    if (counted_w, verdict) == (judged.counted_w, judged.verdict):
        return judged
    return replace(judged, counted_w=counted_w, verdict=verdict)


def pardon(compliance: Compliance, now: float) -> Compliance:
    """An operator has seen to it: what is done about the connector begins anew.

    It goes on counting as it did until it is seen to obey: a word is no reading.
    """
    memory = replace(compliance.memory, over=None, kept=None)
    step = Step.NONE if compliance.cause is None else Step.ALARM
    return replace(compliance, memory=memory, step=step, step_at=now)


# ---------------------------------------------------------------------- what time changes


def _remembering(compliance: Compliance, memory: Memory) -> Compliance:
    return compliance if memory is compliance.memory else replace(compliance, memory=memory)


def _entered(before: Compliance, state: ConnectorState, now: float) -> Compliance:
    """Another session, or none: what was seen in the last one says nothing of this one.

    A conviction stays. What is to be done about it begins again with the new session's limit.
    """
    session_id = None if state.session is None else state.session.session_id
    if session_id == before.memory.session_id:
        return before
    memory = replace(before.memory, session_id=session_id, over=None, kept=None, same_w=None)
    if before.cause is None:
        memory = replace(memory, said=Verdict.UNKNOWN, said_at=None)
    begins_again = session_id is not None and before.step is Step.STOP
    return replace(
        before,
        memory=memory,
        paused=False,
        resumed=False,
        step=Step.RESEND if begins_again else before.step,
        step_at=now if begins_again else before.step_at,
    )


def _with_limit(memory: Memory, terms: Terms, policy: CompliancePolicy, now: float) -> Memory:
    """Remember what may be in force, for as long as a reading may have to be held against it."""
    interval_s = memory.interval_s or terms.interval_s or policy.interval_s
    steps = memory.in_force
    if not steps or steps[-1].limit_w != terms.in_force_w:
        steps = (*steps, LimitStep(now, terms.in_force_w))
    needed_from = now - FRESH_INTERVALS * policy.longest_interval_s
    while len(steps) > 1 and steps[1].at <= needed_from:
        steps = steps[1:]
    if len(steps) > STEPS_KEPT:
        first, second, *rest = steps
        steps = (LimitStep(first.at, max(first.limit_w, second.limit_w)), *rest)
    if steps is memory.in_force and interval_s == memory.interval_s:
        return memory
    return replace(memory, in_force=steps, interval_s=interval_s)


def _paced(
    before: Compliance,
    connector: Connector,
    session: Session | None,
    terms: Terms,
    policy: CompliancePolicy,
) -> Compliance:
    """Whether the session is paused by a limit, or was.

    A limit that pauses may be in force as soon as it is sent, and so may one that ends the pause.
    """
    if session is None:
        return before
    least_w = _least_w(connector, policy)
    confirmed_w = [session.limits[-1].limit_w] if session.limits else []
    low = [limit_w < least_w for limit_w in (*confirmed_w, *terms.sent_w)]
    if not low:
        return before
    if all(low):
        return replace(before, paused=True, resumed=False)
    if before.resumed or not (before.paused or any(low)):
        return before
    if any(low) and all(low[low.index(True) :]):
        return replace(before, paused=True)
    memory = replace(before.memory, kept=None)
    return replace(before, paused=False, resumed=True, memory=memory)


def _least_w(connector: Connector, policy: CompliancePolicy) -> int:
    """Below this a limit is a pause, in watts."""
    least_w = connector.least_useful_w
    return least_w if connector.current_type is CurrentType.AC else max(least_w, policy.least_dc_w)


# ---------------------------------------------------------------------- a new reading


def _look(
    memory: Memory,
    connector: Connector,
    state: ConnectorState,
    terms: Terms,
    policy: CompliancePolicy,
) -> tuple[_Look | None, Memory]:
    """The newest reading if it is new and of now, and the memory of it.

    Where no power is measured, what the charger says it offers its session stands for it.
    """
    reading = state.reading
    if reading is None and state.session is not None:
        reading = state.offered
    if reading is None or (memory.read_at is not None and reading.at <= memory.read_at):
        return None, memory
    clock, delay_s = delay(
        memory.clock,
        reading,
        believed_s=INTERVALS * memory.interval_s,
        steady_s=policy.steady_s,
        longest_s=policy.longest_interval_s,
    )
    memory = replace(memory, read_at=reading.at, clock=clock)
    credible_w = policy.credible_factor * connector.max_power_w
    if delay_s is None or not 0 <= reading.power_w <= credible_w:
        return None, memory
    memory = replace(memory, interval_s=_interval_s(memory, reading, policy))
    if reading.power_w != memory.same_w:
        memory = replace(memory, same_w=reading.power_w, same_since=reading.at)
    look = _said(memory, reading, delay_s, state, terms, policy)
    if look.says is not None:
        memory = replace(memory, said=look.says, said_at=reading.at)
    return look, memory


def _interval_s(memory: Memory, reading: Reading, policy: CompliancePolicy) -> float:
    """The meter interval as seen: quick to grow, slow to shrink."""
    if memory.said_at is None or reading.at - memory.said_at > policy.longest_interval_s:
        return memory.interval_s
    return max(reading.at - memory.said_at, memory.interval_s / 2)


def _said(
    memory: Memory,
    reading: Reading,
    delay_s: float,
    state: ConnectorState,
    terms: Terms,
    policy: CompliancePolicy,
) -> _Look:
    """What a reading of now says."""
    look = _Look(reading.power_w, reading.at)
    taken_at = reading.at - delay_s
    if state.session is None:
        if state.changed_at is not None and taken_at < state.changed_at + policy.settle_s:
            return look
        idle = reading.power_w <= policy.idle_w
        return replace(look, says=Verdict.OBEYS if idle else Verdict.EXCEEDS)
    started_early = state.changed_at is not None and taken_at < state.changed_at
    in_force = _limits_since(memory.in_force, taken_at - policy.settle_s)
    if started_early or not in_force:
        return look
    look = replace(look, highest_w=max(in_force))
    if reading.power_w > look.highest_w + policy.tolerance(look.highest_w, terms.unit):
        return replace(look, says=Verdict.EXCEEDS)
    if _stuck(memory, reading, state.session, policy):
        return replace(look, says=Verdict.UNKNOWN)
    return replace(look, says=Verdict.SETTLING if len(in_force) > 1 else Verdict.OBEYS)


def _limits_since(steps: tuple[LimitStep, ...], start: float) -> list[int]:
    """Every limit that counted from `start` until now; none when the first is not known."""
    since: list[int] = []
    for step in reversed(steps):
        since.append(step.limit_w)
        if step.at <= start:
            return since
    return []


def _stuck(memory: Memory, reading: Reading, session: Session, policy: CompliancePolicy) -> bool:
    """Whether the meter shows the same for too long; a vehicle that takes nothing may do so."""
    frozen_s = reading.at - memory.same_since
    if reading.power_w <= policy.idle_w or frozen_s <= policy.stuck_s:
        return False
    moved = [s for s in session.limits if s.at <= reading.at - policy.settle_s]
    while len(moved) > 1 and moved[1].at <= memory.same_since:
        moved = moved[1:]
    values = [step.limit_w for step in moved]
    return bool(values) and max(values) - min(values) > policy.stuck_move_w


def _with_runs(
    before: Compliance,
    memory: Memory,
    look: _Look,
    connector: Connector,
    state: ConnectorState,
    terms: Terms,
    policy: CompliancePolicy,
) -> Memory:
    """The excesses in a row, and the readings in a row that show a connector held by its limit."""
    if look.says is None:
        return memory
    if look.says is Verdict.EXCEEDS:
        over = memory.over
        run = Run(look.at) if over is None else replace(over, count=over.count + 1)
        return replace(memory, over=run, kept=None, paused=None)
    if look.says is Verdict.SETTLING:
        return replace(memory, over=None)
    if _held_back(before, look, connector, state, policy):
        return replace(memory, over=None, kept=None, paused=memory.paused or Run(look.at))
    memory = replace(memory, paused=None)
    if look.says is Verdict.UNKNOWN or not _telling(before, look, connector, terms, policy):
        return replace(memory, over=None, kept=None)
    held = look.power_w >= look.highest_w * policy.held_fraction
    kept = memory.kept or Run(look.at, count=0)
    kept = replace(kept, count=kept.count + 1, held=kept.held + 1 if held else 0)
    return replace(memory, over=None, kept=kept)


def _held_back(
    before: Compliance,
    look: _Look,
    connector: Connector,
    state: ConnectorState,
    policy: CompliancePolicy,
) -> bool:
    """Whether a charger says, and its meter shows, that it follows a limit nobody charges at."""
    least_w = _least_w(connector, policy)
    says_so = state.status is ConnectorStatus.SUSPENDED_EVSE and look.highest_w < least_w
    return before.paused and says_so and look.power_w <= policy.idle_w


def _telling(
    before: Compliance, look: _Look, connector: Connector, terms: Terms, policy: CompliancePolicy
) -> bool:
    """Whether a connector that did as it liked would have drawn clearly more than was read."""
    margin_w = policy.tolerance(look.highest_w, terms.unit)
    likely_w = connector.max_power_w - margin_w
    if before.cause is Cause.LIMIT:
        likely_w = min(likely_w, before.observed_w)
    return look.power_w > policy.idle_w and look.highest_w + margin_w <= likely_w


# ---------------------------------------------------------------------- what follows from it


def _judged(
    standing: Compliance,
    look: _Look | None,
    session: Session | None,
    policy: CompliancePolicy,
    now: float,
) -> Compliance:
    """Convict, take the next step, or acquit."""
    says = None if look is None else look.says
    if look is not None and says is Verdict.EXCEEDS:
        if look.power_w > standing.observed_w:
            standing = replace(standing, observed_w=look.power_w, allowed_w=look.highest_w)
    elif standing.observed_w and standing.cause is None and standing.memory.over is None:
        standing = replace(standing, observed_w=0, allowed_w=0)
    convicted = _convicted(standing, session, policy, now)
    if convicted is not standing:
        return convicted
    if look is not None and says is Verdict.EXCEEDS and standing.cause is not None:
        return _escalated(standing, look, session, policy, now)
    return _acquitted(standing, says, policy)


def _convicted(
    standing: Compliance, session: Session | None, policy: CompliancePolicy, now: float
) -> Compliance:
    """Excesses that are to be believed convict; of power without a session one is enough."""
    over = standing.memory.over
    cause = Cause.NO_SESSION if session is None else Cause.LIMIT
    if over is None or standing.cause in {cause, Cause.LIMIT}:
        return standing
    believed = session is None or over.count >= PAIR
    if not believed and now - over.since < policy.comply_s(standing.memory.interval_s):
        return standing
    since = now if standing.cause is None else standing.since
    step = max(standing.step, Step.RESEND)
    return replace(standing, cause=cause, step=step, step_at=now, since=since)


def _escalated(
    standing: Compliance,
    look: _Look,
    session: Session | None,
    policy: CompliancePolicy,
    now: float,
) -> Compliance:
    """The next step, when the last has had time to help. Only a session can be stopped."""
    waited_s = look.at - standing.step_at
    if waited_s < policy.comply_s(standing.memory.interval_s):
        return standing
    following = Step(min(standing.step + 1, Step.UNAVAILABLE))
    if following is Step.STOP and session is None:
        following = Step.UNAVAILABLE
    return (
        standing if following is standing.step else replace(standing, step=following, step_at=now)
    )


def _acquitted(standing: Compliance, says: Verdict | None, policy: CompliancePolicy) -> Compliance:
    """Forgive what was seen to be over.

    Power without a session that ends with the connector out of service shows nothing of what it
    does in service: there it stays until somebody pardons it.
    """
    kept = standing.memory.kept
    last_at = standing.memory.said_at
    seen_obeying = (
        kept is not None
        and last_at is not None
        and kept.count >= PAIR
        and (kept.held >= PAIR or last_at - kept.since >= policy.trial_s)
    )
    if seen_obeying and standing.resumed:
        standing = replace(standing, resumed=False)
    if standing.cause is Cause.NO_SESSION and says is Verdict.OBEYS:
        final = standing.step is Step.UNAVAILABLE
        step = Step.UNAVAILABLE if final else Step.NONE
        return replace(standing, cause=None, observed_w=0, allowed_w=0, step=step)
    if standing.cause is Cause.LIMIT and seen_obeying:
        return replace(standing, cause=None, observed_w=0, allowed_w=0, step=Step.NONE)
    return standing


def _keeps_to_its_pause(judged: Compliance, verdict: Verdict, policy: CompliancePolicy) -> bool:
    """Whether the readings of late show that the limit which pauses it is obeyed."""
    run, last_at = judged.memory.paused, judged.memory.said_at
    fresh = judged.paused and verdict is Verdict.OBEYS
    return (
        fresh and run is not None and last_at is not None and last_at - run.since >= policy.trial_s
    )


def _verdict(
    judged: Compliance, session: Session | None, policy: CompliancePolicy, now: float
) -> Verdict:
    """What is to be said now. An excess stays one until a reading says otherwise."""
    memory = judged.memory
    if memory.said is Verdict.EXCEEDS:
        return Verdict.EXCEEDS if judged.cause is not None else Verdict.SETTLING
    fresh_s = policy.settle_s + FRESH_INTERVALS * judged.memory.interval_s
    if memory.said_at is None or now - memory.said_at > fresh_s:
        return Verdict.UNKNOWN
    changed_at = memory.in_force[-1].at
    unfollowed = session is not None and changed_at + policy.settle_s > memory.said_at
    return Verdict.SETTLING if unfollowed and memory.said is Verdict.OBEYS else memory.said
