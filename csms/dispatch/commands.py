"""What the loop wants a charger to do, in the imperative."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from csms.station.model import ConnectorKey, CurrentType, Limit, RateUnit

PHASES_ASSUMED = 3
"""What a charger takes an absent numberPhases for (OCPP 1.6 errata 3.68)."""


class Scope(StrEnum):
    """What a limit is tied to.

    DEFAULT is the connector's fallback; SESSION is the limit of the running session. With which
    charging profile a charger is told either one is said by the limit's `Form`. MANUAL is what an
    operator has sent by hand: it only counts, csms sends no such limit itself.
    """

    DEFAULT = "default"
    SESSION = "session"
    MANUAL = "manual"


SENT_SCOPES = (Scope.DEFAULT, Scope.SESSION)
"""Of which csms sends limits."""


class Purpose(StrEnum):
    """The charging profile a limit is written as (OCPP 1.6 §3.13.1).

    SESSION is TxProfile, DEFAULT is TxDefaultProfile, CHARGER is ChargePointMaxProfile on
    connector 0.
    """

    SESSION = "session"
    DEFAULT = "default"
    CHARGER = "charger"


class Kind(StrEnum):
    """What a schedule's times count from (§7.8): a moment in UTC, or the start of a transaction."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


@dataclass(frozen=True, slots=True)
class Form:
    """How a limit is written for a charger.

    `periods` is the most periods a schedule may have. `tells_phases` None is the usual rule of
    whether numberPhases is told, see `names_phases`.
    """

    purpose: Purpose
    unit: RateUnit
    stack_level: int = 0
    periods: int = 2
    kind: Kind = Kind.ABSOLUTE
    tells_phases: bool | None = None

    @property
    def carries_end(self) -> bool:
        """Whether a limit in this form can tell what follows it, and so be a lease.

        A relative schedule cannot: chargers differ in what its times count from.
        """
        return self.periods > 1 and self.kind is Kind.ABSOLUTE

    def names_phases(self, current_type: CurrentType, phases: int) -> bool:
        """Whether numberPhases is told for a connector of this kind.

        A charger told watts divides them by numberPhases (errata 3.68), so on AC they are told; in
        amperes they are told only where they are not what the charger assumes.
        """
        if self.tells_phases is not None:
            return self.tells_phases
        if self.unit is RateUnit.AMPERES:
            return phases != PHASES_ASSUMED
        return current_type is CurrentType.AC


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Put a limit in force on one connector, and after its end, if it has one, `after_w`.

    `token` is unique over the life of the station's ledger and names the entry this command has
    there. `transaction_id` is None exactly for `Scope.DEFAULT`. `raises`: it lets through more than
    what may be in force, and goes behind what does not.
    """

    token: int
    connector: ConnectorKey
    scope: Scope
    limit: Limit
    form: Form
    session_id: str | None = None
    transaction_id: int | None = None
    current_type: CurrentType = CurrentType.DC
    phases: int = 3
    voltage_v: int = 230
    after_w: int = 0
    raises: bool = field(default=False, compare=False)
