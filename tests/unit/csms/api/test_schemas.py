"""The JSON of the API."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from csms.api import schemas
from csms.station.model import ConnectorKey

START: TypeAdapter[schemas.StartRequest | schemas.FlatStartRequest] = TypeAdapter(schemas.StartBody)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"connectorId": {"chargerId": "A", "idx": 2}}, schemas.StartRequest),
        ({"charger_id": "A", "connector_id": 2}, schemas.FlatStartRequest),
    ],
)
def test_both_forms_of_a_start_name_one_connector(
    body: dict[str, Any], form: type[BaseModel]
) -> None:
    start = START.validate_python(body)
    assert isinstance(start, form)
    assert start.connector() == ConnectorKey("A", 2)
    assert (start.vehicle_max_power, start.id_token) == (None, None)


@pytest.mark.parametrize("body", [{}, [], None, "x", {"connectorId": {"charger_id": "A"}}])
def test_a_start_without_a_connector_is_refused(body: Any) -> None:
    with pytest.raises(ValidationError):
        START.validate_python(body)


def test_a_report_says_something() -> None:
    with pytest.raises(ValidationError, match="needs consumedPower, vehicleMaxPower or both"):
        schemas.PowerUpdate.model_validate({})


@pytest.mark.parametrize(
    "model",
    [
        schemas.SessionJson,
        schemas.EndedSessionJson,
        schemas.StatusJson,
        schemas.ChargerJson,
        schemas.ConnectorJson,
        schemas.LimitJson,
    ],
)
def test_names_on_the_wire_are_camel_case(model: type[BaseModel]) -> None:
    names = [field.alias for field in model.model_fields.values()]
    assert all(name is not None and name.isalnum() and name[0].islower() for name in names)
