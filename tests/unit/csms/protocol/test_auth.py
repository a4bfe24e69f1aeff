from __future__ import annotations

import base64
from collections.abc import Sequence
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ports import Admission, Approach, CertificateNames
from csms.protocol.auth import (
    Refusal,
    Visitor,
    admit,
    choose,
    identity_of,
    offers_of,
    other_names_of,
    password_of,
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


def basic(user: bytes, password: bytes) -> str:
    return "Basic " + base64.b64encode(user + b":" + password).decode()


@pytest.mark.parametrize(
    ("headers", "password"),
    [
        ([basic(b"CP1", b"secret")], b"secret"),
        ([basic(b"cp1", b"secret")], b"secret"),
        ([basic(b"CP1", b"a:b:")], b"a:b:"),
        ([basic(b"CP1", b"\x00\xff\x80")], b"\x00\xff\x80"),
        ([basic(b"CP1", b"")], b""),
        ([basic(b"CP1", b"se").rstrip("=")], b"se"),
        (["  basic   " + basic(b"CP1", b"x")[6:] + " "], b"x"),
        ([basic(b"CP2", b"secret")], None),
        ([basic(b"CP11", b"secret")], None),
        ([basic(b"", b"secret")], None),
        (["Basic CP1:secret"], None),
        (["Basic Q1A\u0661"], None),
        (["Basic"], None),
        (["Bearer " + basic(b"CP1", b"secret")[6:]], None),
        ([basic(b"CP1", b"secret")] * 2, None),
        ([basic(b"CP1", b"x" * 2_000)], None),
        ([], None),
    ],
)
def test_a_password_is_read_when_its_user_is_the_charger(
    headers: list[str], password: bytes | None
) -> None:
    assert password_of(headers, "CP1") == password


def test_an_identity_with_a_colon_is_the_user_as_a_whole() -> None:
    assert password_of([basic(b"A:B", b"C:D")], "A:B") == b"C:D"


@given(st.text(), st.text(max_size=10))
def test_no_header_is_an_error(header: str, charger_id: str) -> None:
    password_of([header, header], charger_id)
    assert isinstance(password_of([header], charger_id), bytes | None)


class Door:
    """`ports.Doorkeeper` that lets CP1 in."""

    def __init__(self, admission: Admission = Admission.REFUSED) -> None:
        self.otherwise = admission
        self.asked: list[Approach] = []
        self.away: list[tuple[str, str]] = []

    def known_as(self, names: Sequence[str]) -> str | None:
        return "CP1" if {"CP1", "cp1"} & set(names) else None

    async def judge(self, approach: Approach) -> Admission:
        self.asked.append(approach)
        return Admission.ADMITTED if approach.charger_id == "CP1" else self.otherwise

    def came(self, charger_id: str, address: str) -> None:
        raise AssertionError("whether it comes in is not decided here")

    def sent_away(self, charger_id: str, address: str) -> None:
        raise AssertionError("it has not come in")

    def turned_away(self, kind: str, address: str, text: str) -> None:
        self.away.append((kind, address))


async def test_a_charger_that_is_let_in_comes_in() -> None:
    door = Door()
    assert await admit(
        door, "/ocpp/CP1", origins=[], protocols=["ocpp1.6"], address="10.0.0.1"
    ) == Visitor("CP1", "ocpp1.6", offered=True)
    assert door.asked == [Approach("CP1", "10.0.0.1")]


async def test_what_it_shows_is_judged() -> None:
    door = Door()
    names = CertificateNames("CP1", "ACME")
    await admit(
        door,
        "/CP1",
        origins=[],
        protocols=[],
        address="10.0.0.1",
        authorizations=[basic(b"CP1", b"secret")],
        secure=True,
        certificate=names,
    )
    assert door.asked == [Approach("CP1", "10.0.0.1", True, b"secret", names)]


async def test_another_user_than_the_charger_is_a_wrong_password() -> None:
    door = Door()
    wrong = [basic(b"CP2", b"secret")]
    await admit(door, "/CP1", origins=[], protocols=[], address="", authorizations=wrong)
    assert door.asked == [Approach("CP1", "", password=b"")]


@pytest.mark.parametrize("target", ["/ocpp/cp1", "/CP1/SERIAL", "/ws/socket?sn=CP1", "/?CP1"])
async def test_a_known_charger_is_known_by_another_name(target: str) -> None:
    verdict = await admit(Door(), target, origins=[], protocols=["ocpp1.6"], address="")
    assert verdict == Visitor("CP1", "ocpp1.6", offered=True)


async def test_what_it_shows_is_judged_as_that_of_the_charger_it_means() -> None:
    door = Door()
    shown = [basic(b"cp1", b"secret")]
    await admit(door, "/SN-7/cp1", origins=[], protocols=[], address="", authorizations=shown)
    other = [basic(b"SN-7", b"secret")]
    await admit(door, "/CP1/SN-7", origins=[], protocols=[], address="", authorizations=other)
    assert door.asked == [
        Approach("CP1", "", password=b"secret"),
        Approach("CP1", "", password=b""),
    ]


async def test_whether_anything_was_offered_is_told_apart() -> None:
    door = Door()
    nothing = await admit(door, "/CP1", origins=[], protocols=[], address="")
    foreign = await admit(door, "/CP1", origins=[], protocols=["ocpp2.0.1"], address="")
    assert nothing == Visitor("CP1", None, offered=False)
    assert foreign == Visitor("CP1", None, offered=True)


async def test_unknown_and_impossible_chargers_get_the_same_answer() -> None:
    door = Door()
    unknown = await admit(door, "/CP2", origins=[], protocols=[], address="")
    impossible = await admit(door, "/..", origins=[], protocols=[], address="")
    assert unknown == impossible == Refusal(HTTPStatus.UNAUTHORIZED, "Not authenticated.\n")
    assert [approach.charger_id for approach in door.asked] == ["CP2", None]


async def test_what_could_not_be_a_charger_never_comes_in() -> None:
    verdict = await admit(Door(Admission.ADMITTED), "/..", origins=[], protocols=[], address="")
    assert verdict == Refusal(HTTPStatus.UNAUTHORIZED, "Not authenticated.\n")


async def test_who_fails_too_often_is_told_to_wait() -> None:
    verdict = await admit(Door(Admission.TOO_MANY), "/CP2", origins=[], protocols=[], address="")
    assert verdict == Refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts.\n")


async def test_a_browser_is_refused_before_anything_else() -> None:
    door = Door()
    verdict = await admit(
        door, "/CP1", origins=["https://x"], protocols=["ocpp1.6"], address="10.0.0.1"
    )
    assert verdict == Refusal(HTTPStatus.FORBIDDEN, "Not for browsers.\n")
    assert (door.asked, door.away) == ([], [("browser_refused", "10.0.0.1")])
