"""Charging profiles: the stack a charge point keeps and the limit that follows from it (pure).

OCPP 1.6 §3.13, §5.16, §7.8 ff. Inside a purpose the highest stack level that is in force now
counts; a TxProfile overrides the TxDefaultProfile, and ChargePointMaxProfile caps both. Times are
UTC epoch seconds, powers watts; amperes are per phase (errata 4.0, 3.68).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from simulators.moment import instant

DEFAULT_PHASES = 3
DEFAULT_VOLTAGE_V = 230.0
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


class ProfileError(ValueError):
    """A charging profile that the standard does not allow, or that cannot be read."""


class Purpose(StrEnum):
    """OCPP 1.6 §7.10 ChargingProfilePurposeType."""

    CHARGE_POINT_MAX = "ChargePointMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(StrEnum):
    """OCPP 1.6 §7.9 ChargingProfileKindType."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class RateUnit(StrEnum):
    """OCPP 1.6 §7.12 ChargingRateUnitType: watts in total, amperes per phase."""

    WATTS = "W"
    AMPERES = "A"


@dataclass(frozen=True, slots=True)
class Period:
    """From `start_s` seconds into the schedule on, at most `limit`. `phases` None means 3."""

    start_s: int
    limit: float
    phases: int | None = None

    def limit_w(self, unit: RateUnit, phases: int, voltage_v: float) -> float:
        """The power this allows a connector of so many phases.

        With watts the charge point divides by the named phases, absent = 3 (errata 3.68): a
        one-phase connector gets a third of a limit that names none.
        """
        named = self.phases or DEFAULT_PHASES
        used = min(named, phases)
        if unit is RateUnit.AMPERES:
            return self.limit * used * voltage_v
        return self.limit * used / named


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """OCPP 1.6 §7.8 with its one schedule. `cycle_s`: a day or a week, for Recurring only."""

    profile_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    unit: RateUnit
    periods: tuple[Period, ...]
    transaction_id: int | None = None
    cycle_s: float | None = None
    valid_from: float | None = None
    valid_to: float | None = None
    start_at: float | None = None
    duration_s: float | None = None

    def period_at(self, now: float, begun_at: float) -> Period | None:
        """The period in force at `now`, or None. `begun_at`: where a relative schedule begins."""
        if self.valid_from is not None and now < self.valid_from:
            return None
        if self.valid_to is not None and now >= self.valid_to:
            return None
        elapsed_s = now - self._anchor(now, begun_at)
        if elapsed_s < 0 or elapsed_s >= self._length_s():
            return None
        return next((p for p in reversed(self.periods) if p.start_s <= elapsed_s), None)

    def changes(self, after: float, until: float, begun_at: float) -> Iterator[float]:
        """Every moment in (after, until) at which the period in force may change."""
        anchor = self._anchor(after, begun_at)
        step_s = self.cycle_s or math.inf
        offsets = [float(p.start_s) for p in self.periods] + [self._length_s()]
        moments = [m for m in (self.valid_from, self.valid_to) if m is not None]
        while anchor < until:
            moments += [anchor + offset for offset in offsets]
            anchor += step_s
        yield from (m for m in moments if after < m < until)

    def _anchor(self, now: float, begun_at: float) -> float:
        start = begun_at if self.start_at is None or self.kind is Kind.RELATIVE else self.start_at
        if self.cycle_s is None or now < start:
            return start
        return start + math.floor((now - start) / self.cycle_s) * self.cycle_s

    def _length_s(self) -> float:
        return min(self.duration_s or math.inf, self.cycle_s or math.inf)


def read_profile(payload: Mapping[str, Any]) -> ChargingProfile:
    """A csChargingProfiles object of SetChargingProfile.req (§6.43). Raises ProfileError."""
    try:
        profile = _read(payload)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"unreadable charging profile: {error!r}"
        raise ProfileError(msg) from error
    problem = next(iter(_problems(profile)), None)
    if problem is not None:
        raise ProfileError(problem)
    return profile


def _read(payload: Mapping[str, Any]) -> ChargingProfile:
    schedule = payload["chargingSchedule"]
    kind = Kind(payload["chargingProfileKind"])
    cycles_s = {"Daily": DAY_S, "Weekly": WEEK_S}
    return ChargingProfile(
        profile_id=int(payload["chargingProfileId"]),
        stack_level=int(payload["stackLevel"]),
        purpose=Purpose(payload["chargingProfilePurpose"]),
        kind=kind,
        unit=RateUnit(schedule["chargingRateUnit"]),
        periods=tuple(_read_period(period) for period in schedule["chargingSchedulePeriod"]),
        transaction_id=payload.get("transactionId"),
        cycle_s=cycles_s[payload["recurrencyKind"]] if kind is Kind.RECURRING else None,
        valid_from=_moment(payload.get("validFrom")),
        valid_to=_moment(payload.get("validTo")),
        start_at=_moment(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
    )


def _read_period(period: Mapping[str, Any]) -> Period:
    return Period(int(period["startPeriod"]), float(period["limit"]), period.get("numberPhases"))


def _moment(text: str | None) -> float | None:
    return None if text is None else instant(text)


def _problems(profile: ChargingProfile) -> Iterator[str]:
    starts = [period.start_s for period in profile.periods]
    if not starts or starts[0] != 0:
        yield "the first period must start at 0 (errata 3.45)"
    if starts != sorted(set(starts)):
        yield "periods must start in rising order"
    if any(not 0 <= period.limit < math.inf for period in profile.periods):
        yield "a limit must be a number of 0 or more"
    if profile.stack_level < 0:
        yield "a stack level must be 0 or more"
    if profile.kind is Kind.RECURRING and profile.start_at is None:
        yield "a recurring profile needs a startSchedule"
    if profile.kind is Kind.RELATIVE and profile.purpose is Purpose.CHARGE_POINT_MAX:
        yield "a ChargePointMaxProfile has no transaction to be relative to"
    if profile.transaction_id is not None and profile.purpose is not Purpose.TX:
        yield "only a TxProfile names a transaction"


@dataclass(frozen=True, slots=True)
class RunningTransaction:
    """What the stack must know of a transaction. `transaction_id` None until csms gave one."""

    transaction_id: int | None
    started_at: float


@dataclass(frozen=True, slots=True)
class Installed:
    """A profile and where and when it was put."""

    connector_id: int
    profile: ChargingProfile
    installed_at: float


@dataclass(frozen=True, slots=True)
class StackLimits:
    """What a charge point can hold: its ChargeProfileMaxStackLevel and the like (§9.4)."""

    max_stack_level: int = 8
    max_installed: int = 20
    max_periods: int = 24
    units: frozenset[RateUnit] = frozenset(RateUnit)


class ProfileStack:
    """Every profile installed on one charge point."""

    def __init__(self, connectors: int, limits: StackLimits | None = None) -> None:
        self._connectors = connectors
        self._limits = limits or StackLimits()
        self._installed: list[Installed] = []

    @property
    def installed(self) -> tuple[Installed, ...]:
        """Every profile installed, oldest first."""
        return tuple(self._installed)

    def install(
        self,
        connector_id: int,
        profile: ChargingProfile,
        now: float,
        transaction: RunningTransaction | None = None,
    ) -> bool:
        """Put a profile on a connector; False when it must be rejected (§5.16).

        Replaces the one of the same id, or of the same purpose, level and connector.
        `transaction` is the one running on the connector.
        """
        if not self._fits(profile) or not self._belongs(connector_id, profile, transaction):
            return False
        slot = (connector_id, profile.purpose, profile.stack_level)
        kept = [
            other
            for other in self._installed
            if other.profile.profile_id != profile.profile_id
            and (other.connector_id, other.profile.purpose, other.profile.stack_level) != slot
        ]
        if len(kept) >= self._limits.max_installed:
            return False
        self._installed = [*kept, Installed(connector_id, profile, now)]
        return True

    def _fits(self, profile: ChargingProfile) -> bool:
        return (
            profile.stack_level <= self._limits.max_stack_level
            and len(profile.periods) <= self._limits.max_periods
            and profile.unit in self._limits.units
        )

    def _belongs(
        self,
        connector_id: int,
        profile: ChargingProfile,
        transaction: RunningTransaction | None,
    ) -> bool:
        if profile.purpose is Purpose.CHARGE_POINT_MAX:
            return connector_id == 0
        if profile.purpose is Purpose.TX_DEFAULT:
            return 0 <= connector_id <= self._connectors
        if transaction is None or not 1 <= connector_id <= self._connectors:
            return False
        return profile.transaction_id in (None, transaction.transaction_id)

    def clear(
        self,
        profile_id: int | None = None,
        connector_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove the profile of this id, or else all that match every other argument given.

        Returns how many went (§5.5, errata 3.25 and 3.26).
        """

        def matches(item: Installed) -> bool:
            if profile_id is not None:
                return item.profile.profile_id == profile_id
            return (
                connector_id in (None, item.connector_id)
                and purpose in (None, item.profile.purpose)
                and stack_level in (None, item.profile.stack_level)
            )

        kept = [item for item in self._installed if not matches(item)]
        removed = len(self._installed) - len(kept)
        self._installed = kept
        return removed

    def end_transaction(self, connector_id: int) -> None:
        """Drop the TxProfiles of a connector: its transaction is over (§3.13.1)."""
        self.clear(connector_id=connector_id, purpose=Purpose.TX)

    def forget(self) -> None:
        """Lose everything, as a charge point does that does not keep profiles over a reboot."""
        self._installed = []

    def effective_limit_w(
        self,
        connector_id: int,
        now: float,
        transaction: RunningTransaction | None,
        phases: int = DEFAULT_PHASES,
        voltage_v: float = DEFAULT_VOLTAGE_V,
        *,
        defaults: Iterable[Installed] | None = None,
    ) -> float:
        """The limit on a connector; infinite when no profile is in force (§3.13.6).

        Without a transaction: what one that began now would be limited to. The TxDefaultProfiles
        are taken from `defaults` when it is given, instead of from those installed.
        """
        begun_at = now if transaction is None else transaction.started_at
        limit_w = None
        if transaction is not None:
            specific = self._candidates(Purpose.TX, connector_id)
            limit_w = _highest(specific, now, begun_at, phases, voltage_v)
        if limit_w is None:
            default = self._candidates(Purpose.TX_DEFAULT, connector_id, defaults)
            limit_w = _highest(default, now, begun_at, phases, voltage_v)
        cap_w = self.charge_point_limit_w(now, phases, voltage_v)
        return cap_w if limit_w is None else min(limit_w, cap_w)

    def charge_point_limit_w(
        self,
        now: float,
        phases: int = DEFAULT_PHASES,
        voltage_v: float = DEFAULT_VOLTAGE_V,
    ) -> float:
        """The limit on the whole charge point; infinite when there is none."""
        items = self._candidates(Purpose.CHARGE_POINT_MAX, 0)
        limits = (_highest([item], now, item.installed_at, phases, voltage_v) for item in items)
        return next((limit_w for limit_w in limits if limit_w is not None), math.inf)

    def composite_schedule(
        self,
        connector_id: int,
        now: float,
        duration_s: int,
        transaction: RunningTransaction | None,
        *,
        phases: int = DEFAULT_PHASES,
        voltage_v: float = DEFAULT_VOLTAGE_V,
    ) -> list[tuple[int, float]]:
        """(seconds from now, limit in watts) for each change in the time asked for (§5.7)."""
        running = transaction or RunningTransaction(None, now)
        offsets = {0}
        for item in self._installed:
            of_charge_point = item.profile.purpose is Purpose.CHARGE_POINT_MAX
            begun_at = item.installed_at if of_charge_point else running.started_at
            for change in item.profile.changes(now, now + duration_s, begun_at):
                offsets.add(math.ceil(change - now))
        schedule: list[tuple[int, float]] = []
        for offset in sorted(o for o in offsets if o < duration_s or o == 0):
            at = now + offset
            if connector_id == 0:
                limit_w = self.charge_point_limit_w(at, phases, voltage_v)
            else:
                limit_w = self.effective_limit_w(connector_id, at, running, phases, voltage_v)
            if not schedule or schedule[-1][1] != limit_w:
                schedule.append((offset, limit_w))
        return schedule

    def _candidates(
        self, purpose: Purpose, connector_id: int, among: Iterable[Installed] | None = None
    ) -> list[Installed]:
        """Profiles that may apply to the connector, the first that is in force wins.

        A TxDefaultProfile of the connector goes before one of connector 0 of its level (§3.13.1).
        """
        items = [
            item
            for item in (self._installed if among is None else among)
            if item.profile.purpose is purpose and item.connector_id in (0, connector_id)
        ]
        return sorted(items, key=lambda i: (i.profile.stack_level, i.connector_id), reverse=True)


def _highest(
    items: Iterable[Installed], now: float, begun_at: float, phases: int, voltage_v: float
) -> float | None:
    for item in items:
        period = item.profile.period_at(now, begun_at)
        if period is not None:
            return period.limit_w(item.profile.unit, phases, voltage_v)
    return None
