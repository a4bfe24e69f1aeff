"""How simulated chargers differ from the ideal: odd classes for life, and spells that pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Traits:
    """What a charger is like, all its life.

    - full_power_without_profile: with no profile in force it gives all it can; otherwise what its
      installer set, which is the connector's configured fallback.
    - forgets_on_reconnect, forgets_on_reboot: profiles are lost then.
    - boots_on_reconnect: every new line begins with BootNotification (OCPP-J 1.6 §5.4 asks not to).
    - always_refuses, always_deaf, ignores_profiles: what it does with limits.
    - tx_default_only, stack_level_0_only, units: what it takes; all else is Rejected.
    - full_power_at_expiry: the second period of a schedule is all it can give.
    - one_period_only: it drops all periods of a schedule but the first.
    - told_to_forget: the station says of it that its profiles do not survive a reboot.
    """

    name: str = "ideal"
    full_power_without_profile: bool = False
    forgets_on_reconnect: bool = False
    forgets_on_reboot: bool = False
    boots_on_reconnect: bool = False
    always_refuses: bool = False
    always_deaf: bool = False
    ignores_profiles: bool = False
    tx_default_only: bool = False
    stack_level_0_only: bool = False
    full_power_at_expiry: bool = False
    one_period_only: bool = False
    told_to_forget: bool = False
    units: str = "AW"
    sets_clock: bool = True

    @property
    def hopeless(self) -> bool:
        """Whether no limit ever holds it: such a charger is a small one, and counts in full."""
        return self.always_refuses or self.always_deaf or self.ignores_profiles

    @property
    def counts_in_full(self) -> bool:
        """Whether all it can give is kept free for it, at times or always."""
        return self.hopeless or self.told_to_forget

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
    )
}
IDEAL = Traits()
