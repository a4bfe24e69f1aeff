"""Scenario files: a station, what happens there and when, and what must come of it.

TOML. `[station]` is the station document of the operator, in kW; `[[step]]` are the steps, `at`
scenario seconds:

    [[step]]
    at = 0
    action = "arrive"            # arrive, leave, want, grid, expect
    connector = "CP001/1"
    declare = true               # start by the operator's API with the vehicle's maximum
    vehicle = { max_kw = 150 }

    [[step]]
    at = 0
    action = "expect"
    within = 1.0                 # real seconds after what came before took effect
    allocated = { "CP001/1" = 100.0 }

`[stream]` lets vehicles go on arriving after the steps; `[simulated.CP001]` gives a charger quirks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from simulators.charge_point.hardware import ConnectorHardware, CurrentType, Hardware
from simulators.charge_point.profiles import RateUnit
from simulators.charge_point.quirks import Quirks
from simulators.vehicle.battery import TractionBattery
from simulators.vehicle.vehicle import AcVehicle, ConstantVehicle, DcVehicle, Vehicle

W_PER_KW = 1000.0


class ScenarioError(Exception):
    """A scenario cannot be found or used; says which and why."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# ---------------------------------------------------------------------------- vehicles

Kilowatts = Annotated[float, Field(ge=0, le=100_000)]
ConnectorName = Annotated[str, Field(pattern=r"^.+/[1-9][0-9]*$")]


class VehicleSpec(_Part):
    """A vehicle.

    `constant` draws `draws_kw` (or `max_kw`) at once and for ever; `dc` follows a power curve over
    its state of charge; `ac` has an on-board charger of `phases` times `max_a`.
    """

    kind: Literal["constant", "dc", "ac"] = "constant"
    max_kw: Kilowatts = 150.0
    draws_kw: Kilowatts | None = None
    capacity_kwh: Annotated[float, Field(gt=0, le=1000)] = 60.0
    soc: Annotated[float, Field(ge=0, le=100)] = 20.0
    phases: Annotated[int, Field(ge=1, le=3)] = 3
    max_a: Annotated[float, Field(gt=0, le=100)] = 16.0
    wake_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    ramp_s: Annotated[float, Field(ge=0, le=600)] = 3.0

    def build(self) -> Vehicle:
        """The vehicle, as it arrives."""
        battery = TractionBattery(self.capacity_kwh * 1000.0, self.soc)
        if self.kind == "ac":
            return AcVehicle(
                battery,
                phases=self.phases,
                max_a=self.max_a,
                wake_s=self.wake_s,
                ramp_s=self.ramp_s,
            )
        max_w = self.max_kw * W_PER_KW
        if self.kind == "dc":
            return DcVehicle(battery, max_w, wake_s=self.wake_s, ramp_s=self.ramp_s)
        draws_w = None if self.draws_kw is None else self.draws_kw * W_PER_KW
        return ConstantVehicle(max_w, draws_w)


# ---------------------------------------------------------------------------- the station


class _StationPart(BaseModel):
    # The operator's document has more keys than a simulation needs: they are passed on unread.
    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True
    )


class StationConnector(_StationPart):
    """One connector of the station document. What is left out is taken from its charger."""

    id: Annotated[int, Field(ge=1)]
    max_power: Kilowatts | None = None
    type: CurrentType | None = None
    phases: int | None = None
    voltage: float | None = None


class StationCharger(_StationPart):
    """One charger of the station document."""

    id: str
    max_power: Kilowatts
    connectors: int | list[StationConnector]
    type: CurrentType = CurrentType.DC
    phases: int = 3
    voltage: float = 230.0
    unit: RateUnit | None = None

    def hardware(self) -> Hardware:
        """The charge point to simulate: DC takes watts, AC amperes unless `unit` says otherwise."""
        listed = self.connectors
        if isinstance(listed, int):
            listed = [StationConnector(id=number) for number in range(1, listed + 1)]
        connectors = tuple(self._connector(connector) for connector in listed)
        unit = self.unit
        if unit is None:
            dc = all(c.current_type is CurrentType.DC for c in connectors)
            unit = RateUnit.WATTS if dc else RateUnit.AMPERES
        return Hardware(
            self.id, self.max_power * W_PER_KW, connectors, rate_units=frozenset({unit})
        )

    def _connector(self, own: StationConnector) -> ConnectorHardware:
        max_kw = self.max_power if own.max_power is None else own.max_power
        return ConnectorHardware(
            own.id,
            max_kw * W_PER_KW,
            own.type or self.type,
            own.phases or self.phases,
            own.voltage or self.voltage,
        )


class StationPlan(_StationPart):
    """The station document, as far as a simulation reads it. Powers in kW."""

    station_id: str
    grid_capacity: Kilowatts
    static_load: Kilowatts = 0.0
    chargers: list[StationCharger] = Field(max_length=1000)

    def hardware(self) -> list[Hardware]:
        """Every charge point to simulate."""
        return [charger.hardware() for charger in self.chargers]


# ---------------------------------------------------------------------------- steps


class _Step(_Part):
    at: Annotated[float, Field(ge=0, le=1_000_000)]


class Arrive(_Step):
    """A vehicle is plugged in and its driver starts charging.

    `declare`: by the operator's API, which is told the vehicle's maximum. Otherwise by a token
    shown at the charger, and csms knows nothing of the vehicle.
    """

    action: Literal["arrive"] = "arrive"
    connector: ConnectorName
    vehicle: VehicleSpec = VehicleSpec()
    declare: bool = False
    id_tag: Annotated[str, Field(min_length=1, max_length=20)] = "SIMULATED"


class Leave(_Step):
    """The vehicle leaves; a session started by the API is stopped there first."""

    action: Literal["leave"] = "leave"
    connector: ConnectorName


class Want(_Step):
    """From now on the vehicle wants this power, as far as it is offered."""

    action: Literal["want"] = "want"
    connector: ConnectorName
    kw: Kilowatts


class Grid(_Step):
    """The operator gives the station another grid limit."""

    action: Literal["grid"] = "grid"
    capacity_kw: Kilowatts


class Expect(_Step):
    """Within `within` real seconds csms has allocated this, to 0.1 kW, and the chargers obey it."""

    action: Literal["expect"] = "expect"
    allocated: dict[ConnectorName, Kilowatts] = Field(min_length=1)
    within: Annotated[float, Field(gt=0, le=600)] = 1.0


Step = Annotated[Arrive | Leave | Want | Grid | Expect, Field(discriminator="action")]


class Stream(_Part):
    """Vehicles that go on arriving when the steps are over.

    A connector is free for about `gap_s` and taken for about `stay_s` scenario seconds.
    """

    from_s: Annotated[float, Field(ge=0)]
    gap_s: Annotated[float, Field(ge=1)] = 20.0
    stay_s: Annotated[float, Field(ge=1)] = 60.0


class Scenario(_Part):
    """A whole scenario. `station` is the operator's document, unchanged."""

    name: str = "unnamed"
    description: str = ""
    meter_interval_s: Annotated[int, Field(ge=1, le=3600)] = 10
    station: dict[str, Any]
    simulated: dict[str, Quirks] = {}
    step: list[Step] = []
    stream: Stream | None = None

    @cached_property
    def plan(self) -> StationPlan:
        """The station, read."""
        return StationPlan.model_validate(self.station)

    def station_with(self, grid_capacity_kw: float) -> dict[str, Any]:
        """The operator's document with another grid limit."""
        return self.station | {"gridCapacity": grid_capacity_kw}


# ---------------------------------------------------------------------------- reading


def scenario_names() -> list[str]:
    """The scenarios that come with the simulators."""
    folder = files("simulators") / "scenarios"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario by name (`s2`) or by the path of its file. Raises ScenarioError."""
    known = {name.lower(): name for name in scenario_names()}
    name = known.get(name_or_path.lower())
    if name is not None:
        text = (files("simulators") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
        return parse_scenario(text, name)
    try:
        text = Path(name_or_path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ScenarioError(
            f"{name_or_path}: {reason}; scenarios known by name: {', '.join(sorted(known))}"
        ) from error
    return parse_scenario(text, name_or_path)


def parse_scenario(text: str, origin: str) -> Scenario:
    """The scenario in this text. Raises ScenarioError that names every problem."""
    try:
        scenario = Scenario.model_validate(tomllib.loads(text))
        problems = _problems(scenario)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{origin}: is not TOML: {error}") from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if problems:
        raise ScenarioError("\n  ".join([f"{origin}: the scenario cannot be used", *problems]))
    return scenario


def _problems(scenario: Scenario) -> list[str]:
    connectors = {
        f"{hardware.charger_id}/{connector.connector_id}"
        for hardware in scenario.plan.hardware()
        for connector in hardware.connectors
    }
    chargers = {charger.id for charger in scenario.plan.chargers}
    problems = [
        f"simulated.{name}: no such charger" for name in scenario.simulated.keys() - chargers
    ]
    before_s = 0.0
    for index, step in enumerate(scenario.step):
        unknown = _connectors_of(step).keys() - connectors
        problems += [f"step.{index}: no connector {name}" for name in sorted(unknown)]
        if step.at < before_s:
            problems.append(f"step.{index}: at = {step.at} is before the step above it")
        before_s = step.at
    return problems


def _connectors_of(step: Step) -> Mapping[str, object]:
    match step:
        case Expect(allocated=allocated):
            return allocated
        case Grid():
            return {}
        case Arrive(connector=connector) | Leave(connector=connector) | Want(connector=connector):
            return {connector: step}
