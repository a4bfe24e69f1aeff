"""What the loop wants a charger to do, in the imperative."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from csms.station.model import ConnectorKey, CurrentType, Limit, RateUnit


class Scope(StrEnum):
    """What a limit is tied to.

    DEFAULT is the connector's fallback (TxDefaultProfile); SESSION is the limit of the running
    session (TxProfile). OCPP 1.6 §3.13.1.
    """

    DEFAULT = "default"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Put a limit in force on one connector.

    `token` is unique over the life of the station's ledger and names the entry this command has
    there. `transaction_id` is None exactly for `Scope.DEFAULT`.
    """

    token: int
    connector: ConnectorKey
    scope: Scope
    limit: Limit
    session_id: str | None = None
    transaction_id: int | None = None
    current_type: CurrentType = CurrentType.DC
    rate_unit: RateUnit = RateUnit.WATTS
    phases: int = 3
    voltage_v: int = 230
