"""Station documents for tests."""

from __future__ import annotations

import copy
from typing import Any

from csms.station.document import parse_station
from csms.station.model import Station

SEED: dict[str, Any] = {
    "stationId": "ELECTRA_PARIS_15",
    "gridCapacity": 400,
    "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],
    "battery": {"initialCapacity": 200, "power": 100},
}
FULL: dict[str, Any] = {
    "stationId": "S",
    "gridCapacity": 400.5,
    "staticLoad": 3,
    "reserve": 2.5,
    "maxRampKwPerMin": 60.5,
    "feeders": [{"id": "F1", "capacity": 250}],
    "chargers": [
        {
            "id": "AC1",
            "maxPower": 44,
            "type": "AC",
            "fallback": 4.2,
            "voltage": 240,
            "feeder": "F1",
            "weight": 2,
            "connectors": [
                {"id": 2, "maxPower": 7.4, "phases": 1, "minPower": 2, "fallback": 0},
                {"id": 1, "maxPower": 22, "type": "DC", "weight": 0.5, "voltage": 400},
            ],
        },
        {"id": "RDAM 123", "maxPower": 50, "unit": None, "connectors": 1},
        {"id": "AC2", "maxPower": 11, "type": "AC", "unit": "W", "phases": 3, "connectors": 1},
    ],
}


def parsed(**changes: Any) -> Station:
    """The station of `SEED` with these keys changed."""
    return parse_station({**SEED, **changes}, "here")


def with_charger(**changes: Any) -> dict[str, Any]:
    """`SEED` with these keys of its charger changed."""
    document = copy.deepcopy(SEED)
    document["chargers"][0].update(changes)
    return document


def capable(**said: Any) -> dict[str, Any]:
    """`SEED` with a charger of one connector that takes limits so."""
    return with_charger(connectors=1, capabilities=said)
