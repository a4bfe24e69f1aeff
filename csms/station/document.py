"""A station as a JSON document, in kW and kWh, as operators write it.

    {"stationId": "PARIS_15", "gridCapacity": 400, "staticLoad": 3, "reserve": 0,
     "feeders": [{"id": "F1", "capacity": 250}],
     "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2, "feeder": "F1"},
                  {"id": "CP002", "maxPower": 44, "type": "AC", "fallback": 4.2,
                   "connectors": [{"id": 1, "maxPower": 22},
                                  {"id": 2, "maxPower": 7.4, "phases": 1}]}],
     "battery": {"initialCapacity": 200, "power": 100},
     "gridLimitSource": {"failsafe": 50, "timeoutS": 120, "required": true},
     "maxRampKwPerMin": 60}

`parse_station` judges the form; whether the station can hold is asked of
`csms.station.feasibility`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from csms.errors import ConfigError
from csms.station import grid
from csms.station.model import (
    Battery,
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    GridSource,
    RateUnit,
    Station,
    Told,
)
from csms.station.problems import problems_of, shown
from csms.station.units import kw_to_w, kwh_to_wh, w_to_kw, wh_to_kwh

MAX_POWER_KW = 100_000
MAX_ENERGY_KWH = 1_000_000
MAX_CONNECTORS = 64
MAX_CHARGERS = 1_000
AC_MINIMUM_A = 6  # IEC 61851-1 Annex A: an AC vehicle cannot be told to take less.
YES = "yes"
NO = "no"


# ------------------------------------------------------------------------------ the form


def _one_to_n(connectors: list[ConnectorDocument]) -> list[ConnectorDocument]:
    # OCPP 1.6 §3.8: connectors count from 1 and no number may be skipped. A connector left out
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
        if not connectors:
            raise ValueError("must have at least one connector")
        return connectors
    if isinstance(connectors, bool) or not isinstance(connectors, int):
        raise ValueError("must be a whole number or a list of connectors")  # noqa: TRY004
    if not 1 <= connectors <= MAX_CONNECTORS:
        raise ValueError(f"must be 1 to {MAX_CONNECTORS} connectors")
    return [{"id": number} for number in range(1, connectors + 1)]


# The characters of an OCPP 2.0.1 identifierString, so that a charger keeps its name when it is
# upgraded, and single inner spaces, because OCPP-J 1.6 §3.1.1 gives "RDAM 123" as its example.
# Nothing in it needs escaping in a log line; quotes, slashes, "#", controls and non-ASCII are out.
_IDENTITY = r"[A-Za-z0-9*\-_=:+|@.]+(?: [A-Za-z0-9*\-_=:+|@.]+)*"
_IDENTITY_CHARACTERS = 48


def is_identity(name: str) -> bool:
    """Whether a charger may be called so, in a station's document and when it connects."""
    return (
        len(name) <= _IDENTITY_CHARACTERS
        and re.fullmatch(_IDENTITY, name) is not None
        and not _only_dots(name)
    )


def _only_dots(name: str) -> bool:
    return not name.strip(".")


def _not_only_dots(name: str) -> str:
    if _only_dots(name):
        raise ValueError("must be more than dots: it is a part of URLs")
    return name


Identity = Annotated[
    str,
    Field(
        strict=True,
        min_length=1,
        max_length=_IDENTITY_CHARACTERS,
        pattern=f"^{_IDENTITY}$",
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
RampRate = Annotated[
    float,
    Field(strict=True, ge=1, le=MAX_POWER_KW, allow_inf_nan=False, description="kW per minute"),
]
Energy = Annotated[
    float,
    Field(strict=True, ge=0, le=MAX_ENERGY_KWH, allow_inf_nan=False, description="kWh"),
]
Timeout = Annotated[
    float, Field(strict=True, ge=1, le=86_400, allow_inf_nan=False, description="seconds")
]
Phases = Annotated[int, Field(strict=True, ge=1, le=3, description="number of phases")]
Voltage = Annotated[int, Field(strict=True, ge=50, le=1_000, description="V, line to neutral")]
Weight = Annotated[
    float,
    Field(
        strict=True, ge=0.001, le=1_000, allow_inf_nan=False, description="share of scarce power"
    ),
]
Step = Annotated[
    float,
    Field(
        strict=True,
        ge=0.1,
        le=32,
        multiple_of=0.1,
        allow_inf_nan=False,
        description="A per phase, in tenths",
    ),
]
YesOrNo = Literal["yes", "no"]


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


class CapabilitiesDocument(_Document):
    """How a charger takes limits, as far as it should not be found out by trying."""

    unit: Literal["W", "A"] | None = None
    purpose: Literal["session", "default", "charger"] | None = None
    stack_level: Annotated[int, Field(strict=True, ge=0, le=1_000)] | None = None
    periods: Annotated[int, Field(strict=True, ge=1, le=2)] | None = None
    lease: YesOrNo | None = None
    at_zero: Literal["pause", "minimum", "stop"] | None = None
    step_a: Step | None = None
    survives_reconnect: YesOrNo | None = None
    survives_reboot: YesOrNo | None = None

    def told(self) -> Told:
        """The same, without the unit, which is the charger's."""
        return Told(
            purpose=self.purpose,
            stack_level=self.stack_level,
            periods=self.periods,
            lease=_yes(self.lease),
            at_zero=self.at_zero,
            step_a=self.step_a,
            survives_reconnect=_yes(self.survives_reconnect),
            survives_reboot=_yes(self.survives_reboot),
        )


def _yes(said: str | None) -> bool | None:
    return None if said is None else said == YES


def _one_unit(charger: ChargerDocument) -> ChargerDocument:
    unit = None if charger.capabilities is None else charger.capabilities.unit
    if unit is not None and "unit" in charger.model_fields_set and unit != charger.unit:
        raise ValueError(f"unit is {shown(charger.unit)}, but capabilities.unit is {shown(unit)}")
    return charger


class ChargerDocument(_Document):
    """One charger.

    Everything but `id`, `maxPower`, `feeder`, `unit`, `capabilities` and `quiet` is said of each
    connector.

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
    capabilities: CapabilitiesDocument | None = None
    quiet: Annotated[bool, Field(strict=True)] = False

    _one_unit = model_validator(mode="after")(_one_unit)


class FeederDocument(_Document):
    """A cable or sub-panel with a limit of its own."""

    id: Identity
    capacity: Power


class BatteryDocument(_Document):
    """A stationary battery."""

    initial_capacity: Energy
    power: PowerOrZero


class GridLimitSourceDocument(_Document):
    """A source of grid limits at run time, and the limit that holds while it is lost."""

    failsafe: PowerOrZero
    timeout_s: Timeout = grid.TIMEOUT_S
    required: Annotated[bool, Field(strict=True)] = False


class StationDocument(_Document):
    """One site behind one grid connection. Powers in kW, energy in kWh."""

    station_id: Identity
    grid_capacity: Power
    chargers: Annotated[list[ChargerDocument], Field(max_length=MAX_CHARGERS)]
    feeders: Annotated[list[FeederDocument], Field(max_length=MAX_CHARGERS)] = []
    static_load: PowerOrZero = 0.0
    reserve: PowerOrZero = 0.0
    battery: BatteryDocument | None = None
    grid_limit_source: GridLimitSourceDocument | None = None
    max_ramp_kw_per_min: RampRate | None = None

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
            grid_source=_grid_source(self.grid_limit_source),
            ramp_w_per_min=None
            if self.max_ramp_kw_per_min is None
            else kw_to_w(self.max_ramp_kw_per_min),
        )


def _grid_source(document: GridLimitSourceDocument | None) -> GridSource | None:
    if document is None:
        return None
    return GridSource(kw_to_w(document.failsafe), document.timeout_s, document.required)


def _charger(document: ChargerDocument) -> Charger:
    said = document.capabilities or CapabilitiesDocument()
    unit: str | None = said.unit or document.unit
    if unit is None and "unit" not in document.model_fields_set:
        unit = _default_unit(document.type)
    return Charger(
        charger_id=document.id,
        max_power_w=kw_to_w(document.max_power),
        connectors=tuple(
            _connector(document, c) for c in sorted(document.connectors, key=lambda c: c.id)
        ),
        feeder_id=document.feeder,
        rate_unit=None if unit is None else RateUnit(unit),
        capabilities=said.told(),
        quiet=document.quiet,
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
    another question: `csms.station.feasibility`.
    """
    try:
        return StationDocument.model_validate(document).station()
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        raise ConfigError(origin, problems_of(errors, document, _keys_at)) from None


def _keys_at(path: Sequence[int | str]) -> list[str]:
    """The keys that may stand at this path of a station's document."""
    models: dict[tuple[str, ...], type[_Document]] = {
        (): StationDocument,
        ("battery",): BatteryDocument,
        ("feeders",): FeederDocument,
        ("chargers",): ChargerDocument,
        ("chargers", "capabilities"): CapabilitiesDocument,
        ("chargers", "connectors"): ConnectorDocument,
        ("gridLimitSource",): GridLimitSourceDocument,
    }
    model = models[tuple(part for part in path if isinstance(part, str))]
    return [str(field.alias) for field in model.model_fields.values()]


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
    if station.grid_source is not None:
        document["gridLimitSource"] = _dump_grid_source(station.grid_source)
    if station.ramp_w_per_min is not None:
        document["maxRampKwPerMin"] = w_to_kw(station.ramp_w_per_min)
    return document


def _dump_grid_source(source: GridSource) -> dict[str, Any]:
    document: dict[str, Any] = {"failsafe": w_to_kw(source.failsafe_w)}
    if source.timeout_s != grid.TIMEOUT_S:
        document["timeoutS"] = source.timeout_s
    if source.required:
        document["required"] = True
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
    if charger.capabilities != Told():
        document["capabilities"] = _dump_told(charger.capabilities)
    if charger.quiet:
        document["quiet"] = True
    own = [{k: v for k, v in s.items() if k not in common} for s in said]
    document["connectors"] = (
        len(own)
        if not any(own)
        else [{"id": c.key.connector_id, **o} for c, o in zip(charger.connectors, own, strict=True)]
    )
    return document


def _dump_told(told: Told) -> dict[str, Any]:
    def word(yes: bool | None) -> str | None:
        return None if yes is None else (YES if yes else NO)

    values: dict[str, Any] = {
        "purpose": told.purpose,
        "stackLevel": told.stack_level,
        "periods": told.periods,
        "lease": word(told.lease),
        "atZero": told.at_zero,
        "stepA": told.step_a,
        "survivesReconnect": word(told.survives_reconnect),
        "survivesReboot": word(told.survives_reboot),
    }
    return {key: value for key, value in values.items() if value is not None}


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
