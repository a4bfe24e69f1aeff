from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.protocol.auth import (
    Refusal,
    Visitor,
    admit,
    choose,
    identity_of,
    offers_of,
    other_names_of,
)

IDENTITIES = [
    ("/CP1", "CP1"),
    ("/ocpp/CP1", "CP1"),
    ("//CP1", "CP1"),
    ("/ocpp/CP1/", "CP1"),
    ("/ocpp/CP1?token=x/y", "CP1"),
    ("CP1", "CP1"),
    ("ws://10.0.0.1:9000/ocpp/CP1", "CP1"),
    ("/ws://192.168.1.2:9000/CP_1/SERIAL_1234", "SERIAL_1234"),
    ("/RDAM%20123", "RDAM 123"),
    ("/CP%2D1", "CP-1"),
    ("/a.b:c_d-e", "a.b:c_d-e"),
    ("/a*b|c=d+e@f", "a*b|c=d+e@f"),
    ("/" + "x" * 48, "x" * 48),
]
NO_IDENTITIES = [
    "",
    "/",
    "/?CP1",
    "///",
    "ws://10.0.0.1:9000",
    "ws://10.0.0.1:9000/",
    "/ocpp/..",
    "/.",
    "/%2e%2e",
    "/..%2fadmin",
    "/CP%",
    "/CP%2",
    "/CP%zz",
    "/CP%00",
    "/CP%0a",
    "/CP1%0A",
    "/%2520",
    "/CP%231",
    "/CP#1",
    "/%20CP",
    "/CP%20",
    "/a%20%20b",
    "/C\u0420",
    "/C%D0%A0",
    "/%ff",
    "/<script>",
    "/'or'1",
    "/CP;1",
    "/" + "x" * 49,
]


@pytest.mark.parametrize(("target", "identity"), IDENTITIES)
def test_the_last_segment_is_the_identity(target: str, identity: str) -> None:
    assert identity_of(target) == identity


@pytest.mark.parametrize("target", NO_IDENTITIES)
def test_what_could_not_be_a_charger_is_none(target: str) -> None:
    assert identity_of(target) is None


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("/ocpp/CP1", ["ocpp"]),
        ("/CP1", []),
        ("/ocpp/CP1?sn=S%201&x", ["S 1", "x", "ocpp"]),
        ("/ws://192.168.1.2:9000/CP_1/SERIAL_1234", ["CP_1"]),
        ("/a%zz/<b>/c?=", []),
        ("/" + "a/" * 20, ["a"] * 8),
    ],
)
def test_the_id_may_stand_elsewhere(target: str, names: list[str]) -> None:
    assert other_names_of(target) == names


@given(st.text())
def test_an_identity_is_always_short_plain_text(target: str) -> None:
    identity = identity_of(target)
    assert identity is None or (
        0 < len(identity) <= 48
        and identity.isascii()
        and identity.isprintable()
        and not set(identity) & set("/\\\"'<>%#&;?")
    )


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        (["ocpp1.6"], "ocpp1.6"),
        (["ocpp0.1,ocpp1.6"], "ocpp1.6"),
        (["ocpp2.0.1", "ocpp1.6"], "ocpp1.6"),
        ([' "OCPP1.6" ,ocpp1.5'], "OCPP1.6"),
        (["OCPP1.6, ocpp1.6"], "ocpp1.6"),
        (["ocpp2.0.1"], None),
        (["ocpp1.6j"], "ocpp1.6j"),
        (["OCPP1.6-J, ocpp1.6"], "ocpp1.6"),
        (["ocpp2.0.1", "ocpp-1.6"], "ocpp-1.6"),
        (["ocpp1.60", "ocpp1.5", "xocpp1.6"], None),
        ([",, "], None),
        ([], None),
    ],
)
def test_ocpp_1_6_is_chosen_however_it_is_offered(headers: list[str], chosen: str | None) -> None:
    assert choose(offers_of(headers)) == chosen


class Gate:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def known_as(self, names: Sequence[str]) -> str | None:
        return "CP1" if {"CP1", "cp1"} & set(names) else None

    async def admit(self, charger_id: str, address: str) -> bool:
        self.asked.append((charger_id, address))
        return charger_id == "CP1"

    def registered(self, charger_id: str) -> bool:
        return charger_id == "CP1"


async def test_a_known_charger_comes_in() -> None:
    gate = Gate()
    assert await admit(
        gate, "/ocpp/CP1", origins=[], protocols=["ocpp1.6"], address="10.0.0.1"
    ) == Visitor("CP1", "ocpp1.6", offered=True)
    assert gate.asked == [("CP1", "10.0.0.1")]


@pytest.mark.parametrize("target", ["/ocpp/cp1", "/CP1/SERIAL", "/ws/socket?sn=CP1", "/?CP1"])
async def test_a_known_charger_is_known_by_another_name(target: str) -> None:
    verdict = await admit(Gate(), target, origins=[], protocols=["ocpp1.6"], address="")
    assert verdict == Visitor("CP1", "ocpp1.6", offered=True)


async def test_whether_anything_was_offered_is_told_apart() -> None:
    gate = Gate()
    nothing = await admit(gate, "/CP1", origins=[], protocols=[], address="")
    foreign = await admit(gate, "/CP1", origins=[], protocols=["ocpp2.0.1"], address="")
    assert nothing == Visitor("CP1", None, offered=False)
    assert foreign == Visitor("CP1", None, offered=True)


async def test_unknown_and_impossible_chargers_get_the_same_answer() -> None:
    gate = Gate()
    unknown = await admit(gate, "/CP2", origins=[], protocols=[], address="")
    impossible = await admit(gate, "/..", origins=[], protocols=[], address="")
    assert unknown == impossible == Refusal(HTTPStatus.NOT_FOUND, "No such charger.\n")
    assert gate.asked == [("CP2", "")]


async def test_a_browser_is_refused_before_anything_else() -> None:
    gate = Gate()
    verdict = await admit(gate, "/CP1", origins=["https://x"], protocols=["ocpp1.6"], address="")
    assert verdict == Refusal(HTTPStatus.FORBIDDEN, "Not for browsers.\n")
    assert gate.asked == []
