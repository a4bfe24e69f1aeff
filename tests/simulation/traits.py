"""How simulated chargers differ from the ideal: odd classes for life, and spells that pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IDEAL_NAME = "ideal"
ABOVE_NAMEPLATE = 1.1


@dataclass(frozen=True, slots=True)
class Traits:
    """What a charger is like, all its life.

    - full_power_without_profile: with no profile in force it gives all it can; otherwise what its
      installer set, which is the connector's configured fallback.
    - forgets_on_reconnect, forgets_on_reboot: profiles are lost then.
    - boots_on_reconnect: every new line begins with BootNotification (OCPP-J 1.6 §5.4 asks not to).
    - always_refuses, always_deaf, ignores_profiles: what it does with limits.
    - only_pauses: a limit of 0 is obeyed, every other gives full power.
    - tx_default_only, stack_level_0_only, units: what it takes; all else is Rejected.
    - full_power_at_expiry: the second period of a schedule is all it can give.
    - one_period_only: it drops all periods of a schedule but the first.
    - resumes_unlimited: the limit that ends a pause is not obeyed, but gives full power; the next
      one is obeyed.
    - least_at_zero: a limit too low to charge at lets it go on with the least power there is.
    - above_nameplate: at its configured maximum it draws a tenth more than that.
    - told_to_forget: the station says of it that its profiles do not survive a reboot.
    """

    name: str = IDEAL_NAME
    full_power_without_profile: bool = False
    forgets_on_reconnect: bool = False
    forgets_on_reboot: bool = False
    boots_on_reconnect: bool = False
    always_refuses: bool = False
    always_deaf: bool = False
    ignores_profiles: bool = False
    only_pauses: bool = False
    tx_default_only: bool = False
    stack_level_0_only: bool = False
    full_power_at_expiry: bool = False
    one_period_only: bool = False
    told_to_forget: bool = False
    resumes_unlimited: bool = False
    least_at_zero: bool = False
    above_nameplate: bool = False
    units: str = "AW"
    sets_clock: bool = True

    @property
    def commissioned(self) -> bool:
        """Whether the station says of it that its limits end when they say: a lease."""
        return self.name == IDEAL_NAME

    @property
    def hopeless(self) -> bool:
        """Whether no limit ever holds it: such a charger is a small one, and counts in full."""
        return self.always_refuses or self.always_deaf or self.ignores_profiles or self.only_pauses

    @property
    def overdraws(self) -> bool:
        """Whether it draws more than its limit allows, and nobody can know before it was seen."""
        return self.ignores_profiles or self.only_pauses or self.above_nameplate

    @property
    def counts_in_full(self) -> bool:
        """Whether all it can give is kept free for it, at times or always."""
        return self.hopeless or self.told_to_forget or self.above_nameplate

    @property
    def most_part(self) -> float:
        """What it can give, as a part of its configured maximum."""
        return ABOVE_NAMEPLATE if self.above_nameplate else 1.0

    @property
    def pauses(self) -> bool:
        """Whether it is told to pause: it has no fallback to go on with."""
        return self.resumes_unlimited or self.least_at_zero or self.only_pauses

    def refuses(self, payload: Mapping[str, Any]) -> bool:
        """Whether it cannot take this SetChargingProfile at all."""
        profile = payload["csChargingProfiles"]
        unit = profile["chargingSchedule"]["chargingRateUnit"]
        return (
            self.always_refuses
            or (self.tx_default_only and profile["chargingProfilePurpose"] == "TxProfile")
            or (self.stack_level_0_only and profile["stackLevel"] != 0)
            or unit not in self.units
        )


CLASSES: Mapping[str, Traits] = {
    traits.name: traits
    for traits in (
        Traits("tx_default_only", tx_default_only=True),
        Traits("stack_level_0", stack_level_0_only=True),
        Traits("amperes_only", units="A"),
        Traits("watts_only", units="W"),
        Traits("forgets_on_reconnect", forgets_on_reconnect=True, boots_on_reconnect=True),
        Traits("always_refuses", always_refuses=True, full_power_without_profile=True),
        Traits("always_deaf", always_deaf=True, full_power_without_profile=True),
        Traits("ignores_profiles", ignores_profiles=True, full_power_without_profile=True),
        Traits("only_pauses", only_pauses=True, full_power_without_profile=True),
        Traits(
            "forgets_to_full",
            forgets_on_reboot=True,
            full_power_without_profile=True,
            told_to_forget=True,
        ),
        # No books can hold this one without reserving all it can give, and nobody told them to.
        Traits("forgets_in_secret", forgets_on_reboot=True, full_power_without_profile=True),
        Traits("expires_to_full", full_power_at_expiry=True),
        Traits("one_period_only", one_period_only=True),
        Traits("resumes_unlimited", resumes_unlimited=True),
        Traits("above_nameplate", above_nameplate=True),
        Traits("least_at_zero", least_at_zero=True),
    )
}
IDEAL = Traits()
