"""A station as a JSON document, in kW and kWh, as operators write it.

    {"stationId": "PARIS_15", "gridCapacity": 400, "staticLoad": 3, "reserve": 0,
     "feeders": [{"id": "F1", "capacity": 250}],
     "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2, "feeder": "F1"},
                  {"id": "CP002", "maxPower": 44, "type": "AC", "fallback": 4.2,
                   "connectors": [{"id": 1, "maxPower": 22},
                                  {"id": 2, "maxPower": 7.4, "phases": 1}]}],
     "battery": {"initialCapacity": 200, "power": 100}}

`parse_station` judges the form, `feasibility` whether the station can hold, `changes_in_use`
whether a running station may become another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from csms.errors import ConfigError
from csms.station.model import (
    Battery,
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    RateUnit,
    Station,
)
from csms.station.units import kw_to_w, kwh_to_wh, w_to_kw, wh_to_kwh

MAX_POWER_KW = 100_000
MAX_ENERGY_KWH = 1_000_000
MAX_CONNECTORS = 64
MAX_CHARGERS = 1_000
AC_MINIMUM_A = 6  # IEC 61851-1 Annex A: an AC vehicle cannot be told to take less.
SHOWN_CHARACTERS = 60


def shown(value: object) -> str:
    """A value as it may stand in a message: escaped, and cut when it is long."""
    try:
        text = ascii(value)
    except (RecursionError, ValueError):  # ints of thousands of digits, objects nested very deep
        return f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def problems_of(errors: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Pydantic's errors as (dotted path, text that names the value), in their order."""
    return [(".".join(str(part) for part in e["loc"]), _problem(e)) for e in errors]


def _problem(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return f"is not a known key (value {shown(error['input'])})"
    text = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:  # about the whole: the text says which values
        return text
    return f"{text} (got {shown(error['input'])})"


# ------------------------------------------------------------------------------ the form


def _one_to_n(connectors: list[ConnectorDocument]) -> list[ConnectorDocument]:
    # OCPP 1.6 §3.15: connectors count from 1 and no number may be skipped. A connector left out
    # here would charge without a limit.
    numbers = sorted(c.id for c in connectors)
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(
            f"connector ids must be 1 to {len(numbers)}, each once; they are {numbers}"
        )
    return connectors


def _expand(connectors: object) -> object:
    # The short form: a number of equal connectors.
    if isinstance(connectors, list):
        return connectors
    if isinstance(connectors, bool) or not isinstance(connectors, int):
        raise ValueError("must be a whole number or a list of connectors")  # noqa: TRY004
    if not 1 <= connectors <= MAX_CONNECTORS:
        raise ValueError(f"must be 1 to {MAX_CONNECTORS} connectors")
    return [{"id": number} for number in range(1, connectors + 1)]


def _not_only_dots(name: str) -> str:
    if not name.strip("."):
        raise ValueError("must be more than dots: it is a part of URLs")
    return name


# What a charger may be called when it connects (csms.protocol.auth), so that every charger of a
# station can.
Identity = Annotated[
    str,
    Field(
        strict=True,
        min_length=1,
        max_length=48,
        pattern=r"^[A-Za-z0-9*\-_=:+|@.]+(?: [A-Za-z0-9*\-_=:+|@.]+)*$",
        description="up to 48 of A-Z a-z 0-9 * - _ = : + | @ . with single spaces inside",
    ),
    AfterValidator(_not_only_dots),
]
Power = Annotated[
    float,
    Field(strict=True, ge=0.001, le=MAX_POWER_KW, allow_inf_nan=False, description="kW"),
]
PowerOrZero = Annotated[
    float,
    Field(strict=True, ge=0, le=MAX_POWER_KW, allow_inf_nan=False, description="kW, may be 0"),
]
Energy = Annotated[
    float,
    Field(strict=True, ge=0, le=MAX_ENERGY_KWH, allow_inf_nan=False, description="kWh"),
]
Phases = Annotated[int, Field(strict=True, ge=1, le=3, description="number of phases")]
Voltage = Annotated[int, Field(strict=True, ge=50, le=1_000, description="V, line to neutral")]
Weight = Annotated[
    float,
    Field(
        strict=True, ge=0.001, le=1_000, allow_inf_nan=False, description="share of scarce power"
    ),
]


JSON_FORM = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)
"""Of everything csms reads as JSON: camelCase, and no key it does not know."""


class _Document(BaseModel):
    model_config = JSON_FORM


class ConnectorDocument(_Document):
    """One connector. What is left out is taken from its charger."""

    id: Annotated[int, Field(strict=True, ge=1, le=MAX_CONNECTORS)]
    max_power: Power | None = None
    type: Literal["DC", "AC"] | None = None
    phases: Phases | None = None
    voltage: Voltage | None = None
    min_power: PowerOrZero | None = None
    fallback: PowerOrZero | None = None
    weight: Weight | None = None


class ChargerDocument(_Document):
    """One charger. Everything but `id`, `maxPower`, `feeder` and `unit` is said of each connector.

    `minPower` left out: 0 for DC, 6 A on every phase for AC. `unit` left out: W for DC, and for AC
    the charger is asked; null: it is asked.
    """

    id: Identity
    max_power: Power
    connectors: Annotated[
        list[ConnectorDocument],
        BeforeValidator(_expand, json_schema_input_type=int | list[ConnectorDocument]),
        Field(min_length=1, max_length=MAX_CONNECTORS),
        AfterValidator(_one_to_n),
    ]
    feeder: Identity | None = None
    type: Literal["DC", "AC"] = "DC"
    phases: Phases = 3
    voltage: Voltage = 230
    min_power: PowerOrZero | None = None
    fallback: PowerOrZero = 0.0
    unit: Literal["W", "A"] | None = None
    weight: Weight = 1.0


class FeederDocument(_Document):
    """A cable or sub-panel with a limit of its own."""

    id: Identity
    capacity: Power


class BatteryDocument(_Document):
    """A stationary battery."""

    initial_capacity: Energy
    power: PowerOrZero


class StationDocument(_Document):
    """One site behind one grid connection. Powers in kW, energy in kWh."""

    station_id: Identity
    grid_capacity: Power
    chargers: Annotated[list[ChargerDocument], Field(max_length=MAX_CHARGERS)]
    feeders: Annotated[list[FeederDocument], Field(max_length=MAX_CHARGERS)] = []
    static_load: PowerOrZero = 0.0
    reserve: PowerOrZero = 0.0
    battery: BatteryDocument | None = None

    def station(self) -> Station:
        """The station this document describes, in watts."""
        return Station(
            station_id=self.station_id,
            grid_limit_w=kw_to_w(self.grid_capacity),
            chargers=tuple(_charger(c) for c in self.chargers),
            feeders=tuple(Feeder(f.id, kw_to_w(f.capacity)) for f in self.feeders),
            static_load_w=kw_to_w(self.static_load),
            reserve_w=kw_to_w(self.reserve),
            battery=None
            if self.battery is None
            else Battery(kwh_to_wh(self.battery.initial_capacity), kw_to_w(self.battery.power)),
        )


def _charger(document: ChargerDocument) -> Charger:
    unit: str | None = document.unit
    if "unit" not in document.model_fields_set:
        unit = _default_unit(document.type)
    return Charger(
        charger_id=document.id,
        max_power_w=kw_to_w(document.max_power),
        connectors=tuple(
            _connector(document, c) for c in sorted(document.connectors, key=lambda c: c.id)
        ),
        feeder_id=document.feeder,
        rate_unit=None if unit is None else RateUnit(unit),
    )


def _connector(charger: ChargerDocument, own: ConnectorDocument) -> Connector:
    current_type = CurrentType(own.type or charger.type)
    phases = own.phases or charger.phases
    voltage_v = own.voltage or charger.voltage
    minimum = own.min_power if own.min_power is not None else charger.min_power
    fallback = own.fallback if own.fallback is not None else charger.fallback
    return Connector(
        key=ConnectorKey(charger.id, own.id),
        max_power_w=kw_to_w(own.max_power or charger.max_power),
        current_type=current_type,
        phases=phases,
        voltage_v=voltage_v,
        minimum_w=_default_minimum_w(current_type, phases, voltage_v)
        if minimum is None
        else kw_to_w(minimum),
        fallback_w=kw_to_w(fallback),
        weight=own.weight or charger.weight,
    )


def _default_unit(current_type: str) -> str | None:
    return RateUnit.WATTS.value if current_type == CurrentType.DC.value else None


def _default_minimum_w(current_type: CurrentType, phases: int, voltage_v: int) -> int:
    return AC_MINIMUM_A * phases * voltage_v if current_type is CurrentType.AC else 0


def parse_station(document: Mapping[str, Any], origin: str) -> Station:
    """The station a JSON document describes.

    Raises `ConfigError` with every problem of the form. Whether the station can hold is
    another question: `feasibility`.
    """
    try:
        return StationDocument.model_validate(document).station()
    except ValidationError as error:
        problems = problems_of(error.errors(include_url=False, include_context=False))
        raise ConfigError(origin, problems) from None


# ------------------------------------------------------------------------------ and back


def dump_station(station: Station) -> dict[str, Any]:
    """The JSON document of a station, with defaults left out; `parse_station` gives it back."""
    document: dict[str, Any] = {
        "stationId": station.station_id,
        "gridCapacity": w_to_kw(station.grid_limit_w),
        "chargers": [_dump_charger(c) for c in station.chargers],
    }
    if station.feeders:
        document["feeders"] = [
            {"id": f.feeder_id, "capacity": w_to_kw(f.limit_w)} for f in station.feeders
        ]
    if station.static_load_w:
        document["staticLoad"] = w_to_kw(station.static_load_w)
    if station.reserve_w:
        document["reserve"] = w_to_kw(station.reserve_w)
    if station.battery is not None:
        document["battery"] = {
            "initialCapacity": wh_to_kwh(station.battery.energy_wh),
            "power": w_to_kw(station.battery.power_w),
        }
    return document


def _dump_charger(charger: Charger) -> dict[str, Any]:
    said = [_dump_connector(c, charger) for c in charger.connectors]
    # What is the same on every connector is said once, of the charger. `maxPower` is not: on the
    # charger it means the sum.
    common = {
        key: value
        for key, value in said[0].items()
        if key != "maxPower" and all(s.get(key) == value for s in said)
    }
    document: dict[str, Any] = {
        "id": charger.charger_id,
        "maxPower": w_to_kw(charger.max_power_w),
        **common,
    }
    if charger.feeder_id is not None:
        document["feeder"] = charger.feeder_id
    unit = None if charger.rate_unit is None else charger.rate_unit.value
    if unit != _default_unit(document.get("type", CurrentType.DC.value)):
        document["unit"] = unit
    own = [{k: v for k, v in s.items() if k not in common} for s in said]
    document["connectors"] = (
        len(own)
        if not any(own)
        else [{"id": c.key.connector_id, **o} for c, o in zip(charger.connectors, own, strict=True)]
    )
    return document


def _dump_connector(connector: Connector, charger: Charger) -> dict[str, Any]:
    default_minimum_w = _default_minimum_w(
        connector.current_type, connector.phases, connector.voltage_v
    )
    rows: list[tuple[str, bool, Any]] = [
        (
            "maxPower",
            connector.max_power_w != charger.max_power_w,
            w_to_kw(connector.max_power_w),
        ),
        ("type", connector.current_type is not CurrentType.DC, connector.current_type.value),
        ("phases", connector.phases != 3, connector.phases),
        ("voltage", connector.voltage_v != 230, connector.voltage_v),
        ("minPower", connector.minimum_w != default_minimum_w, w_to_kw(connector.minimum_w)),
        ("fallback", connector.fallback_w != 0, w_to_kw(connector.fallback_w)),
        ("weight", connector.weight != 1.0, connector.weight),
    ]
    return {key: value for key, differs, value in rows if differs}


# ------------------------------------------------------------------------------ can it hold?


def feasibility(station: Station) -> list[str]:
    """Every reason why this station cannot hold; empty when it can.

    The fallbacks are what the connectors may draw when nobody speaks to their chargers, so their
    sum must fit at every node of the tree (law 1).
    """
    return [
        *_duplicates(station),
        *_grid_reasons(station),
        *_feeder_reasons(station),
        *(reason for charger in station.chargers for reason in _charger_reasons(charger)),
    ]


def _duplicates(station: Station) -> Iterator[str]:
    named: Sequence[tuple[str, Iterable[object]]] = (
        ("feeder", (f.feeder_id for f in station.feeders)),
        ("charger", (c.charger_id for c in station.chargers)),
        ("connector", (c.key for charger in station.chargers for c in charger.connectors)),
    )
    for kind, ids in named:
        for name, times in Counter(ids).items():
            if times > 1:
                yield f"{kind} {name} is there {times} times"


def _grid_reasons(station: Station) -> Iterator[str]:
    taken_w = station.static_load_w + station.reserve_w
    if taken_w > station.grid_limit_w:
        yield (
            f"static load and reserve are {w_to_kw(taken_w)} kW, "
            f"more than the grid limit of {w_to_kw(station.grid_limit_w)} kW"
        )
        return
    fallback_w = sum(c.fallback_w for c in station.connectors())
    if fallback_w > station.grid_limit_w - taken_w:
        yield (
            f"the fallbacks of all connectors sum to {w_to_kw(fallback_w)} kW, more than the "
            f"{w_to_kw(station.grid_limit_w - taken_w)} kW the grid leaves "
            "after static load and reserve"
        )


def _feeder_reasons(station: Station) -> Iterator[str]:
    limits = {f.feeder_id: f.limit_w for f in station.feeders}
    fallbacks: Counter[str] = Counter()
    for charger in station.chargers:
        if charger.feeder_id is None:
            continue
        if charger.feeder_id not in limits:
            yield f"charger {charger.charger_id} is on the unknown feeder {charger.feeder_id}"
            continue
        fallbacks[charger.feeder_id] += sum(c.fallback_w for c in charger.connectors)
    for feeder_id, fallback_w in fallbacks.items():
        if fallback_w > limits[feeder_id]:
            yield (
                f"the fallbacks on feeder {feeder_id} sum to {w_to_kw(fallback_w)} kW, "
                f"more than its {w_to_kw(limits[feeder_id])} kW"
            )


def _charger_reasons(charger: Charger) -> Iterator[str]:
    fallback_w = sum(c.fallback_w for c in charger.connectors)
    if fallback_w > charger.max_power_w:
        yield (
            f"the fallbacks of charger {charger.charger_id} sum to {w_to_kw(fallback_w)} kW, "
            f"more than its {w_to_kw(charger.max_power_w)} kW"
        )
    for connector in charger.connectors:
        if connector.max_power_w > charger.max_power_w:
            yield (
                f"connector {connector.key} may take {w_to_kw(connector.max_power_w)} kW, "
                f"more than its charger's {w_to_kw(charger.max_power_w)} kW"
            )
        for name, value_w in (
            ("fallback", connector.fallback_w),
            ("minimum", connector.minimum_w),
        ):
            if value_w > connector.max_power_w:
                yield (
                    f"connector {connector.key} has a {name} of {w_to_kw(value_w)} kW, "
                    f"more than its {w_to_kw(connector.max_power_w)} kW"
                )


def changes_in_use(old: Station, in_use: Collection[ConnectorKey], new: Station) -> list[str]:
    """Every reason why `old` may not become `new` while the connectors `in_use` have sessions."""
    before = {c.key: c for c in old.connectors()}
    after = {c.key: c for c in new.connectors()}
    reasons: list[str] = []
    for key in sorted(in_use):
        charger = new.charger(key.charger_id)
        if charger is None:
            reasons.append(f"charger {key.charger_id} is removed, but {key} is in use")
        elif key not in after:
            reasons.append(f"connector {key} is removed, but it is in use")
        elif key in before and _electrics(before[key], old) != _electrics(after[key], new):
            # A limit given out in amperes would mean other watts than the ledger counts.
            reasons.append(f"connector {key} changes type, phases, voltage or unit while in use")
    return reasons


def _electrics(
    connector: Connector, station: Station
) -> tuple[CurrentType, int, int, RateUnit | None]:
    charger = station.charger(connector.key.charger_id)
    unit = None if charger is None else charger.rate_unit
    return connector.current_type, connector.phases, connector.voltage_v, unit
