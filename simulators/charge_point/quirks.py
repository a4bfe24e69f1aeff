"""How a simulated charge point misbehaves. The default is a charge point that does as it should."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """Switches, each one thing seen in real charge points.

    - no_boot_on_reconnect: a lost socket is redialled without BootNotification, as OCPP-J 1.6 §5.4
      asks; False boots every time.
    - refuse_profiles: SetChargingProfile is answered Rejected.
    - ignore_profiles: SetChargingProfile is answered Accepted and not obeyed.
    - deaf: calls are never answered, while its own messages go on.
    - slow_answer_s: calls are answered this much later.
    - forget_profiles_on_reboot: profiles are lost at a reboot (errata 3.37 asks to keep them).
    """

    no_boot_on_reconnect: bool = True
    refuse_profiles: bool = False
    ignore_profiles: bool = False
    deaf: bool = False
    slow_answer_s: float = 0.0
    forget_profiles_on_reboot: bool = False
