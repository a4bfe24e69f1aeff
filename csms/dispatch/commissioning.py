"""The commissioning test of a charger: what is tried, what readings prove, what is learned of it.

With a vehicle charging, one connector is taken through the trials below. What cannot be told from
the readings is *not shown*, never guessed: a vehicle that takes less than a limit proves nothing
about that limit.

| trial   | what is done                                      | passed when                       |
|---------|---------------------------------------------------|-----------------------------------|
| LOW     | a low limit: 10 A, on DC 20 % of the maximum      | the vehicle is held at it         |
| MINIMUM | 6 A, on DC half the low limit                     | the vehicle is held at it         |
| ZERO    | 0                                                 | it pauses, takes least, or ends   |
| RESUME  | the low limit again                               | held at it, never above           |
| LEASE   | a limit that ends, not renewed, the link open     | it falls to the fallback          |
| OFFLINE | the same, the link cut; a limit without an end if | the energy register, or samples,  |
|         | it was not seen to obey one                       | show no more than was allowed     |
| REBOOT  | a soft reset, and nothing sent after it           | it keeps within the fallback      |

interop.md §5.2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from csms.dispatch.capability import AtZero, Capability, Proof
from csms.dispatch.compliance import PAIR, CompliancePolicy
from csms.dispatch.ledger import Ledger
from csms.station.model import LEAST_AC_A, Connector, ConnectorKey, CurrentType, RateUnit
from csms.station.state import Reading

T = TypeVar("T")

LOW_AC_A = 10
LOW_DC_FRACTION = 0.2
OFFLINE_LEASES = 2.5
"""For so many times the length of a lease the link is cut: most of it after the end."""

REGISTER_WH = 1.5
"""A register of whole watt-hours, read twice, may be wrong by so much."""

LEAST_TAKEN = 0.5
"""A vehicle that took less than this part of what it was allowed shows nothing."""


class Trial(StrEnum):
    """The parts of the test, in order."""

    LOW = "low limit"
    MINIMUM = "minimum"
    ZERO = "zero"
    RESUME = "resume"
    LEASE = "lease"
    OFFLINE = "link cut"
    REBOOT = "reboot"


class Verdict(StrEnum):
    """How a trial ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a trial showed, and by which figures. None where there is none.

    `limit_w` is what was allowed, `measured_w` and `energy_wh` what was seen. `at_zero`, `lease`,
    `survives_reconnect` and `survives_reboot` are what it proves of the charger.
    """

    verdict: Verdict
    why: str
    limit_w: int | None = None
    measured_w: int | None = None
    energy_wh: int | None = None
    at_zero: AtZero | None = None
    lease: Proof | None = None
    survives_reconnect: Proof | None = None
    survives_reboot: Proof | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the trials, in watts. `lease_w` is well above the fallback, if that can be."""

    low_w: int
    minimum_w: int
    lease_w: int
    fallback_w: int


def limits(connector: Connector, judge: Judge) -> Limits:
    """What this connector is to be told."""
    most_w = connector.max_power_w
    if connector.current_type is CurrentType.AC:
        ampere_w = connector.phases * connector.voltage_v
        low_w, minimum_w = LOW_AC_A * ampere_w, LEAST_AC_A * ampere_w
    else:
        low_w = max(round(LOW_DC_FRACTION * most_w), 2 * connector.minimum_w)
        minimum_w = low_w // 2
    fallback_w = connector.fallback_w
    lease_w = max(low_w, fallback_w + round(3 * judge.tolerance(fallback_w)))
    return Limits(min(low_w, most_w), min(minimum_w, most_w), min(lease_w, most_w), fallback_w)


def lacking(ledger: Ledger, key: ConnectorKey, others_w: Mapping[ConnectorKey, int]) -> list[str]:
    """Every node that could not carry this connector at its hardware maximum.

    `others_w` is what each other connector can be brought down to.
    """
    station = ledger.station
    of_charger = {
        charger.charger_id: min(
            charger.max_power_w,
            sum(c.max_power_w if c.key == key else others_w[c.key] for c in charger.connectors),
        )
        for charger in station.chargers
    }
    needed = [
        (shared, sum(of_charger[charger_id] for charger_id in shared.charger_ids))
        for shared in station.shared_limits()
        if key.charger_id in shared.charger_ids
    ]
    return [
        f"the {shared.name} gives {shared.limit_w} W and {needed_w} W are needed"
        for shared, needed_w in needed
        if needed_w > shared.limit_w
    ]


# ---------------------------------------------------------------------- verdicts


@dataclass(frozen=True, slots=True)
class Absence:
    """A time without a link. Times are UTC epoch seconds.

    The register gained `energy_wh` (None: no register) between `since`, before the link was cut,
    and `until`, after it was back. `ends_at` is the end of the limit, None when it had none.
    `later` are readings taken without a link and after that end.
    """

    since: float
    until: float
    limit_w: int
    after_w: int
    ends_at: float | None
    energy_wh: int | None
    later: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Restart:
    """What was seen after a reboot, with nothing sent.

    `readings` are of the session that ran then, `schedule_w` what the charger says its schedule
    allows, `taken_w` what the vehicle took once it was allowed more than the fallback.
    """

    fallback_w: int
    readings: tuple[Reading, ...] = ()
    schedule_w: int | None = None
    taken_w: int = 0


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads the evidence. `final`: no more will come, so a verdict must be given."""

    policy: CompliancePolicy
    unit: RateUnit

    def tolerance(self, limit_w: int) -> float:
        """How far above this limit a draw may be read, in watts."""
        return self.policy.tolerance(limit_w, self.unit)

    def exceeds(self, power_w: float, limit_w: int) -> bool:
        """Whether this is more than the limit lets through."""
        return power_w > limit_w + self.tolerance(limit_w)

    def _always_exceeds(self, readings: Sequence[Reading], limit_w: int) -> bool:
        """Whether enough readings in a row are too high to condemn without waiting for more."""
        last = readings[-PAIR - 1 :]
        return len(last) > PAIR and all(self.exceeds(r.power_w, limit_w) for r in last)

    def held(self, readings: Sequence[Reading], limit_w: int, *, final: bool) -> Finding | None:
        """Whether the limit is seen: drawn up to it, and not above."""
        last = [r.power_w for r in readings[-PAIR:]]
        if len(last) < PAIR:
            return _final(Finding(Verdict.NOT_SHOWN, "too few meter values", limit_w), final=final)
        most_w = max(last)
        if self.exceeds(most_w, limit_w):
            sure = final or self._always_exceeds(readings, limit_w)
            found = Finding(Verdict.FAILED, "draws more than the limit", limit_w, most_w)
            return _final(found, final=sure)
        if most_w >= self.policy.held_fraction * limit_w:
            return Finding(Verdict.PASSED, "held at the limit", limit_w, most_w)
        found = Finding(Verdict.NOT_SHOWN, "the vehicle takes less than the limit", limit_w, most_w)
        return _final(found, final=final)

    def resumed(self, readings: Sequence[Reading], limit_w: int, *, final: bool) -> Finding | None:
        """The same, from the moment a pause ends: two readings above the limit are an overshoot."""
        powers = [r.power_w for r in readings]
        for pair in itertools.pairwise(powers):
            if all(self.exceeds(power_w, limit_w) for power_w in pair):
                why = "draws more than the limit after the pause"
                return Finding(Verdict.FAILED, why, limit_w, max(pair))
        return self.held(readings, limit_w, final=final)

    def at_zero(
        self,
        readings: Sequence[Reading],
        least_w: int,
        *,
        ended: bool,
        suspended: bool,
        final: bool,
    ) -> Finding | None:
        """What a limit of 0 does. `suspended`: the charger reports that it pauses."""
        if ended:
            return Finding(Verdict.PASSED, "ends the session", 0, 0, at_zero=AtZero.STOP)
        last = [r.power_w for r in readings[-PAIR:]]
        most_w = max(last, default=0)
        if (len(last) == PAIR or (suspended and final)) and most_w <= self.policy.idle_w:
            return Finding(Verdict.PASSED, "pauses", 0, most_w, at_zero=AtZero.PAUSE)
        if not final:
            return None
        if len(last) < PAIR:
            return Finding(Verdict.NOT_SHOWN, "too few meter values", 0)
        if self.exceeds(most_w, least_w):
            # At least its minimum counts from now on; all above is seen by the closed loop.
            why = "goes on charging"
            return Finding(Verdict.FAILED, why, 0, most_w, at_zero=AtZero.MINIMUM)
        why = "goes on with its least power"
        return Finding(Verdict.PASSED, why, 0, most_w, at_zero=AtZero.MINIMUM)

    def ended(
        self,
        before: Sequence[Reading],
        after: Sequence[Reading],
        after_w: int,
        *,
        final: bool,
    ) -> Finding | None:
        """Whether a limit that was not renewed fell to what was to follow it, the link open."""
        drew_w = max((r.power_w for r in before), default=0)
        last = [r.power_w for r in after[-PAIR:]]
        if len(last) < PAIR:
            return _final(Finding(Verdict.NOT_SHOWN, "too few meter values", after_w), final=final)
        if self.exceeds(max(last), after_w):
            why = "draws more than the fallback after the end"
            found = Finding(Verdict.FAILED, why, after_w, max(last), lease=Proof.NO)
            return _final(found, final=final or self._always_exceeds(after, after_w))
        if not self.exceeds(drew_w, after_w):
            why = "the vehicle took no more than the fallback before the end either"
            return Finding(Verdict.NOT_SHOWN, why, after_w, max(last))
        return Finding(Verdict.PASSED, "falls to the fallback", after_w, max(last))

    def offline(self, absence: Absence) -> Finding:
        """Whether the limit was kept while the link was cut, and ended as it was told."""
        if absence.energy_wh is None:
            return self._by_samples(absence)
        hours = (absence.until - absence.since) / 3_600
        kept_wh = absence.limit_w * hours
        slack_wh = self.tolerance(absence.limit_w) * hours + REGISTER_WH
        if absence.energy_wh > kept_wh + slack_wh:
            return Finding(
                Verdict.FAILED,
                f"more than the {kept_wh:.0f} Wh of its limit without a link",
                absence.limit_w,
                energy_wh=absence.energy_wh,
                lease=None if absence.ends_at is None else Proof.NO,
                survives_reconnect=Proof.NO,
            )
        if absence.ends_at is None:
            return _kept(absence, absence.energy_wh, kept_wh)
        return _ended(absence, absence.energy_wh, kept_wh, absence.ends_at)

    def _by_samples(self, absence: Absence) -> Finding:
        """Without a register: by what the meter showed while there was no link."""
        most_w = max((r.power_w for r in absence.later), default=None)
        if most_w is None:
            return Finding(Verdict.NOT_SHOWN, "no energy register and no samples", absence.limit_w)
        if self.exceeds(most_w, absence.limit_w):
            why = "drew more than its limit without a link"
            lease = None if absence.ends_at is None else Proof.NO
            found = Finding(Verdict.FAILED, why, absence.limit_w, most_w, lease=lease)
            return replace(found, survives_reconnect=Proof.NO)
        allowed_w = absence.limit_w if absence.ends_at is None else absence.after_w
        if self.exceeds(most_w, allowed_w):
            why = "drew more than the fallback after the end, without a link"
            return Finding(Verdict.FAILED, why, allowed_w, most_w, lease=Proof.NO)
        why = "within its limit by samples alone, which do not show that it charged before"
        return Finding(Verdict.NOT_SHOWN, why, allowed_w, most_w)

    def restarted(self, restart: Restart) -> Finding:
        """Whether a charger that has rebooted is still limited, although nothing was sent."""
        limit_w = restart.fallback_w
        powers = [r.power_w for r in restart.readings]
        most_w = max(powers, default=None)
        over = [power_w for power_w in powers if self.exceeds(power_w, limit_w)]
        said_w = restart.schedule_w
        found = Finding(Verdict.FAILED, "", limit_w, most_w)
        if len(over) >= PAIR:
            why = "draws more than the fallback after the reboot"
            return replace(found, why=why, survives_reboot=Proof.NO)
        if len(powers) >= PAIR and not over and self.exceeds(restart.taken_w, limit_w):
            why = "within the fallback after the reboot, and takes more when it is allowed"
            return replace(found, verdict=Verdict.PASSED, why=why, survives_reboot=Proof.YES)
        if said_w is None:
            why = "no session after the reboot that would show it, and no schedule told"
            return replace(found, verdict=Verdict.NOT_SHOWN, why=why)
        if self.exceeds(said_w, limit_w):
            why = f"its schedule after the reboot allows {said_w} W"
            return replace(found, why=why, survives_reboot=Proof.NO)
        why = f"its schedule after the reboot allows {said_w} W; no session showed it"
        return replace(found, verdict=Verdict.PASSED, why=why, survives_reboot=Proof.YES)


def _kept(absence: Absence, gained_wh: int, kept_wh: float) -> Finding:
    """Within a limit that has no end: kept, if the vehicle charged at all."""
    found = Finding(Verdict.NOT_SHOWN, _TOOK_LITTLE, absence.limit_w, energy_wh=gained_wh)
    if gained_wh < LEAST_TAKEN * kept_wh:
        return found
    why = "the limit, which has no end, was kept without a link"
    return replace(found, verdict=Verdict.PASSED, why=why, survives_reconnect=Proof.YES)


def _ended(absence: Absence, gained_wh: int, kept_wh: float, ends_at: float) -> Finding:
    """Within a limit that had an end: whether it ended."""
    before_wh = absence.limit_w * (ends_at - absence.since) / 3_600
    leased_wh = before_wh + absence.after_w * (absence.until - ends_at) / 3_600
    found = Finding(Verdict.NOT_SHOWN, _TOOK_LITTLE, absence.limit_w, energy_wh=gained_wh)
    if kept_wh - leased_wh <= 2 * REGISTER_WH:
        return replace(found, why="the link was not cut long enough to tell")
    if gained_wh < LEAST_TAKEN * before_wh:
        return found
    found = replace(found, survives_reconnect=Proof.YES)
    allowed = f"{leased_wh / 1_000:.3f} kWh"
    if gained_wh > (kept_wh + leased_wh) / 2:
        why = f"the limit was kept without a link but did not end: {allowed} were allowed"
        return replace(found, verdict=Verdict.FAILED, why=why, lease=Proof.NO)
    why = f"fell to the fallback without a link: {allowed} were allowed"
    return replace(found, verdict=Verdict.PASSED, why=why, lease=Proof.YES)


_TOOK_LITTLE = "the vehicle took too little without a link to tell"


def _final(finding: Finding, *, final: bool) -> Finding | None:
    return finding if final else None


# ---------------------------------------------------------------------- what is learned


@dataclass(frozen=True, slots=True)
class Result:
    """One trial and what it showed."""

    trial: Trial
    finding: Finding


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a test has shown of a charger; None where it showed nothing."""

    at_zero: AtZero | None = None
    lease: Proof | None = None
    survives_reconnect: Proof | None = None
    survives_reboot: Proof | None = None


def lessons(results: Sequence[Result]) -> Lessons:
    """What all trials together have shown.

    A charger is only said to obey the end of a limit when it did with the link cut, and when it
    also resumed within its limit: whoever relies on its leases relies on that too. One that did
    not resume so is not known to obey any more.
    """
    found = {result.trial: result.finding for result in results}
    proofs = {result.finding.lease for result in results}
    lease: Proof | None = None
    resumed = found[Trial.RESUME].verdict if Trial.RESUME in found else Verdict.NOT_SHOWN
    if Proof.NO in proofs:
        lease = Proof.NO
    elif resumed is Verdict.FAILED:
        lease = Proof.UNKNOWN
    elif Proof.YES in proofs and resumed is Verdict.PASSED:
        lease = Proof.YES
    return Lessons(
        at_zero=_first(f.at_zero for f in found.values()),
        lease=lease,
        survives_reconnect=_first(f.survives_reconnect for f in found.values()),
        survives_reboot=_first(f.survives_reboot for f in found.values()),
    )


def _first(found: Iterable[T | None]) -> T | None:
    return next((each for each in found if each is not None), None)


def taught(capability: Capability, learned: Lessons) -> Capability:
    """What is known after the test. What it did not show stays as it was."""
    return replace(
        capability,
        at_zero=capability.at_zero if learned.at_zero is None else learned.at_zero,
        lease=learned.lease or capability.lease,
        survives_reconnect=learned.survives_reconnect or capability.survives_reconnect,
        survives_reboot=learned.survives_reboot or capability.survives_reboot,
        answers=Proof.YES,
    )
