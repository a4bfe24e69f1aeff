"""An operator who sends charging profiles by hand, above those of csms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csms.protocol.ocpp16.smart_charging import PROFILE_IDS
from csms.station.model import Station
from tests.simulation.central import Central
from tests.simulation.chance import Chance
from tests.simulation.charger import SimulatedCharger

STACK_LEVEL = 8


class Operator:
    """Sends one profile at a time: to the session on a connector, else to the connector."""

    def __init__(
        self, station: Station, chargers: Mapping[str, SimulatedCharger], chance: Chance
    ) -> None:
        self._connectors = list(station.connectors())
        self._chargers = chargers
        self._random = chance.stream("operator")
        self._injected = chance.injected

    def act(self, central: Central | None) -> None:
        """Send one, if csms is there."""
        if central is None or not central.up.is_set():
            return
        connector = self._random.choice(self._connectors)
        key = connector.key
        outlet = self._chargers[key.charger_id].behaviour.connector(key.connector_id)
        running = None if outlet.transaction is None else outlet.transaction.transaction_id
        payload = _payload(
            key.connector_id, self._random.randrange(0, connector.max_power_w, 100), running
        )
        self._injected["profile by hand"] += 1
        central.run(central.command(key.charger_id, "SetChargingProfile", payload))


def _payload(connector_id: int, limit_w: int, transaction_id: int | None) -> dict[str, Any]:
    profile: dict[str, Any] = {
        "chargingProfileId": PROFILE_IDS + connector_id,
        "stackLevel": STACK_LEVEL,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_w, "numberPhases": 3}],
        },
    }
    if transaction_id is not None:
        profile |= {"chargingProfilePurpose": "TxProfile", "transactionId": transaction_id}
    return {"connectorId": connector_id, "csChargingProfiles": profile}
