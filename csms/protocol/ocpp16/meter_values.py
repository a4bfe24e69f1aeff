"""From MeterValues of any dialect to samples in base units (OCPP 1.6 §4.7, §7.33, §7.43).

    one MeterValue element  →  at most one `MeterSample`

Of one measurand that comes several times in an element, one location and one context count (what
was measured at the outlet, at the end rather than the beginning). Of phases, a total counts before
the sum of the lines. What cannot be used is left out; an element with nothing usable gives nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocpp.v16.enums import Location, Measurand, ReadingContext, ValueFormat

from csms.protocol.ocpp16 import fields
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey

VALUES_READ = 100
"""Sampled values read from one message: of the newest elements, which are the last (safety.md A16).

What else it holds is passed over: a message costs no more than this, whatever its size.
"""

LINE_VOLTAGE_V = 230.0
"""Assumed between a phase and neutral when a charger reports none."""

LIVE_V = 50.0
"""A phase below this carries nothing: chargers report 0 V for phases they do not have."""

BETWEEN_V = 300.0
"""A voltage from here up, not said to be of a phase, is a DC voltage or one between two phases."""

PHASES_ASSUMED = 3
"""For a current not said to be of a phase. Too many phases is the safe mistake."""

IDLE_EXPORT_W = 100.0
"""A meter at rest may read a little below zero; beyond this it exports, or is wired backwards."""

_ENERGY = str(Measurand.energy_active_import_register.value)
_POWER = str(Measurand.power_active_import.value)
_POWER_OFFERED = str(Measurand.power_offered.value)
_CURRENT = str(Measurand.current_import.value)
_CURRENT_OFFERED = str(Measurand.current_offered.value)
_VOLTAGE = str(Measurand.voltage.value)
_SOC = str(Measurand.soc.value)

_WATTS = {"": 1.0, "w": 1.0, "watt": 1.0, "watts": 1.0, "kw": 1e3, "va": 1.0, "kva": 1e3}
_AMPERES = {"": 1.0, "a": 1.0, "amp": 1.0, "amps": 1.0, "ampere": 1.0, "ma": 1e-3}


@dataclass(frozen=True, slots=True)
class _Quantity:
    """How to read one measurand.

    `units` are those it may have, folded, with their factor to the base unit; "" is for none sent.
    A value in the base unit must be from `low` to `high` to be believed.
    """

    units: Mapping[str, float]
    low: float
    high: float


_QUANTITIES: Mapping[str, _Quantity] = {
    # §7.43: without a unit it is Wh.
    _ENERGY: _Quantity({"": 1.0, "wh": 1.0, "kwh": 1e3, "mwh": 1e6}, 0, 1e12),
    _POWER: _Quantity(_WATTS, -1e7, 1e7),
    _POWER_OFFERED: _Quantity(_WATTS, 0, 1e7),
    _CURRENT: _Quantity(_AMPERES, -1e4, 1e4),
    _CURRENT_OFFERED: _Quantity(_AMPERES, 0, 1e4),
    _VOLTAGE: _Quantity({"": 1.0, "v": 1.0, "volt": 1.0, "volts": 1.0, "kv": 1e3}, 0, 2e3),
    _SOC: _Quantity({"": 1.0, "percent": 1.0, "pct": 1.0}, 0, 100),
}

# A value without a measurand is the energy register (§7.43), unless its unit says otherwise.
_BY_UNIT = {"w": _POWER, "kw": _POWER, "a": _CURRENT, "v": _VOLTAGE, "percent": _SOC}

_CONTEXTS = (
    ReadingContext.transaction_end,
    ReadingContext.sample_periodic,
    ReadingContext.trigger,
    ReadingContext.sample_clock,
    ReadingContext.interruption_end,
    ReadingContext.interruption_begin,
    ReadingContext.other,
    ReadingContext.transaction_begin,
)
"""Best first. Some chargers repeat the values of the beginning in every sample."""

_CONTEXT_NAMES = tuple(str(context.value) for context in _CONTEXTS)
_CONTEXT_RANKS = {name: rank for rank, name in enumerate(_CONTEXT_NAMES)}
_UNKNOWN_CONTEXT = _CONTEXT_RANKS[ReadingContext.other.value]
_DEFAULT_CONTEXT = str(ReadingContext.sample_periodic.value)

_LOCATION_RANKS = {Location.outlet: 0, Location.cable: 1, Location.ev: 1, Location.body: 1}
_INLET_RANK = 2


@dataclass(frozen=True, slots=True)
class _Value:
    """One usable sampled value in its base unit. `phase` is "", "L1", "L2", "L3", "N" or "LL"."""

    measurand: str
    phase: str
    context: str
    rank: tuple[int, int]
    value: float


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The values of one measurand that count, by phase, and the context they have in common."""

    context: str
    by_phase: Mapping[str, float]

    @property
    def total(self) -> float | None:
        """The value that is of no phase in particular."""
        return self.by_phase.get("")

    @property
    def lines(self) -> dict[str, float]:
        """Values per line. A lone value on N is that of the one line a charger has."""
        lines = {p: v for p, v in self.by_phase.items() if p in {"L1", "L2", "L3"}}
        if not lines and set(self.by_phase) == {"N"}:
            return {"L1": self.by_phase["N"]}
        return lines

    @property
    def sum(self) -> float | None:
        """The total, else the sum of the lines, else None."""
        if self.total is not None:
            return self.total
        return sum(self.lines.values()) if self.lines else None


_NOTHING = _Chosen("", {})


def normalise(payload: Mapping[str, Any], charger_id: str, now: float) -> list[MeterSample]:
    """The samples in a MeterValues.req, or in the transactionData of a StopTransaction.req.

    `now` is UTC epoch seconds, the time of receipt. Of at most `VALUES_READ` values, in the order
    sent. The connector is the one in the message, 0 (the charger) when it names none.
    """
    elements = fields.items(payload.get("meterValue", payload.get("transactionData")))
    connector = ConnectorKey(charger_id, fields.connector_id(payload.get("connectorId")))
    transaction_id = fields.integer(payload.get("transactionId"))
    samples = [
        _sample(element, sent, connector, transaction_id, now)
        for element, sent in _within_bounds(elements)
    ]
    return [sample for sample in samples if sample is not None]


def _within_bounds(elements: Sequence[Any]) -> list[tuple[Mapping[str, Any], list[Any]]]:
    """The newest elements, in the order sent, each with its values: as many as are read."""
    found: list[tuple[Mapping[str, Any], list[Any]]] = []
    left = VALUES_READ
    for each in reversed(elements[-VALUES_READ:]):
        element = fields.mapping(each)
        sent = fields.items(element.get("sampledValue"))[:left]
        found.append((element, sent))
        left -= len(sent)
        if left == 0:
            break
    return found[::-1]


def _sample(
    element: Mapping[str, Any],
    sent: Sequence[Any],
    connector: ConnectorKey,
    transaction_id: int | None,
    now: float,
) -> MeterSample | None:
    chosen = _choose(v for v in (_value(fields.mapping(s)) for s in sent) if v is not None)
    if not chosen:
        return None
    volts = chosen.get(_VOLTAGE, _NOTHING)
    amperes = chosen.get(_CURRENT, _NOTHING)
    return MeterSample(
        connector=connector,
        at=now,
        measured_at=fields.timestamp(element.get("timestamp")),
        power_w=_power(chosen.get(_POWER, _NOTHING), amperes, volts),
        energy_wh=_whole(chosen.get(_ENERGY, _NOTHING).sum),
        current_a=_largest(amperes),
        voltage_v=_voltage(volts),
        offered_w=_offered(chosen, volts),
        soc_pct=_largest(chosen.get(_SOC, _NOTHING)),
        transaction_id=transaction_id,
        context=min((c.context for c in chosen.values()), key=_context_rank),
    )


# ---------------------------------------------------------------------- one sampled value


def _value(sent: Mapping[str, Any]) -> _Value | None:
    """One SampledValue (§7.43) in its base unit, or None when it is of no use."""
    if fields.member(ValueFormat, sent.get("format")) is ValueFormat.signed_data:
        return None
    found = fields.number(sent.get("value"))
    unit = fields.fold(fields.text(sent.get("unit")))
    measurand = _measurand(sent.get("measurand"), unit)
    quantity = _QUANTITIES.get(measurand)
    if found is None or quantity is None or unit not in quantity.units:
        return None
    value = found * quantity.units[unit]
    if not quantity.low <= value <= quantity.high:
        return None
    context = fields.name(_CONTEXT_NAMES, sent.get("context"), _DEFAULT_CONTEXT)
    return _Value(
        measurand=measurand,
        phase=_phase(sent.get("phase")),
        context=context,
        rank=(_location_rank(sent.get("location")), _context_rank(context)),
        value=value,
    )


def _measurand(sent: Any, unit: str) -> str:
    """The standard's spelling; "" for a measurand nobody defined."""
    if not fields.text(sent):
        return _BY_UNIT.get(unit, _ENERGY)
    known = fields.member(Measurand, sent)
    return "" if known is None else str(known.value)


def _phase(sent: Any) -> str:
    """A phase as §7.34 has it, and as chargers write it instead.

    L1, L1-N and the like are one line; two lines are a value between them; all three, or none, are
    a total.
    """
    label = fields.text(sent).upper()
    lines = sorted({c for c in label if c in "123"})
    if len(lines) == 1:
        return f"L{lines[0]}"
    if len(lines) == 2:
        return "LL"
    return "N" if label == "N" else ""


def _context_rank(context: str) -> int:
    return _CONTEXT_RANKS.get(context, _UNKNOWN_CONTEXT)


def _location_rank(sent: Any) -> int:
    """What leaves through the outlet (§7.43, the default) counts before what enters the inlet."""
    location = fields.member(Location, sent)
    return _LOCATION_RANKS.get(location, _INLET_RANK) if location is not None else 0


def _choose(values: Iterable[_Value]) -> dict[str, _Chosen]:
    """Per measurand, the values of the best location and context; the later of two alike."""
    best: dict[str, tuple[int, int]] = {}
    groups: dict[tuple[str, tuple[int, int]], list[_Value]] = {}
    for value in values:
        groups.setdefault((value.measurand, value.rank), []).append(value)
        best[value.measurand] = min(best.get(value.measurand, value.rank), value.rank)
    chosen: dict[str, _Chosen] = {}
    for measurand, rank in best.items():
        group = groups[measurand, rank]
        chosen[measurand] = _Chosen(group[-1].context, {v.phase: v.value for v in group})
    return chosen


# ---------------------------------------------------------------------- what they say together


def _power(power: _Chosen, amperes: _Chosen, volts: _Chosen) -> int | None:
    """Active power: as reported, else from currents and voltages.

    A reading below zero is export, not a demand, and gives no power at all.
    """
    found = power.sum
    if found is None:
        found = _volt_amperes(amperes, volts)
    if found is None or found < -IDLE_EXPORT_W:
        return None
    return _whole(max(0.0, found))


def _offered(chosen: Mapping[str, _Chosen], volts: _Chosen) -> int | None:
    power_w = chosen.get(_POWER_OFFERED, _NOTHING).sum
    if power_w is None:
        power_w = _volt_amperes(chosen.get(_CURRENT_OFFERED, _NOTHING), volts)
    return _whole(power_w)


def _volt_amperes(amperes: _Chosen, volts: _Chosen) -> float | None:
    """Power from currents.

    A current of no phase in particular flows in every live phase, and in `PHASES_ASSUMED` of them
    when no voltage tells; with one high voltage it is taken for DC.
    """
    if amperes.lines:
        return sum(a * _line_voltage(line, volts) for line, a in amperes.lines.items())
    if amperes.total is None:
        return None
    if volts.total is not None and volts.total >= BETWEEN_V:
        return amperes.total * volts.total
    live = [v for v in volts.lines.values() if v >= LIVE_V]
    if live:
        return amperes.total * sum(live)
    return amperes.total * PHASES_ASSUMED * _line_voltage("", volts)


def _line_voltage(line: str, volts: _Chosen) -> float:
    """The voltage between a line and neutral, from the best that was reported."""
    own = volts.lines.get(line, 0.0)
    if own >= LIVE_V:
        return own
    live = [v for v in volts.lines.values() if v >= LIVE_V]
    if live:
        return sum(live) / len(live)
    either = volts.total if volts.total is not None else volts.by_phase.get("LL", 0.0)
    if either >= BETWEEN_V:
        return either / math.sqrt(3)
    return either if either >= LIVE_V else LINE_VOLTAGE_V


def _voltage(volts: _Chosen) -> float | None:
    """One voltage for the sample: the one reported for all, else the mean of the live lines."""
    if volts.total is not None:
        return volts.total
    lines = list(volts.lines.values())
    live = [v for v in lines if v >= LIVE_V] or lines
    if live:
        return round(sum(live) / len(live), 1)
    between = volts.by_phase.get("LL")
    return None if between is None else round(between / math.sqrt(3), 1)


def _largest(chosen: _Chosen) -> float | None:
    """The largest value of any line, else the total."""
    return max(chosen.lines.values()) if chosen.lines else chosen.total


def _whole(value: float | None) -> int | None:
    return None if value is None else math.floor(value + 0.5)
