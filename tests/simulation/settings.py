"""What a simulated world is like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class NetworkFaults:
    """What happens to frames: parts of all frames, seconds.

    A late frame holds up those behind it (it is TCP); `late_most_s` bounds it. An overtaking frame
    does not wait for those before it. Requests of csms never overtake each other: TCP keeps them in
    order, and OCPP 1.6 has nothing else to keep them so.
    """

    delay_s: tuple[float, float] = (0.02, 0.15)
    lost: float = 0.0
    late: float = 0.0
    late_mean_s: float = 8.0
    late_most_s: float = 180.0
    twice: float = 0.0
    overtakes: float = 0.0


@dataclass(frozen=True, slots=True)
class ChargerFaults:
    """What chargers do, per limit sent (parts of all) or once per so many seconds (0: never)."""

    rejects: float = 0.0
    errors: float = 0.0
    rejects_but_applies: float = 0.0
    deaf_every_s: float = 0.0
    slow_every_s: float = 0.0
    reboot_every_s: float = 0.0
    forget_every_s: float = 0.0
    clock_jump_every_s: float = 0.0
    clock_hour_every_s: float = 0.0
    meter_lies_every_s: float = 0.0
    disconnect_every_s: float = 0.0
    half_open_every_s: float = 0.0
    clock_skew_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SiteFaults:
    """What happens to csms, its database and the grid, once per so many seconds (0: never).

    `by_hand_every_s`: an operator sends a charging profile by hand.
    """

    crash_every_s: float = 0.0
    cut_every_s: float = 0.0
    cut_too_deep_every_s: float = 0.0
    rival_every_s: float = 0.0
    silence_every_s: float = 0.0
    by_hand_every_s: float = 0.0
    slow_commit: float = 0.0
    failed_commit: float = 0.0


@dataclass(frozen=True, slots=True)
class Faults:
    """All of it; the default is a world in which everything works."""

    network: NetworkFaults = field(default_factory=NetworkFaults)
    charger: ChargerFaults = field(default_factory=ChargerFaults)
    site: SiteFaults = field(default_factory=SiteFaults)


NO_FAULTS = Faults()

ALL_FAULTS = Faults(
    NetworkFaults(lost=0.01, late=0.005, twice=0.01, overtakes=0.01),
    ChargerFaults(
        rejects=0.03,
        errors=0.02,
        rejects_but_applies=0.02,
        deaf_every_s=7_200,
        slow_every_s=7_200,
        reboot_every_s=14_400,
        forget_every_s=14_400,
        clock_jump_every_s=7_200,
        clock_hour_every_s=15_000,
        meter_lies_every_s=7_200,
        disconnect_every_s=1_800,
        half_open_every_s=7_200,
        clock_skew_s=30.0,
    ),
    SiteFaults(
        crash_every_s=3_600,
        cut_every_s=3_600,
        cut_too_deep_every_s=9_600,
        rival_every_s=10_800,
        silence_every_s=7_200,
        slow_commit=0.01,
        failed_commit=0.003,
    ),
)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """One world.

    `classes` are the odd chargers that may be in it, by name (see `population`), and
    `odd_chargers` how many of its chargers are odd. `cut_grace_s`: how long reachable chargers may
    take after a cut. `given_lease_s` and `given_skew_s`: how long csms lets its limits last, and
    how wrong it thinks a clock may be: so long a commissioned charger that cannot be reached may
    keep its limit after a cut; any other may until it is reached again. `all_come_at_s`: when a car
    comes to every connector, None: as it happens. `least_share`: the least part of what could be
    used that must be granted, from the second hour on. `judged`: the rules that count as breaches;
    the others are not looked at.
    """

    faults: Faults = ALL_FAULTS
    chargers: int = 4
    sessions_per_day: float = 6.0
    all_come_at_s: float | None = None
    oversubscribed: float = 2.5
    meter_interval_s: int = 60
    tick_s: float = 10.0
    given_lease_s: float = 120.0
    given_skew_s: float = 60.0
    classes: tuple[str, ...] = (
        "tx_default_only",
        "stack_level_0",
        "amperes_only",
        "watts_only",
        "forgets_on_reconnect",
        "forgets_to_full",
        "expires_to_full",
        "one_period_only",
        "resumes_unlimited",
        "least_at_zero",
        "above_nameplate",
        "ignores_profiles",
        "always_refuses",
        "always_deaf",
    )
    odd_chargers: float = 0.3
    cut_grace_s: float = 3.0
    least_share: float = 0.0
    judged: tuple[str, ...] = ("physics", "ledger", "overcommitted", "order", "share")
    stop_at_first: bool = False


HEALTHY = WorldSettings(faults=NO_FAULTS, odd_chargers=0.0)


def physics_only(settings: WorldSettings) -> WorldSettings:
    """The same world, judged by its physics alone: for policies with other books than ours."""
    return replace(settings, judged=("physics",))
