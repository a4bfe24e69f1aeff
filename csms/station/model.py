"""What a station is built of. Frozen: a change of the site is a new `Station`.

Powers are whole watts, so that no sum is ever rounded. Identifiers are the ones the operator chose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

LEAST_AC_A = 6
"""Below this many amperes per phase no vehicle charges (IEC 61851-1)."""

LEAST_DC_FRACTION = 0.1
"""What a DC connector without a configured minimum is taken to go on with, of its maximum."""

RAMP_WINDOW_S = 60.0
"""In each window of this length the power given out rises by at most the station's ramp."""

SECONDS_PER_MINUTE = 60

GOES_ON_AT_ZERO = "minimum"
"""`Told.at_zero` of a charger that goes on with its least power."""


class ConnectorKey(NamedTuple):
    """One connector of one charger. `connector_id` counts from 1, as in OCPP 1.6 §3.8."""

    charger_id: str
    connector_id: int

    def __str__(self) -> str:
        return f"{self.charger_id}/{self.connector_id}"


class CurrentType(StrEnum):
    """What flows through a connector."""

    AC = "AC"
    DC = "DC"


class RateUnit(StrEnum):
    """How a limit is written (OCPP 1.6 §7.12): watts in total, or amperes per phase."""

    WATTS = "W"
    AMPERES = "A"


class LimitSource(StrEnum):
    """Why a limit has the value it has: the constraint that binds."""

    GRID = "grid"
    FEEDER = "feeder"
    CHARGER = "charger"
    CONNECTOR = "connector"
    VEHICLE = "vehicle"
    DEMAND = "demand"
    FALLBACK = "fallback"
    UNCERTAIN = "uncertain"
    MINIMUM = "minimum"
    RAMP = "ramp"
    COMMISSIONING = "commissioning"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one connector. `expires_at` is UTC epoch seconds, None when it does not end."""

    value_w: int
    source: LimitSource
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Connector:
    """One outlet.

    `fallback_w` is what the connector may draw when nobody speaks to its charger: the value of the
    TxDefaultProfile. `minimum_w` is the least power worth offering: a share is 0 or at least this.
    """

    key: ConnectorKey
    max_power_w: int
    current_type: CurrentType = CurrentType.DC
    phases: int = 3
    voltage_v: int = 230
    minimum_w: int = 0
    fallback_w: int = 0
    weight: float = 1.0

    @property
    def least_useful_w(self) -> int:
        """The least power this connector's vehicles charge at, in watts, as far as known."""
        if self.current_type is CurrentType.DC:
            return self.minimum_w
        return max(self.minimum_w, LEAST_AC_A * self.phases * self.voltage_v)

    @property
    def goes_on_with_w(self) -> int:
        """What a charger that does not pause at a limit of 0 gives this connector, in watts.

        The commissioning test holds a charger against it before it says that it does so.
        """
        least_w = self.least_useful_w or round(LEAST_DC_FRACTION * self.max_power_w)
        return min(least_w, self.max_power_w)


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator says of how a charger takes limits; None: csms finds out.

    `purpose` ("session", "default", "charger"), `stack_level` and `periods` say how the limit of a
    session is written, `at_zero` ("pause", "minimum", "stop") what the charger does with a limit of
    0, `step_a` its step in amperes per phase, `lease` whether its limits end by themselves, and
    `survives_reconnect` and `survives_reboot` whether it keeps them.
    """

    purpose: str | None = None
    stack_level: int | None = None
    periods: int | None = None
    lease: bool | None = None
    at_zero: str | None = None
    step_a: float | None = None
    survives_reconnect: bool | None = None
    survives_reboot: bool | None = None


@dataclass(frozen=True, slots=True)
class Charger:
    """One charge point. `rate_unit` None means: ask the charger what it takes.

    A `quiet` one is sent nothing that no operator asks for, and so has no limits: it counts at its
    maximum. It is for tools that test how a central system talks.
    """

    charger_id: str
    max_power_w: int
    connectors: tuple[Connector, ...]
    feeder_id: str | None = None
    rate_unit: RateUnit | None = None
    capabilities: Told = Told()
    quiet: bool = False

    @property
    def unspoken_w(self) -> int:
        """What its connectors may draw when nobody speaks to it, in watts.

        Their fallbacks; or more, where the operator says that it goes on at a limit of 0.
        """
        return min(sum(map(self.unspoken_of_w, self.connectors)), self.max_power_w)

    def unspoken_of_w(self, connector: Connector) -> int:
        """What this connector of it may draw when nobody speaks to it, in watts."""
        if self.capabilities.at_zero == GOES_ON_AT_ZERO:
            return max(connector.fallback_w, connector.goes_on_with_w)
        return connector.fallback_w


@dataclass(frozen=True, slots=True)
class Feeder:
    """A cable or sub-panel with a limit, between the grid connection and some chargers."""

    feeder_id: str
    limit_w: int


@dataclass(frozen=True, slots=True)
class Battery:
    """A stationary battery: usable energy at the start and the power it can give or take."""

    energy_wh: int
    power_w: int


@dataclass(frozen=True, slots=True)
class GridSource:
    """A source of grid limits at run time, such as the grid operator's control box.

    `failsafe_w` is the grid limit while the source is lost: silent for `timeout_s`. One that is
    `required` counts as lost until it is heard; any other is missed only once it has been heard.
    """

    failsafe_w: int
    timeout_s: float = 120.0
    required: bool = False


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """What some chargers may draw together, in watts: a feeder's, or all of them the grid's."""

    name: str
    source: LimitSource
    limit_w: int
    charger_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Station:
    """One site behind one grid connection.

    `ramp_w_per_min` is how fast what its connectors are given together may rise; None: at once.
    """

    station_id: str
    grid_limit_w: int
    chargers: tuple[Charger, ...]
    feeders: tuple[Feeder, ...] = ()
    static_load_w: int = 0
    reserve_w: int = 0
    battery: Battery | None = None
    grid_source: GridSource | None = None
    ramp_w_per_min: int | None = None

    @property
    def ramp_step_w(self) -> int | None:
        """By how much the power given out may rise in a window of the ramp, in watts."""
        if self.ramp_w_per_min is None:
            return None
        return int(self.ramp_w_per_min * RAMP_WINDOW_S / SECONDS_PER_MINUTE)

    @property
    def available_w(self) -> int:
        """What all connectors together may draw: the grid limit less static load and reserve."""
        return max(0, self.grid_limit_w - self.static_load_w - self.reserve_w)

    def shared_limits(self) -> list[SharedLimit]:
        """Every limit above the chargers: the grid's, less what is not for them, then the feeders'.

        A charger's own maximum is its hardware's, which holds by itself.
        """
        below: dict[str | None, list[str]] = {}
        for charger in self.chargers:
            below.setdefault(charger.feeder_id, []).append(charger.charger_id)
        everybody = frozenset(charger.charger_id for charger in self.chargers)
        return [
            SharedLimit("grid", LimitSource.GRID, self.available_w, everybody),
            *(
                SharedLimit(
                    f"feeder {feeder.feeder_id}",
                    LimitSource.FEEDER,
                    feeder.limit_w,
                    frozenset(below.get(feeder.feeder_id, ())),
                )
                for feeder in self.feeders
            ),
        ]

    def connectors(self) -> Iterator[Connector]:
        """Every connector of the station, in the order of the configuration."""
        for charger in self.chargers:
            yield from charger.connectors

    def connector(self, key: ConnectorKey) -> Connector:
        """The connector of this key. Raises KeyError."""
        charger = self.charger(key.charger_id)
        for connector in charger.connectors if charger is not None else ():
            if connector.key == key:
                return connector
        raise KeyError(key)

    def charger(self, charger_id: str) -> Charger | None:
        """The charger of this id, or None."""
        return next((c for c in self.chargers if c.charger_id == charger_id), None)
