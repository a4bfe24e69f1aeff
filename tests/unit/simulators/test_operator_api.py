from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulators.operator_api import ApiError, OperatorApi

STATUS = {
    "stationId": "S1",
    "settled": True,
    "sessions": {
        "a": {
            "connectorId": {"chargerId": "CP001", "idx": 2},
            "allocatedPower": 133.3,
            "transactionId": 7,
        },
        "b": {
            "connectorId": {"chargerId": "CP002", "idx": 1},
            "allocatedPower": 0.0,
            "transactionId": 9,
        },
    },
    "chargers": [
        {"id": "CP001", "connected": True, "condition": "CONTROLLED"},
        {"id": "CP002", "connected": True, "condition": "CONTROLLED"},
    ],
}


class Recorded:
    """An API that gives one answer and remembers what it was asked."""

    def __init__(self, status: int = 200, body: Any = None) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._status = status
        self._body = body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, body))
        if self._body is None:
            return httpx.Response(self._status)
        return httpx.Response(self._status, json=self._body)


def api(serve: Callable[[httpx.Request], httpx.Response]) -> OperatorApi:
    client = httpx.AsyncClient(transport=httpx.MockTransport(serve), base_url="http://csms")
    return OperatorApi(client, "S1")


async def test_a_session_is_started_with_the_vehicles_maximum() -> None:
    served = Recorded(201, {"session": {"sessionId": "abc", "allocatedPower": 0.0}})
    assert await api(served).start_session("CP001", 2, 150.0) == "abc"
    assert served.asked == [
        (
            "POST",
            "/stations/S1/sessions",
            {"connectorId": {"chargerId": "CP001", "idx": 2}, "vehicleMaxPower": 150.0},
        )
    ]


async def test_a_session_is_stopped() -> None:
    served = Recorded(204)
    await api(served).stop_session("abc")
    assert served.asked == [("DELETE", "/stations/S1/sessions/abc", None)]


async def test_a_station_is_configured() -> None:
    served = Recorded(200, {})
    await api(served).configure({"stationId": "S1", "gridCapacity": 80})
    assert served.asked == [
        ("POST", "/stations/S1/config", {"stationId": "S1", "gridCapacity": 80})
    ]


async def test_a_stations_configuration_is_read() -> None:
    served = Recorded(200, {"stationId": "S1", "gridCapacity": 80})
    assert await api(served).configuration() == {"stationId": "S1", "gridCapacity": 80}
    assert served.asked == [("GET", "/stations/S1/config", None)]


async def test_the_status_by_connector() -> None:
    served = Recorded(200, STATUS)
    status = await api(served).status()
    assert served.asked == [("GET", "/stations/S1/status", None)]
    assert status.allocated_kw == {"CP001/2": 133.3, "CP002/1": 0.0}
    assert status.transactions == {"CP001/2": 7, "CP002/1": 9}
    assert status.conditions == {"CP001": "CONTROLLED", "CP002": "CONTROLLED"}
    assert (status.settled, status.ready) == (True, True)


@pytest.mark.parametrize(
    ("settled", "condition", "ready"),
    [
        (True, "CONTROLLED", True),
        (False, "CONTROLLED", False),
        (True, "REGISTERING", False),
        (True, "NEVER_SEEN", False),
        (True, "OFFLINE_RESERVED", False),
    ],
)
async def test_a_station_is_ready_when_settled_and_under_control(
    settled: bool, condition: str, ready: bool
) -> None:
    chargers = [{"id": "A", "condition": "CONTROLLED"}, {"id": "B", "condition": condition}]
    status = await api(Recorded(200, STATUS | {"settled": settled, "chargers": chargers})).status()
    assert (status.settled, status.ready) == (settled, ready)


async def test_a_refusal_says_what_was_asked_and_why_not() -> None:
    refusing = api(Recorded(409, {"detail": "the connector is occupied"}))
    with pytest.raises(ApiError, match=r"POST /stations/S1/sessions: 409 .*occupied") as caught:
        await refusing.start_session("CP001", 1, 150.0)
    assert caught.value.final


async def test_a_server_that_fails_may_yet_answer() -> None:
    with pytest.raises(ApiError) as caught:
        await api(Recorded(503, {"detail": "starting"})).status()
    assert not caught.value.final


async def test_a_server_that_is_not_there_is_an_api_error() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ApiError, match="GET /stations/S1/status: ConnectError"):
        await api(serve).status()
