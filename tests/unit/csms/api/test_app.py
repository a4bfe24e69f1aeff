"""The API as a whole."""

from __future__ import annotations

import pytest

from csms.api.app import routes
from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.ports import Losses
from csms.station.model import LimitSource
from csms.station.state import ConnectorStatus
from tests.unit.csms.api.fakes import Api

ROUTES = [
    ("GET", "/health"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/station/config"),
    ("POST", "/station/config"),
    ("GET", "/station/status"),
    ("GET", "/stations"),
    ("DELETE", "/stations/{station_id}"),
    ("GET", "/stations/{station_id}/config"),
    ("POST", "/stations/{station_id}/config"),
    ("GET", "/stations/{station_id}/status"),
    ("GET", "/station/grid-limit"),
    ("PUT", "/station/grid-limit"),
    ("DELETE", "/station/grid-limit"),
    ("POST", "/station/grid-limit/heartbeat"),
    ("PUT", "/station/grid-limit/schedule"),
    ("GET", "/stations/{station_id}/grid-limit"),
    ("PUT", "/stations/{station_id}/grid-limit"),
    ("DELETE", "/stations/{station_id}/grid-limit"),
    ("POST", "/stations/{station_id}/grid-limit/heartbeat"),
    ("PUT", "/stations/{station_id}/grid-limit/schedule"),
    ("POST", "/sessions"),
    ("POST", "/sessions/{session_id}/power-update"),
    ("POST", "/sessions/{session_id}/stop"),
    ("GET", "/stations/{station_id}/sessions"),
    ("POST", "/stations/{station_id}/sessions"),
    ("POST", "/stations/{station_id}/sessions/{session_id}/power-update"),
    ("DELETE", "/stations/{station_id}/sessions/{session_id}"),
    ("GET", "/chargers/knocked"),
    ("GET", "/chargers/{charger_id}"),
    ("GET", "/chargers/{charger_id}/frames"),
    ("GET", "/chargers/{charger_id}/quarantine"),
    ("POST", "/chargers/{charger_id}/pardon"),
    ("GET", "/events"),
    ("POST", "/chargers/{charger_id}/commands/{action}"),
    ("POST", "/chargers/{charger_id}/reset"),
    ("POST", "/chargers/{charger_id}/unlock"),
    ("POST", "/chargers/{charger_id}/availability"),
    ("POST", "/chargers/{charger_id}/diagnostics"),
    ("POST", "/chargers/{charger_id}/firmware"),
    ("POST", "/chargers/{charger_id}/logs"),
    ("POST", "/chargers/{charger_id}/commission"),
    ("GET", "/chargers/{charger_id}/commission"),
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("POST", "/tokens/import"),
    ("GET", "/tokens/{id_tag}"),
    ("PUT", "/tokens/{id_tag}"),
    ("DELETE", "/tokens/{id_tag}"),
    ("GET", "/chargers/{charger_id}/local-list"),
    ("POST", "/chargers/{charger_id}/local-list"),
    ("GET", "/chargers/{charger_id}/reservations"),
    ("POST", "/chargers/{charger_id}/reservations"),
    ("DELETE", "/chargers/{charger_id}/reservations/{reservation_id}"),
    ("GET", "/chargers/{charger_id}/security"),
    ("PUT", "/chargers/{charger_id}/security"),
    ("POST", "/chargers/{charger_id}/security/key"),
    ("GET", "/security/events"),
    ("GET", "/metrics"),
]


def test_the_routes_are_these_and_each_is_described(api: Api) -> None:
    listed = routes(api.app)
    assert [(method, path) for method, path, _ in listed] == ROUTES
    assert all(text for *_, text in listed)


async def test_health_follows_the_stations(api: Api) -> None:
    assert await api.get("/health") == {
        "status": "ok",
        "droppedFacts": 0,
        "droppedSamples": 0,
        "droppedFrames": 0,
        "lostRows": 0,
    }
    api.operations.well = False
    answer = await api.request("GET", "/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")


async def test_health_tells_what_was_lost(api: Api) -> None:
    api.operations.lost = Losses(samples=1, frames=2, rows=3)
    assert await api.get("/health") == {
        "status": "ok",
        "droppedFacts": 3,
        "droppedSamples": 1,
        "droppedFrames": 2,
        "lostRows": 3,
    }


async def test_the_description_is_complete(api: Api) -> None:
    described = await api.get("/openapi.json")
    schemas = described["components"]["schemas"]
    assert set(schemas["Problem"]["properties"]) >= {"type", "title", "status", "detail", "errors"}
    started = described["paths"]["/sessions"]["post"]
    assert set(started["responses"]) == {"201", "404", "409", "422", "502", "503", "504"}
    assert "application/problem+json" in started["responses"]["409"]["content"]
    assert described["paths"]["/station/config"]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"] == {"$ref": "#/components/schemas/StationDocument"}


async def test_every_field_of_an_answer_is_described(api: Api) -> None:
    schemas = (await api.get("/openapi.json"))["components"]["schemas"]
    answered = (
        "StatusJson ChargerJson ConnectorJson SessionJson LimitJson EndedSessionJson EventJson "
        "StationSummary KnockJson FrameJson FieldProblem Problem "
        "TrialJson CapabilityJson TokenJson LocalListJson ReservationJson"
    )
    silent = [
        f"{name}.{field}"
        for name in answered.split()
        for field, schema in schemas[name]["properties"].items()
        if "description" not in schema
    ]
    assert silent == []


async def test_words_of_the_status_are_listed(api: Api) -> None:
    schemas = (await api.get("/openapi.json"))["components"]["schemas"]
    assert set(schemas["Condition"]["enum"]) == {str(word) for word in Condition}
    assert set(schemas["LimitSource"]["enum"]) == {str(word) for word in LimitSource}
    assert set(schemas["EntryState"]["enum"]) == {str(word) for word in EntryState}
    assert set(schemas["ConnectorStatus"]["enum"]) == {str(word) for word in ConnectorStatus}


async def test_every_reference_of_the_description_leads_somewhere(api: Api) -> None:
    answer = await api.request("GET", "/openapi.json")
    schemas = answer.json()["components"]["schemas"]
    named = {part.split('"')[0] for part in answer.text.split('"#/components/schemas/')[1:]}
    assert named - set(schemas) == set()


async def test_the_page_lists_every_route_and_loads_nothing(api: Api) -> None:
    answer = await api.request("GET", "/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for method, path in ROUTES:
        assert f"<td>{method}</td><td><code>{path}</code></td>" in answer.text
    assert "<script" not in answer.text
    assert "http" not in answer.text.replace("/openapi.json", "")


@pytest.mark.parametrize("path", ["/health", "/docs", "/nothing", "/station/status"])
async def test_answers_are_not_guessed_at_or_kept(api: Api, path: str) -> None:
    headers = (await api.request("GET", path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
