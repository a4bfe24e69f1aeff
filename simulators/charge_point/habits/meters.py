"""How charge points report their meters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulators.charge_point.habits.habit import CALL, OWN, Frame, Habit, Message, Says

ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
CURRENT = "Current.Import"
LARGEST_ID = 2**63 - 1

Sample = dict[str, Any]


def _samples(change: Callable[[list[Sample]], list[Sample]]) -> Says:
    """Make other sampled values of those of each MeterValues."""

    def says(message: Message) -> Sequence[Frame | str]:
        if not message.calls("MeterValues"):
            return [message.frame]
        elements = [e | {"sampledValue": change(e["sampledValue"])} for e in _elements(message)]
        return [message.saying(message.payload | {"meterValue": elements})]

    return says


def _each(change: Callable[[Sample], Sample]) -> Says:
    return _samples(lambda samples: [change(sample) for sample in samples])


def _elements(message: Message) -> list[dict[str, Any]]:
    elements: list[dict[str, Any]] = message.payload["meterValue"]
    return elements


def _fields(**changed: Any) -> Says:
    """MeterValues with these fields, without those that are None."""

    def says(message: Message) -> Sequence[Frame | str]:
        if not message.calls("MeterValues"):
            return [message.frame]
        payload = message.payload | changed
        return [message.saying({k: v for k, v in payload.items() if v is not None})]

    return says


def _named(samples: list[Sample], *measurands: str) -> list[Sample]:
    return [s for s in samples if s["measurand"] in measurands]


def _value(samples: list[Sample], measurand: str) -> float:
    return sum(float(s["value"]) for s in _named(samples, measurand))


def _empty_before(message: Message) -> Sequence[Frame | str]:
    if not message.calls("MeterValues"):
        return [message.frame]
    time = _elements(message)[0]["timestamp"]
    nothing = message.payload | {"meterValue": []}
    without = message.payload | {"meterValue": [{"timestamp": time, "sampledValue": []}]}
    return [
        [CALL, f"{OWN}none-{message.message_id}", "MeterValues", nothing],
        [CALL, f"{OWN}no-samples-{message.message_id}", "MeterValues", without],
        message.frame,
    ]


def _padded(sample: Sample) -> Sample:
    return sample | {"value": f" {sample['value']} "}


def _quoted(sample: Sample) -> Sample:
    return sample | {"value": f'"{sample["value"]}"'}


def _decimal_comma(sample: Sample) -> Sample:
    return sample | {"value": sample["value"].replace(".", ",")}


def _empty_texts(samples: list[Sample]) -> list[Sample]:
    return [*samples, *(s | {"value": ""} for s in samples)]


def _odd_samples(samples: list[Sample]) -> list[Sample]:
    """Values with units, measurands and contexts that the standard does not have."""
    odd = [
        {"value": "50.0", "measurand": "Frequency", "unit": "Hz"},
        {"value": "7", "measurand": "Request.Energy", "unit": "Wh"},
        {"value": "7", "measurand": POWER, "unit": "horsepower"},
    ]
    return [*odd, *({k: v for k, v in s.items() if k != "context"} for s in samples), *odd]


def _begin_last(samples: list[Sample]) -> list[Sample]:
    begun = [s | {"value": "0", "context": "Transaction.Begin"} for s in samples]
    return samples + begun


def _kilo(sample: Sample) -> Sample:
    units = {"W": ("kW", 1e3), "Wh": ("kWh", 1e3), "A": ("mA", 1e-3)}
    if sample["unit"] not in units:
        return sample
    unit, factor = units[sample["unit"]]
    return sample | {"value": str(float(sample["value"]) / factor), "unit": unit}


def _no_units(sample: Sample) -> Sample:
    return {key: value for key, value in sample.items() if key != "unit"}


def _power_per_phase(samples: list[Sample]) -> list[Sample]:
    third = f"{_value(samples, POWER) / 3:.2f}"
    lines = [{"value": third, "measurand": POWER, "unit": "W", "phase": f"L{n}"} for n in (1, 2, 3)]
    return _named(samples, ENERGY) + lines


def _current_to_neutral(samples: list[Sample]) -> list[Sample]:
    lines = [s | {"phase": f"{s['phase']}-N"} for s in _named(samples, CURRENT)]
    return _named(samples, ENERGY) + lines


def _one_current(samples: list[Sample]) -> list[Sample]:
    each = f"{_value(samples, CURRENT) / 3:.2f}"
    lines = [
        {"value": "230", "measurand": "Voltage", "unit": "V", "phase": f"L{n}-N"} for n in (1, 2, 3)
    ]
    return [*_named(samples, ENERGY), {"value": each, "measurand": CURRENT, "unit": "A"}, *lines]


def _zero_phases(samples: list[Sample]) -> list[Sample]:
    """All power on one line, and zeros for the others."""
    total = f"{_value(samples, CURRENT):.2f}"
    lines = [
        {"value": value, "measurand": CURRENT, "unit": "A", "phase": f"L{n}"}
        for n, value in enumerate((total, "0.0", "0.0"), start=1)
    ]
    return _named(samples, ENERGY) + lines


def _dropout_after(message: Message) -> Sequence[Frame | str]:
    """After each MeterValues one more, in which the register shows nothing."""
    if not message.calls("MeterValues"):
        return [message.frame]
    nothing = {"value": "0", "measurand": ENERGY, "unit": "Wh"}
    elements = [e | {"sampledValue": [nothing]} for e in _elements(message)]
    payload = message.payload | {"meterValue": elements}
    return [message.frame, [CALL, f"{OWN}dropout-{message.message_id}", "MeterValues", payload]]


def _signed(samples: list[Sample]) -> list[Sample]:
    signed = {"value": "99999999", "measurand": ENERGY, "format": "SignedData"}
    return [signed, *samples, signed]


HABITS: Mapping[str, Habit] = {
    "odd_samples": Habit("B8", "sends units nobody knows", says=_samples(_odd_samples)),
    "empty_lists": Habit("B9", "sends MeterValues without values", says=_empty_before),
    "padded_readings": Habit("B10", "pads readings with blanks", says=_each(_padded)),
    "quoted_readings": Habit("B10", "puts readings in quotes", says=_each(_quoted)),
    "decimal_commas": Habit("B10", "writes a decimal comma", says=_each(_decimal_comma)),
    "empty_readings": Habit("B10", "sends readings that are empty", says=_samples(_empty_texts)),
    "huge_transaction_id": Habit(
        "E2", "names transaction 2^63 - 1", says=_fields(transactionId=LARGEST_ID)
    ),
    "no_transaction_id": Habit("E2", "names no transaction", says=_fields(transactionId=None)),
    "zero_transaction_id": Habit("E2", "names transaction 0", says=_fields(transactionId=0)),
    "begin_values_last": Habit("F1", "repeats the first values", says=_samples(_begin_last)),
    "kilo_units": Habit("F3", "sends kW, kWh and mA", says=_each(_kilo)),
    "no_units": Habit("F3", "sends no units", says=_each(_no_units)),
    "power_per_phase": Habit("F4", "sends power per phase", says=_samples(_power_per_phase)),
    "current_to_neutral": Habit(
        "F4", "sends currents of L1-N and no power", says=_samples(_current_to_neutral)
    ),
    "one_current": Habit("F5", "sends one current and three voltages", says=_samples(_one_current)),
    "zero_phases": Habit(
        "F6", "sends zeros for phases it does not use", says=_samples(_zero_phases)
    ),
    "register_dropouts": Habit("F9", "has registers that drop to 0", says=_dropout_after),
    "signed_data": Habit("F10", "adds signed data", says=_samples(_signed)),
    "meter_on_connector_zero": Habit(
        "F11", "sends its readings for connector 0", says=_fields(connectorId=0)
    ),
}
