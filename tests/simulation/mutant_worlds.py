"""The worlds in which mutants show: each turns the usual settings into those of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.settings import HEALTHY, WorldSettings


def busy(usual: WorldSettings) -> WorldSettings:
    return replace(usual, odd_chargers=0.0, sessions_per_day=14.0)


def noisy(usual: WorldSettings) -> WorldSettings:
    """Busy chargers whose answers are lost and lie."""
    network = replace(usual.faults.network, lost=0.05)
    charger = replace(usual.faults.charger, rejects_but_applies=0.1)
    return replace(busy(usual), faults=replace(usual.faults, network=network, charger=charger))


def busy_with_cuts(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, cut_every_s=900, cut_too_deep_every_s=1_800)
    return replace(busy(usual), faults=replace(usual.faults, site=site))


def cut_all_the_time(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, cut_every_s=120, cut_too_deep_every_s=0)
    return replace(busy(usual), chargers=3, faults=replace(usual.faults, site=site))


def suspects_with_cuts(usual: WorldSettings) -> WorldSettings:
    """Meters lie, so that chargers are wrongly suspected, and the grid gives less meanwhile."""
    charger = replace(usual.faults.charger, meter_lies_every_s=1_200)
    site = replace(usual.faults.site, cut_every_s=900, cut_too_deep_every_s=0, crash_every_s=0)
    faults = replace(usual.faults, charger=charger, site=site)
    return replace(busy(usual), chargers=2, faults=faults)


def silent_source(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, silence_every_s=900)
    return replace(busy(usual), faults=replace(usual.faults, site=site))


def away_for_long(usual: WorldSettings) -> WorldSettings:
    """Busy chargers that lose the network often, with clocks as wrong as they may be."""
    charger = replace(usual.faults.charger, disconnect_every_s=600, clock_hour_every_s=0)
    faults = replace(usual.faults, charger=charger)
    return replace(
        usual, faults=faults, odd_chargers=0.0, given_lease_s=60.0, sessions_per_day=12.0
    )


def odd_about_ends(usual: WorldSettings) -> WorldSettings:
    classes = ("expires_to_full", "one_period_only")
    return replace(away_for_long(usual), classes=classes, odd_chargers=0.6)


def refusing(usual: WorldSettings) -> WorldSettings:
    """Limits are refused so often that other stack levels are tried."""
    busy = busy_with_cuts(usual)
    charger = replace(busy.faults.charger, rejects=0.4)
    return replace(
        busy,
        faults=replace(busy.faults, charger=charger),
        classes=("stack_level_0",),
        odd_chargers=0.8,
        judged=("books",),
    )


def only_the_books(usual: WorldSettings) -> WorldSettings:
    """Chargers that defy their limits, judged by nothing but the ledger's own total."""
    return replace(defiant(usual), judged=("books",))


def away_when_cut(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, cut_every_s=600, cut_too_deep_every_s=1_200)
    away = away_for_long(usual)
    charger = replace(away.faults.charger, disconnect_every_s=400)
    return replace(away, faults=replace(away.faults, site=site, charger=charger))


def pausing(usual: WorldSettings) -> WorldSettings:
    return replace(busy(usual), classes=("resumes_unlimited",), odd_chargers=0.8)


def above_nameplate(usual: WorldSettings) -> WorldSettings:
    return replace(busy(usual), classes=("above_nameplate",), odd_chargers=0.6)


def with_class(*names: str) -> Callable[[WorldSettings], WorldSettings]:
    """Worlds full of chargers of these classes."""

    def settings(usual: WorldSettings) -> WorldSettings:
        return replace(busy(usual), classes=names, odd_chargers=0.6)

    return settings


def forgetful(usual: WorldSettings) -> WorldSettings:
    """Chargers that go to full power when they forget, and often refuse what would hold them.

    Judged by what the ledger believes: nothing else can be known of them.
    """
    charger = replace(usual.faults.charger, rejects=0.5, reboot_every_s=1_800)
    faults = replace(usual.faults, charger=charger)
    return replace(with_class("forgets_in_secret")(busy(usual)), judged=("ledger",), faults=faults)


def rivals(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, rival_every_s=1_800)
    return replace(busy(usual), faults=replace(usual.faults, site=site), judged=("physics",))


def defiant_with_crashes(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, crash_every_s=900, rival_every_s=0)
    before = defiant(usual)
    return replace(before, faults=replace(before.faults, site=site))


def with_operator(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, by_hand_every_s=600)
    return replace(busy(usual), faults=replace(usual.faults, site=site))


def defiant(usual: WorldSettings) -> WorldSettings:
    return replace(busy(usual), classes=("ignores_profiles",), odd_chargers=0.5)


def all_works(usual: WorldSettings) -> WorldSettings:
    return replace(HEALTHY, stop_at_first=usual.stop_at_first, least_share=0.95)


def slow_disk(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, slow_commit=0.05)
    return replace(usual, faults=replace(usual.faults, site=site))


def ac(usual: WorldSettings) -> WorldSettings:
    return with_class("amperes_only")(usual)
