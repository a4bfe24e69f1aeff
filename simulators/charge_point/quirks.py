"""How a simulated charge point misbehaves. The default is a charge point that does as it should.

`refusal` and `bent` are what the quirks about profiles come to, `shown` those about meters; the
others are acted on where they happen, in `behaviour`, `answers`, `wire` and `client`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from simulators.charge_point.habits.catalogue import HABITS, chosen
from simulators.charge_point.hardware import ConnectorHardware, CurrentType
from simulators.charge_point.meter import DC_VOLTAGE_V, Reading
from simulators.charge_point.profiles import ChargingProfile, Period, Purpose, RateUnit

SLOWEST_ANSWER_S = 600.0

REJECTED = "Rejected"
NOT_SUPPORTED = "NotSupported"
CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
"""No status of SetChargingProfile.conf but the code of a CALLERROR (OCPP-J 1.6 §4.2.3)."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Switches, each one thing seen in real charge points.

    Links and answers:

    - no_boot_on_reconnect: a lost socket is redialled without BootNotification, as OCPP-J 1.6 §5.4
      asks; False boots every time.
    - deaf: calls are never answered, while its own messages go on.
    - slow_answer_s: calls are served and answered this much later, one after the other.
    - no_composite: GetCompositeSchedule is answered Rejected.
    - ignores_remote_stop: RemoteStopTransaction is answered Accepted, and the transaction goes on.

    Profiles that are refused, whatever the configuration keys say:

    - refuse_profiles: SetChargingProfile is answered Rejected.
    - rejects_but_applies: SetChargingProfile is answered Rejected and obeyed.
    - only_watts, only_amperes: a profile in the other unit is Rejected.
    - tx_default_only: TxProfile and ChargePointMaxProfile are answered NotSupported.
    - stack_level_zero_only: a higher level is Rejected.
    - one_period_only: a schedule of more periods is Rejected.
    - refuses_with_error: what these three or the wrong unit would have Rejected is answered with
      the CALLERROR PropertyConstraintViolation.

    Profiles that are Accepted and not obeyed as written:

    - ignore_profiles: none is obeyed.
    - second_period_ignored: the first period goes on for ever.
    - expiry_to_full_power: when the second period begins or the duration is over, the profile
      allows everything, and nothing below it counts.
    - default_next_session_only: a TxDefaultProfile acts on transactions that begin after it.
    - ignores_after_pause: when a transaction that had power is paused (by less than 6 A per phase,
      on DC by 0) and given power again, it goes on at full power and obeys no limit to its end.
    - zero_means_stop: a limit of 0 ends the transaction.
    - whole_amperes: limits are floored to whole amperes per phase.

    Profiles that are lost:

    - forget_profiles_on_reboot: at a reboot (errata 3.37 asks to keep them).
    - forgets_on_reconnect: whenever the socket is lost.

    Everything smaller:

    - habits: names of `simulators.charge_point.habits.catalogue`, each a small way of dialling,
      talking or listening.

    Power and meters:

    - power_without_transaction: a vehicle that is plugged in gets full power as long as no
      transaction runs, whatever the profiles say. Its meter values name no transaction.
    - meter_stuck: every sample of a transaction repeats the power and energy of its first.
    - meter_zero: samples show no power, and an energy that stands still.
    - no_meter_values: MeterValues are never sent.
    """

    no_boot_on_reconnect: bool = True
    refuse_profiles: bool = False
    ignore_profiles: bool = False
    deaf: bool = False
    slow_answer_s: float = 0.0
    forget_profiles_on_reboot: bool = False
    only_watts: bool = False
    only_amperes: bool = False
    tx_default_only: bool = False
    stack_level_zero_only: bool = False
    one_period_only: bool = False
    refuses_with_error: bool = False
    second_period_ignored: bool = False
    expiry_to_full_power: bool = False
    forgets_on_reconnect: bool = False
    rejects_but_applies: bool = False
    ignores_after_pause: bool = False
    default_next_session_only: bool = False
    power_without_transaction: bool = False
    zero_means_stop: bool = False
    whole_amperes: bool = False
    no_composite: bool = False
    ignores_remote_stop: bool = False
    meter_stuck: bool = False
    meter_zero: bool = False
    no_meter_values: bool = False
    habits: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raise ValueError when a number is out of its bounds, or a habit is none."""
        chosen(self.habits)
        if not 0 <= self.slow_answer_s <= SLOWEST_ANSWER_S:
            raise ValueError(
                f"slow_answer_s must be 0 to {SLOWEST_ANSWER_S:g}, not {self.slow_answer_s}"
            )


def parse_quirks(words: Iterable[str]) -> Quirks:
    """Quirks from words like `deaf`, `slow_answer_s=30`, `no_boot_on_reconnect=false`, or a habit.

    Raises ValueError for a word that names no quirk or gives it a value it cannot have.
    """
    defaults = {field.name: field.default for field in fields(Quirks) if field.name != "habits"}
    values: dict[str, Any] = {}
    habits: set[str] = set()
    for word in words:
        if word in HABITS:
            habits.add(word)
            continue
        name, given, text = word.partition("=")
        if name not in defaults:
            known = ", ".join([*defaults, *HABITS])
            raise ValueError(f"no quirk {name!r}; there are {known}")
        if isinstance(defaults[name], bool):
            if text.lower() not in {"", "true", "false"} or (given and not text):
                raise ValueError(f"{name} must be true or false, not {text!r}")
            values[name] = text.lower() != "false"
        else:
            values[name] = float(text)
    return Quirks(**values, habits=frozenset(habits))


def refusal(profile: ChargingProfile, quirks: Quirks) -> str | None:
    """The answer to a profile this charge point does not take, or None."""
    if quirks.refuse_profiles:
        return REJECTED
    if quirks.tx_default_only and profile.purpose is not Purpose.TX_DEFAULT:
        return NOT_SUPPORTED
    refused = (
        (quirks.only_watts and profile.unit is not RateUnit.WATTS)
        or (quirks.only_amperes and profile.unit is not RateUnit.AMPERES)
        or (quirks.stack_level_zero_only and profile.stack_level > 0)
        or (quirks.one_period_only and len(profile.periods) > 1)
    )
    if not refused:
        return None
    return CONSTRAINT_VIOLATION if quirks.refuses_with_error else REJECTED


def bent(profile: ChargingProfile, quirks: Quirks) -> ChargingProfile:
    """The profile as this charge point understands it."""
    first, *later = profile.periods
    if quirks.expiry_to_full_power:
        ends = [float(period.start_s) for period in later[:1]]
        ends += [] if profile.duration_s is None else [profile.duration_s]
        full = [Period(math.floor(min(ends)), math.inf)] if ends else []
        return replace(profile, periods=(first, *full), duration_s=None)
    if quirks.second_period_ignored:
        return replace(profile, periods=(first,), duration_s=None)
    return profile


def floored_w(limit_w: float, outlet: ConnectorHardware, quirks: Quirks) -> float:
    """The limit in the steps this charge point can set. An infinite one stays infinite."""
    if not quirks.whole_amperes or math.isinf(limit_w):
        return limit_w
    ampere_w = DC_VOLTAGE_V
    if outlet.current_type is CurrentType.AC:
        ampere_w = outlet.phases * outlet.voltage_v
    # A hair of tolerance: 13800 W on three phases of 230 V are 20 A.
    return math.floor(limit_w / ampere_w + 1e-9) * ampere_w


def shown(
    reading: Reading, first: Reading | None, energy_before_wh: int, quirks: Quirks
) -> Reading:
    """What the meter says instead of `reading`.

    `first` is the first reading of the transaction and `energy_before_wh` the register at its
    beginning.
    """
    if quirks.meter_zero:
        return replace(reading, power_w=0.0, energy_wh=energy_before_wh)
    if quirks.meter_stuck and first is not None:
        return replace(reading, power_w=first.power_w, energy_wh=first.energy_wh)
    return reading
