"""How far each connector, each charger and the station are under control, from what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csms.control.balancer import Standing
from csms.dispatch.ledger import Ledger
from csms.dispatch.standing import Condition, Signs, of_connector, worst
from csms.station.model import ConnectorKey


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one station at one moment."""

    connectors: Mapping[ConnectorKey, Condition]
    chargers: Mapping[str, Condition]
    station: Condition


def conditions(ledger: Ledger, standing: Mapping[str, Standing]) -> Conditions:
    """The conditions now."""
    suspected = ledger.suspected()
    connectors: dict[ConnectorKey, Condition] = {}
    chargers: dict[str, Condition] = {}
    for charger in ledger.station.chargers:
        stands = standing[charger.charger_id]
        for connector in charger.connectors:
            connectors[connector.key] = of_connector(
                Signs(
                    connected=stands.connected,
                    seen=ledger.seen(charger.charger_id),
                    registering=stands.settling,
                    confirmed=ledger.confirmed(connector.key),
                    doubtful=ledger.doubtful(connector.key),
                    suspected=connector.key in suspected,
                )
            )
        chargers[charger.charger_id] = worst(connectors[c.key] for c in charger.connectors)
    station = Condition.OVERCOMMITTED if ledger.overdrawn() else worst(chargers.values())
    return Conditions(connectors, chargers, station)
