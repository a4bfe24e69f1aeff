from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from csms.protocol.ocpp16.meter_values import normalise
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey

CASES = Path(__file__).parents[4] / "cases"
AT = 1_772_359_200.0


def cases(name: str) -> list[Any]:
    found = json.loads((CASES / name).read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["name"]) for case in found]


def expected(sample: dict[str, Any], **where: Any) -> MeterSample:
    values = {**where, **sample}
    connector = ConnectorKey("CP1", values.pop("connector_id"))
    return MeterSample(connector=connector, at=AT + 5, **values)


@pytest.mark.parametrize("case", cases("meter_values.json"))
def test_sampled_values_become_a_sample(case: dict[str, Any]) -> None:
    element = {"timestamp": "2026-03-01T10:00:00Z", "sampledValue": case["values"]}
    payload = {"connectorId": 1, "transactionId": 7, "meterValue": [element]}
    where = {"connector_id": 1, "transaction_id": 7, "measured_at": AT}
    wanted = [] if case["sample"] is None else [expected(case["sample"], **where)]
    assert normalise(payload, "CP1", AT + 5) == wanted


@pytest.mark.parametrize("case", cases("meter_values_messages.json"))
def test_messages_become_samples(case: dict[str, Any]) -> None:
    wanted = [expected(sample) for sample in case["samples"]]
    assert normalise(case["payload"], "CP1", AT + 5) == wanted


def test_only_the_newest_hundred_elements_are_read() -> None:
    elements = [{"sampledValue": [{"value": str(i)}]} for i in range(250)]
    samples = normalise({"connectorId": 1, "meterValue": elements}, "CP1", AT)
    assert [s.energy_wh for s in samples] == list(range(150, 250))


def test_of_a_message_only_a_hundred_values_are_read_the_newest_elements_first() -> None:
    elements = [{"sampledValue": [{"value": str(10 * i + k)} for k in range(7)]} for i in range(50)]
    samples = normalise({"connectorId": 1, "meterValue": elements}, "CP1", AT)
    # Fourteen elements of seven values, and two values of the one before them.
    assert [s.energy_wh for s in samples] == [351, *(10 * i + 6 for i in range(36, 50))]


def test_only_the_first_hundred_values_of_an_element_are_read() -> None:
    values: list[dict[str, str]] = [{"value": "1"}] * 99
    values += [{"value": "2"}, {"value": "3"}]
    samples = normalise({"meterValue": [{"sampledValue": values}]}, "CP1", AT)
    assert [s.energy_wh for s in samples] == [2]
