"""What a request that an operator sends by hand changes: limits, at the most, availability, a key.

Only what a profile says for sure is believed. A schedule with an end, a validity or a recurrence is
not: chargers differ in what they do outside of it, and some go to full power.
"""

from __future__ import annotations

from dataclasses import dataclass

from csms.dispatch.commands import PHASES_ASSUMED
from csms.station.model import Charger, Connector, ConnectorKey, CurrentType, RateUnit


@dataclass(frozen=True, slots=True)
class Availability:
    """A request that puts connectors into or out of service. `connector_id` 0: all of a charger."""

    connector_id: int
    operative: bool

    def concerns(self, charger: Charger) -> list[ConnectorKey]:
        """The connectors it is about; none when it names one there is not."""
        return [c.key for c in charger.connectors if self.connector_id in {0, c.key.connector_id}]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A request that tells a charger another key to show; empty when it is none."""

    key: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a request may change what a charger lets through.

    `connector_id` None: every connector. `limit` is the highest of all periods, in `unit`; None:
    it cannot be understood, or nothing is left that limits. `phases` is the least numberPhases
    told. `clears`: it takes limits away that csms has put in force; `clears_all`: every limit there
    is. `refused` says why it may not be sent at all, empty when it may.
    """

    connector_id: int | None = None
    limit: float | None = None
    unit: RateUnit = RateUnit.WATTS
    phases: int = PHASES_ASSUMED
    stack_level: int = 0
    transaction_id: int | None = None
    clears: bool = False
    clears_all: bool = False
    refused: str = ""

    def concerns(self, charger: Charger) -> list[Connector]:
        """The connectors whose limits it may change; all when it names one there is not."""
        named = [c for c in charger.connectors if c.key.connector_id == self.connector_id]
        return named or list(charger.connectors)

    def most_w(self, connector: Connector) -> int:
        """The most it may let through at this connector, in watts; never above its maximum.

        A charger told watts divides them by numberPhases (errata 3.68) and may then allow the
        current on every phase. Amperes at a DC connector are amperes of nobody knows what.
        """
        if self.limit is None:
            return connector.max_power_w
        if self.unit is RateUnit.AMPERES:
            if connector.current_type is CurrentType.DC:
                return connector.max_power_w
            most_w = self.limit * connector.phases * connector.voltage_v
        elif connector.current_type is CurrentType.AC:
            most_w = self.limit * max(1.0, connector.phases / self.phases)
        else:
            most_w = self.limit
        return connector.max_power_w if most_w >= connector.max_power_w else -int(-most_w // 1)
