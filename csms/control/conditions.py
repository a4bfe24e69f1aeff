"""How far each connector, each charger and the station are under control, from what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csms.control.balancer import Standing
from csms.control.reasons import reason
from csms.control.watch import Watch
from csms.dispatch.ledger import Ledger
from csms.dispatch.standing import Condition, Signs, of_connector, worst
from csms.station.model import ConnectorKey

REASONS_TOLD = 3


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one station at one moment. `reasons`: why, where not under control."""

    connectors: Mapping[ConnectorKey, Condition]
    chargers: Mapping[str, Condition]
    station: Condition
    reasons: Mapping[ConnectorKey, str]

    def uncontrolled(self, charger_id: str | None = None) -> str:
        """Why connectors of this charger, or of any, are UNCONTROLLED, in words for people."""
        found = [
            f"{key} {self.reasons[key]}"
            for key, condition in self.connectors.items()
            if condition is Condition.UNCONTROLLED and charger_id in {None, key.charger_id}
        ]
        more = f" and {len(found) - REASONS_TOLD} more" if len(found) > REASONS_TOLD else ""
        return ", ".join(found[:REASONS_TOLD]) + more


def conditions(ledger: Ledger, standing: Mapping[str, Standing], watch: Watch) -> Conditions:
    """The conditions now."""
    suspected = ledger.suspected()
    connectors: dict[ConnectorKey, Condition] = {}
    reasons: dict[ConnectorKey, str] = {}
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
            why = reason(connectors[connector.key], connector.key, ledger, watch, stands)
            if why is not None:
                reasons[connector.key] = why
        chargers[charger.charger_id] = worst(connectors[c.key] for c in charger.connectors)
    station = Condition.OVERCOMMITTED if ledger.overdrawn() else worst(chargers.values())
    return Conditions(connectors, chargers, station, reasons)
