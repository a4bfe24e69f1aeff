from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from csms.dispatch.by_hand import Availability, Reach
from csms.dispatch.commands import Form, Purpose, Scope, SetLimit
from csms.errors import PayloadRefusedError, UnknownActionError
from csms.ports import Answer, ChargerLink, Exchange, LocalListUpdate, Outcome
from csms.protocol.link import OcppLink
from csms.protocol.ocpp16 import smart_charging
from csms.protocol.rpc import CallError, Disconnected, Reply, Result, TimedOut
from csms.station.model import ConnectorKey, Limit, LimitSource, RateUnit
from csms.station.tokens import Reservation

NOW = 1_772_366_400.0
KEY = ConnectorKey("CP1", 1)
LIMIT = SetLimit(
    token=9,
    connector=KEY,
    scope=Scope.SESSION,
    limit=Limit(50_000, LimitSource.GRID),
    form=Form(Purpose.SESSION, RateUnit.WATTS),
    session_id="s1",
    transaction_id=41,
)


class FakeClock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    action: str
    payload: Mapping[str, Any]
    priority: int


class FakeConnection:
    """Answers every call with the one reply it was given, and keeps who wants late answers."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.sent: list[Sent] = []
        self.on_late: list[Callable[[Reply], None] | None] = []
        self.closed: list[tuple[int, str]] = []
        self.message_ids: list[str | None] = []
        self.slots: list[Hashable | None] = []

    def new_message_id(self) -> str:
        return f"m{len(self.sent) + 1}"

    async def call(
        self,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float | None = None,
        priority: int = 5,
        on_late: Callable[[Reply], None] | None = None,
        on_sent: Callable[[], None] | None = None,
        message_id: str | None = None,
        slot: Hashable | None = None,
    ) -> Reply:
        assert timeout_s is None
        if on_sent is not None:
            on_sent()
        self.slots.append(slot)
        self.message_ids.append(message_id)
        self.sent.append(Sent(action, payload, priority))
        self.on_late.append(on_late)
        return self.reply

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


class FakeLateAnswers:
    def __init__(self) -> None:
        self.heard: list[tuple[SetLimit, Answer]] = []

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        self.heard.append((command, answer))


class Rig:
    """A link to one charger, CP1, that gives one reply."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.connection = FakeConnection(reply or Result({"status": "Accepted"}))
        self.late = FakeLateAnswers()
        connections = {"CP1": self.connection}
        self.link = OcppLink(connections.get, self.late, FakeClock())


def test_a_charger_with_a_connection_is_connected() -> None:
    link: ChargerLink = Rig().link
    assert link.is_connected("CP1")
    assert not link.is_connected("CP2")


def test_a_charger_can_be_disconnected() -> None:
    rig = Rig()
    rig.link.disconnect("CP1", "gone")
    rig.link.disconnect("CP2", "was never here")
    assert rig.connection.closed == [(1000, "gone")]


async def test_a_limit_is_sent_as_a_profile() -> None:
    rig = Rig()
    assert (await rig.link.set_limit(LIMIT)).accepted
    payload = smart_charging.set_charging_profile(LIMIT, NOW)
    assert payload["csChargingProfiles"]["transactionId"] == 41
    assert rig.connection.sent == [Sent("SetChargingProfile", payload, 2)]


async def test_a_fallback_goes_before_a_limit() -> None:
    rig = Rig()
    form = Form(Purpose.DEFAULT, RateUnit.WATTS)
    fallback = replace(LIMIT, scope=Scope.DEFAULT, form=form, session_id=None, transaction_id=None)
    await rig.link.set_limit(fallback)
    assert [sent.priority for sent in rig.connection.sent] == [1]


async def test_a_limit_that_raises_goes_behind_those_that_do_not() -> None:
    rig = Rig()
    await rig.link.set_limit(replace(LIMIT, raises=True))
    assert [sent.priority for sent in rig.connection.sent] == [3]


async def test_a_limit_takes_the_place_of_one_that_waits_for_the_same_connector() -> None:
    rig = Rig()
    await rig.link.set_limit(LIMIT)
    await rig.link.reset("CP1", hard=False)
    assert rig.connection.slots == [(LIMIT.connector, LIMIT.form.purpose), None]


async def test_a_late_answer_is_told_with_its_command() -> None:
    rig = Rig(TimedOut())
    assert await rig.link.set_limit(LIMIT) == Answer(Outcome.TIMEOUT, "no answer in time")
    (on_late,) = rig.connection.on_late
    assert on_late is not None
    on_late(Result({"status": "Accepted"}))
    on_late(CallError("NotSupported", "no profiles"))
    assert rig.late.heard == [
        (LIMIT, Answer(Outcome.ACCEPTED, "Accepted", {"status": "Accepted"})),
        (LIMIT, Answer(Outcome.UNSUPPORTED, "NotSupported: no profiles")),
    ]


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (
            Result({"status": "Rejected"}),
            Answer(Outcome.REJECTED, "Rejected", {"status": "Rejected"}),
        ),
        (CallError("NotImplemented"), Answer(Outcome.UNSUPPORTED, "NotImplemented")),
        (CallError("TypeConstraintViolation"), Answer(Outcome.INVALID, "TypeConstraintViolation")),
        (TimedOut(), Answer(Outcome.TIMEOUT, "no answer in time")),
        (
            TimedOut(sent=False),
            Answer(Outcome.NOT_SENT, "timed out before it was sent", in_vain=True),
        ),
        (Disconnected(), Answer(Outcome.DISCONNECTED, "connection lost before the answer")),
        (
            Disconnected(sent=False),
            Answer(Outcome.NOT_SENT, "connection lost before it was sent"),
        ),
    ],
)
async def test_every_end_of_a_call_is_an_answer(reply: Reply, answer: Answer) -> None:
    assert await Rig(reply).link.set_limit(LIMIT) == answer


REQUESTS: list[tuple[str, Callable[[ChargerLink], Awaitable[Answer]], str, dict[str, Any]]] = [
    ("clear all", lambda link: link.clear_limits("CP1"), "ClearChargingProfile", {}),
    (
        "clear one",
        lambda link: link.clear_limits("CP1", 2),
        "ClearChargingProfile",
        {"connectorId": 2},
    ),
    (
        "composite",
        lambda link: link.composite_schedule(KEY, 300),
        "GetCompositeSchedule",
        {"connectorId": 1, "duration": 300},
    ),
    (
        "start",
        lambda link: link.remote_start(KEY, "GOOD"),
        "RemoteStartTransaction",
        {"connectorId": 1, "idTag": "GOOD"},
    ),
    (
        "stop",
        lambda link: link.remote_stop("CP1", 7),
        "RemoteStopTransaction",
        {"transactionId": 7},
    ),
    ("reset", lambda link: link.reset("CP1", hard=False), "Reset", {"type": "Soft"}),
    (
        "change_availability",
        lambda link: link.change_availability("CP1", 2, operative=False),
        "ChangeAvailability",
        {"connectorId": 2, "type": "Inoperative"},
    ),
    (
        "trigger one",
        lambda link: link.trigger("CP1", "StatusNotification", 1),
        "TriggerMessage",
        {"requestedMessage": "StatusNotification", "connectorId": 1},
    ),
    (
        "trigger all",
        lambda link: link.trigger("CP1", "Heartbeat", None),
        "TriggerMessage",
        {"requestedMessage": "Heartbeat"},
    ),
    (
        "read",
        lambda link: link.get_configuration("CP1", ["HeartbeatInterval"]),
        "GetConfiguration",
        {"key": ["HeartbeatInterval"]},
    ),
    ("read all", lambda link: link.get_configuration("CP1", []), "GetConfiguration", {}),
    (
        "write",
        lambda link: link.change_configuration("CP1", "HeartbeatInterval", "60"),
        "ChangeConfiguration",
        {"key": "HeartbeatInterval", "value": "60"},
    ),
    (
        "list",
        lambda link: link.send_local_list("CP1", LocalListUpdate(3, full=True)),
        "SendLocalList",
        {"listVersion": 3, "updateType": "Full"},
    ),
    (
        "reserve",
        lambda link: link.reserve(Reservation(7, KEY, "GOOD", NOW)),
        "ReserveNow",
        {
            "connectorId": 1,
            "expiryDate": "2026-03-01T12:00:00Z",
            "idTag": "GOOD",
            "reservationId": 7,
        },
    ),
    (
        "cancel",
        lambda link: link.cancel_reservation("CP1", 7),
        "CancelReservation",
        {"reservationId": 7},
    ),
]


async def test_the_version_of_a_list_is_asked_for() -> None:
    rig = Rig(Result({"listVersion": 4}))
    answer = await rig.link.local_list_version("CP1")
    assert answer == Answer(Outcome.ACCEPTED, "", {"version": 4})
    assert rig.connection.sent == [Sent("GetLocalListVersion", {}, 5)]


@pytest.mark.parametrize(
    ("ask", "action", "payload"), [pytest.param(*r[1:], id=r[0]) for r in REQUESTS]
)
async def test_requests(
    ask: Callable[[ChargerLink], Awaitable[Answer]], action: str, payload: dict[str, Any]
) -> None:
    rig = Rig()
    assert (await ask(rig.link)).accepted
    assert rig.connection.sent == [Sent(action, payload, 5)]
    assert rig.connection.on_late == [None]


async def test_configuration_comes_back_by_key() -> None:
    entry = {"key": "METERVALUESAMPLEINTERVAL", "readonly": False, "value": 60}
    rig = Rig(Result({"configurationKey": [entry], "unknownKey": ["Nope"]}))
    answer = await rig.link.get_configuration("CP1", ["MeterValueSampleInterval", "Nope"])
    assert answer.payload == {"MeterValueSampleInterval": "60", "unknownKey": ["Nope"]}


async def test_nothing_to_clear_is_success() -> None:
    assert (await Rig(Result({"status": "Unknown"})).link.clear_limits("CP1")).accepted


@pytest.mark.parametrize("index", range(len(REQUESTS)))
async def test_a_charger_without_a_connection_is_not_asked(index: int) -> None:
    link = OcppLink(lambda _: None, FakeLateAnswers(), FakeClock())
    assert await REQUESTS[index][1](link) == Answer(Outcome.NOT_SENT, "not connected")


async def test_a_limit_for_a_charger_without_a_connection() -> None:
    link = OcppLink(lambda _: None, FakeLateAnswers(), FakeClock())
    assert (await link.set_limit(LIMIT)).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda link: link.remote_start(KEY, "A" * 21), "idTag"),
        (lambda link: link.trigger("CP1", "Reboot", None), "requestedMessage"),
        (lambda link: link.change_configuration("CP1", "K", "x" * 501), "value"),
        (lambda link: link.set_limit(replace(LIMIT, transaction_id=None)), "transactionId"),
        (lambda link: link.set_limit(replace(LIMIT, limit=Limit(-1, LimitSource.GRID))), "limit"),
        (
            lambda link: link.set_limit(
                replace(LIMIT, form=Form(Purpose.SESSION, RateUnit.AMPERES), voltage_v=0)
            ),
            "0 V",
        ),
    ],
)
async def test_what_cannot_be_said_is_not_sent(
    ask: Callable[[ChargerLink], Awaitable[Answer]], named: str
) -> None:
    rig = Rig()
    answer = await ask(rig.link)
    assert answer.outcome is Outcome.NOT_SENT
    assert answer.detail.startswith("not sent: ")
    assert named in answer.detail
    assert rig.connection.sent == []


# ---------------------------------------------------------------------------- by hand


async def test_a_write_tells_when_it_is_on_the_wire() -> None:
    rig, heard = Rig(), list[str]()
    await rig.link.change_configuration("CP1", "K", "1", on_sent=lambda: heard.append("sent"))
    assert heard == ["sent"]


async def test_any_request_is_sent_as_it_is() -> None:
    rig = Rig(Result({"status": "Rejected", "more": 1}))
    exchange = await rig.link.call("CP1", "ClearCache", {"odd": 1})
    assert rig.connection.sent == [Sent("ClearCache", {"odd": 1}, 5)]
    assert rig.connection.message_ids == ["m1"]
    assert exchange == Exchange("m1", NOW, NOW, Outcome.REJECTED, {"status": "Rejected", "more": 1})


@pytest.mark.parametrize(
    ("reply", "exchange"),
    [
        (
            CallError("NotSupported", "no"),
            Exchange("m1", NOW, NOW, Outcome.UNSUPPORTED, None, "NotSupported", "no"),
        ),
        (TimedOut(), Exchange("m1", NOW, NOW, Outcome.TIMEOUT)),
        (Disconnected(sent=False), Exchange("m1", NOW, NOW, Outcome.NOT_SENT)),
    ],
)
async def test_every_end_of_a_request_by_hand(reply: Reply, exchange: Exchange) -> None:
    assert await Rig(reply).link.call("CP1", "ClearCache", {}) == exchange


async def test_a_request_by_hand_to_nobody() -> None:
    exchange = await Rig().link.call("CP2", "ClearCache", {})
    assert exchange == Exchange("", NOW, NOW, Outcome.NOT_SENT)


async def test_a_late_answer_to_a_request_by_hand() -> None:
    rig = Rig(TimedOut())
    heard: list[Exchange] = []
    await rig.link.call("CP1", "ClearCache", {}, on_late=heard.append)
    await rig.link.call("CP1", "ClearCache", {})
    for on_late in rig.connection.on_late:
        assert on_late is not None
        on_late(Result({"status": "Accepted"}))
    assert heard == [Exchange("m1", NOW, NOW, Outcome.ACCEPTED, {"status": "Accepted"})]


def test_requests_by_hand_are_examined() -> None:
    link = Rig().link
    assert link.examine("Reset", {"type": "Soft"}, force=False) is None
    out = {"connectorId": 1, "type": "Inoperative"}
    said = link.examine("ChangeAvailability", out, force=False)
    assert said == Availability(1, operative=False)
    assert link.examine("ClearChargingProfile", {}, force=False) == Reach(
        clears=True, clears_all=True
    )
    with pytest.raises(UnknownActionError, match="'BootNotification' is no request"):
        link.examine("BootNotification", {}, force=True)
    with pytest.raises(PayloadRefusedError) as caught:
        link.examine("Reset", {"type": "Warm"}, force=False)
    assert [(field, value) for field, _, value in caught.value.faults] == [("type", "Warm")]
    assert link.examine("Reset", {"type": "Warm"}, force=True) is None
    with pytest.raises(PayloadRefusedError, match="Out of range"):
        link.examine("Reset", {"type": float("inf")}, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_places_that_the_settings_do_not_list_are_refused_with_force_too(force: bool) -> None:
    link = OcppLink(lambda _: None, FakeLateAnswers(), FakeClock(), {"files.example"})
    there = {"location": "https://files.example/x"}
    assert link.examine("GetDiagnostics", there, force=force) is None
    elsewhere = "https://other.example/x"
    with pytest.raises(PayloadRefusedError) as caught:
        link.examine("GetDiagnostics", {"location": elsewhere}, force=force)
    assert list(caught.value.faults) == [
        (
            "location",
            "is at other.example, which is not among the file_hosts of the settings",
            elsewhere,
        )
    ]
