"""What stands on a simulated site, and the cars that come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    GridSource,
    Station,
    Told,
)
from simulators.charge_point.hardware import ConnectorHardware, Hardware
from simulators.charge_point.hardware import CurrentType as Current
from simulators.vehicle.battery import TYPICAL_DC_CURVE, PowerCurve, TractionBattery
from simulators.vehicle.vehicle import AcVehicle, DcVehicle, Vehicle
from tests.simulation.settings import WorldSettings
from tests.simulation.traits import CLASSES, IDEAL, Traits

STATION = "SITE"
DC_W = (150_000, 180_000, 200_000)
AC_W = 22_080
IGNORING_W = 50_000
DC_FALLBACK_W = 5_000
AC_FALLBACK_W = 4_140
DC_PEAKS_W = (50_000.0, 75_000.0, 100_000.0, 150_000.0, 175_000.0)
AC_CARS = ((1, 32.0), (3, 16.0), (3, 32.0))
STAY_S = (1_200.0, 9_000.0)
DRAW_AT_FULL_GO_W = 90_000
DEEPEST_CUT = 0.4
STATIC_LOAD_W = 5_000
RESERVE_W = 2_000


@dataclass(frozen=True, slots=True)
class Site:
    """A station and what its chargers are like."""

    station: Station
    traits: dict[str, Traits]


def site(settings: WorldSettings, random: Random) -> Site:
    """A station of mostly DC chargers, too many for its connection; half of them on a feeder."""
    chargers: list[Charger] = []
    traits: dict[str, Traits] = {}
    for number in range(settings.chargers):
        charger_id = f"CP{number + 1}"
        kind = IDEAL
        if random.random() < settings.odd_chargers and settings.classes:
            kind = CLASSES[random.choice(settings.classes)]
        traits[charger_id] = kind
        small = kind.counts_in_full and not kind.overdraws
        ac = small or kind.pauses or kind.units != "AW" or random.random() < 0.25
        if kind.overdraws:
            ac = False
        whole = kind.counts_in_full
        feeder_id = "F1" if number < settings.chargers // 2 and not whole else None
        power_w = AC_W if ac else random.choice(DC_W)
        if kind.overdraws:
            power_w = IGNORING_W // 2 if kind.above_nameplate else IGNORING_W
        chargers.append(_charger(charger_id, ac, power_w, kind, feeder_id))
    limit_w = _limit_w(chargers, traits, settings)
    taken_w = STATIC_LOAD_W + RESERVE_W
    feeder_w = max(30_000, int(sum(c.max_power_w for c in chargers if c.feeder_id) * 0.4))
    station = Station(
        STATION,
        limit_w + taken_w,
        tuple(chargers),
        (Feeder("F1", min(feeder_w, limit_w)),),
        static_load_w=STATIC_LOAD_W,
        reserve_w=RESERVE_W,
        grid_source=GridSource(int(limit_w * DEEPEST_CUT) + taken_w),
    )
    return Site(station, traits)


def _limit_w(
    chargers: Sequence[Charger], traits: Mapping[str, Traits], settings: WorldSettings
) -> int:
    """Too little for all, but after the deepest cut enough for what nobody can lower."""
    peaks_w = sum(min(c.max_power_w, 2 * DRAW_AT_FULL_GO_W) for c in chargers)
    fixed_w = sum(
        int(c.max_power_w * traits[c.charger_id].most_part)
        if traits[c.charger_id].counts_in_full
        else c.unspoken_w
        for c in chargers
    )
    return max(60_000, int(peaks_w / settings.oversubscribed), int(fixed_w / DEEPEST_CUT) + 1)


def _charger(
    charger_id: str, ac: bool, power_w: int, kind: Traits, feeder_id: str | None
) -> Charger:
    fallback_w = 0 if kind.pauses else AC_FALLBACK_W if ac else DC_FALLBACK_W
    connectors = tuple(
        Connector(
            ConnectorKey(charger_id, number),
            power_w,
            CurrentType.AC if ac else CurrentType.DC,
            minimum_w=AC_FALLBACK_W if ac else 0,
            fallback_w=fallback_w,
        )
        for number in (1, 2)
    )
    # A charger no limit holds takes all it can give from the others: it is a small one.
    both = kind.above_nameplate or (ac and not kind.counts_in_full)
    most_w = 2 * power_w if both else power_w
    # Only what does as the standard says has been commissioned.
    told = Told(lease=True) if kind.commissioned else Told()
    if kind.told_to_forget:
        told = Told(survives_reboot=False)
    if kind.least_at_zero:
        told = Told(at_zero="minimum")
    return Charger(charger_id, most_w, connectors, feeder_id, capabilities=told)


def hardware(charger: Charger, part: float = 1.0) -> Hardware:
    """The charger as `simulators` builds it. `part`: how much of its nameplate it can give."""
    return Hardware(
        charger.charger_id,
        float(charger.max_power_w) * part,
        tuple(
            ConnectorHardware(
                c.key.connector_id,
                float(c.max_power_w) * part,
                Current(c.current_type.value),
                c.phases,
                float(c.voltage_v),
            )
            for c in charger.connectors
        ),
    )


@dataclass(slots=True)
class Visit:
    """One car on one connector. `wants_w` is what it would take of as much as it likes."""

    key: ConnectorKey
    vehicle: Vehicle
    leaves_at: float
    id_tag: str
    curve: PowerCurve | None

    def wants_w(self) -> float:
        """What it would take now, were it offered everything."""
        soc = self.vehicle.soc_pct
        if self.curve is None or soc is None:
            return self.vehicle.max_w
        return 0.0 if soc >= 100 else self.curve.power_w(soc)


def visit(connector: Connector, now: float, number: int, random: Random) -> Visit:
    """The next car on a connector."""
    stay_s = random.uniform(*STAY_S)
    soc = random.uniform(5, 60)
    capacity_wh = 1000.0 * random.choice((40, 58, 77, 100))
    vehicle: Vehicle
    curve = None
    if connector.current_type is CurrentType.DC:
        peak_w = random.choice(DC_PEAKS_W)
        vehicle = DcVehicle(TractionBattery(capacity_wh, soc), peak_w)
        curve = TYPICAL_DC_CURVE.scaled(peak_w)
    else:
        phases, most_a = random.choice(AC_CARS)
        vehicle = AcVehicle(TractionBattery(capacity_wh, soc), phases=phases, max_a=most_a)
    return Visit(connector.key, vehicle, now + stay_s, f"TAG{number}", curve)
