from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ocpp.v16.enums import Action

from csms.errors import ProtocolError
from csms.protocol.ocpp16 import requests, routes
from csms.protocol.ocpp16.routes import Direction, FeatureProfile
from tests.unit.csms.protocol.ocpp16.fake_recorder import FakeRecorder
from tests.unit.csms.protocol.ocpp16.reply_schemas import faults

SERVED = [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
]


def test_every_action_of_the_standard_is_in_the_table_once() -> None:
    expected = Counter(str(a.value) for a in Action)
    expected["DataTransfer"] = 2  # either side may send it
    assert Counter(route.action for route in routes.ROUTES) == expected


def test_the_actions_served_and_sent() -> None:
    served = [r.action for r in routes.ROUTES if r.direction is Direction.INBOUND and r.served]
    sent = {r.action for r in routes.ROUTES if r.direction is Direction.OUTBOUND and r.served}
    assert sorted(served) == SERVED
    assert sent == requests.SENT


@pytest.mark.parametrize(
    ("profile", "count"),
    [
        (FeatureProfile.CORE, 17),
        (FeatureProfile.FIRMWARE, 4),
        (FeatureProfile.LOCAL_LIST, 2),
        (FeatureProfile.RESERVATION, 2),
        (FeatureProfile.SMART_CHARGING, 3),
        (FeatureProfile.REMOTE_TRIGGER, 1),
        (FeatureProfile.SECURITY, 11),
    ],
)
def test_the_feature_profiles_have_their_actions(profile: FeatureProfile, count: int) -> None:
    assert sum(r.profile is profile for r in routes.ROUTES) == count


def test_coverage_has_a_row_for_every_route() -> None:
    rows = routes.coverage()
    assert len(rows) == len(routes.ROUTES)
    assert rows[0] == routes.CoverageRow(
        "Core", "Authorize", "charge point to central system", served=True
    )
    assert all(row.served for row in rows)
    assert [(row.action, row.note) for row in rows if row.note] == [
        ("SignCertificate", "signed when csms has the CA's key")
    ]


@pytest.mark.parametrize("action", SERVED)
@pytest.mark.parametrize("payload", [{}, None, [], "text", 5, {"connectorId": {}, "x": [1]}])
async def test_every_served_action_answers_any_payload(action: str, payload: Any) -> None:
    reply = await routes.serve(FakeRecorder(), "CP1", action, payload)
    assert faults(action, reply) == []


@pytest.mark.parametrize("action", ["CertificateSigned", "Reset", "SetChargingProfile"])
async def test_an_action_that_only_csms_may_send(action: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        await routes.serve(FakeRecorder(), "CP1", action, {})
    assert caught.value.code == "NotSupported"


@pytest.mark.parametrize("action", ["NotifyReport", "authorize", "", "A" * 1000, "\ud800"])
async def test_an_action_nobody_defined(action: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        await routes.serve(FakeRecorder(), "CP1", action, {})
    assert caught.value.code == "NotImplemented"
    assert len(caught.value.description) < 100
    assert caught.value.description.isprintable()
