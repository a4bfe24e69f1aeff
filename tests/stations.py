"""Small stations for tests."""

from __future__ import annotations

from csms.station.model import Charger, Connector, ConnectorKey, Feeder, Station


def charger(
    charger_id: str = "CP001",
    *,
    max_power_w: int = 200_000,
    connectors: int = 2,
    fallback_w: int = 0,
    minimum_w: int = 0,
    feeder_id: str | None = None,
) -> Charger:
    """A DC charger whose connectors can each give the charger's whole power."""
    return Charger(
        charger_id,
        max_power_w,
        tuple(
            Connector(
                ConnectorKey(charger_id, i + 1),
                max_power_w,
                fallback_w=fallback_w,
                minimum_w=minimum_w,
            )
            for i in range(connectors)
        ),
        feeder_id,
    )


def station(
    *chargers: Charger,
    grid_limit_w: int = 400_000,
    static_load_w: int = 0,
    reserve_w: int = 0,
    feeders: tuple[Feeder, ...] = (),
    ramp_w_per_min: int | None = None,
) -> Station:
    """A station of these chargers, of one default charger when none are given."""
    return Station(
        "SITE",
        grid_limit_w,
        chargers or (charger(),),
        feeders,
        static_load_w,
        reserve_w,
        ramp_w_per_min=ramp_w_per_min,
    )


def two_chargers(
    grid_limit_w: int = 200_000, *, fallback_w: int = 0, max_power_w: int = 200_000
) -> Station:
    """A station of the chargers A and B, with two connectors each."""
    chargers = (
        charger(name, max_power_w=max_power_w, fallback_w=fallback_w) for name in ("A", "B")
    )
    return station(*chargers, grid_limit_w=grid_limit_w)
