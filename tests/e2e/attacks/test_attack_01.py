"""A1: no authentication on the charger port. Nobody comes in with less than he must show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csms.errors import ConfigError
from csms.make_ca import make_ca
from csms.protocol.certificates import CertificateAuthority, Pair, Subject, ec_key
from tests.e2e.secured import (
    ALERT,
    KEY,
    OTHER_KEY,
    UNPROVEN,
    Secured,
    basic,
    certificate_of,
    client_tls,
    config,
    secured,
)
from tests.unit.csms.protocol.authorities import DAY_S, HOSTS, wall_clock, write

WRONG: dict[str, dict[str, str] | None] = {
    "no header": None,
    "a wrong key": basic("CP001", "0123456789abcdefghiX"),
    "the right key of another charger": basic("CP001", OTHER_KEY),
    "another charger and its right key": basic("CP002", OTHER_KEY),
    "another user with the right key": basic("CP002", KEY),
    "no user": basic("", KEY),
    "an empty password": basic("CP001", ""),
    "a key with a NUL": basic("CP001", KEY + "\0"),
    "a NUL alone": basic("CP001", "\0"),
    "UTF-8": basic("CP001", "ключ" * 5),
    "not UTF-8": basic("CP001", b"\xff\xfe\x80" * 6),
    "a long key": basic("CP001", KEY * 30),
    "a very long key": basic("CP001", KEY * 300),
    "the hash of the key": basic("CP001", "a" * 64),
    "half of the key": basic("CP001", KEY[:10]),
    "the key in another case": basic("CP001", KEY.upper()),
    "no base64": {"Authorization": f"Basic CP001:{KEY}"},
    "another scheme": {"Authorization": basic("CP001", KEY)["Authorization"].replace("B", "D", 1)},
    "nothing after the scheme": {"Authorization": "Basic"},
    "an empty header": {"Authorization": ""},
}


async def nothing_happened(csms: Secured, events: int = 1) -> None:
    """No handler ran for CP001, and so many refusals were kept."""
    assert await csms.frames("CP001") == []
    status = (await csms.api.get("/station/status")).json()
    assert status["chargers"][0]["condition"] == "NEVER_SEEN"
    assert len(await csms.events()) == events


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
async def test_wrong_credentials_are_refused_before_the_upgrade(
    tmp_path: Path, *, secure: bool
) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        await csms.secure("CP002", 1, key=OTHER_KEY)
        tls = client_tls() if secure else None
        for number, (name, headers) in enumerate(WRONG.items(), start=1):
            assert await csms.outcome("CP001", headers, tls) == UNPROVEN, name
            await nothing_happened(csms, number)
        events = await csms.events()
        assert {(e["kind"], e["chargerId"], e["address"]) for e in events} == {
            ("authentication_failed", "CP001", "127.0.0.1")
        }
        assert await csms.outcome("CP001", basic("CP001", KEY), tls) == (101, b"")


async def test_two_headers_are_none(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        right = list(basic("CP001", KEY).items())
        wrong = list(basic("CP001", OTHER_KEY).items())
        for headers in (right + wrong, wrong + right, right + right):
            assert await csms.outcome("CP001", headers) == UNPROVEN
        await nothing_happened(csms, 3)


@pytest.mark.parametrize(
    "password",
    [KEY, KEY.encode().hex(), KEY.encode().hex().upper()],
    ids=["raw", "hex", "HEX"],
)
async def test_the_right_key_comes_in_in_every_form(tmp_path: Path, password: str) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        assert await csms.outcome("CP001", basic("CP001", password)) == (101, b"")
        assert await csms.outcome("CP001", basic("cp001", password)) == (101, b"")


async def test_a_binary_key_comes_in(tmp_path: Path) -> None:
    binary = bytes(range(236, 256))
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=binary.hex())
        assert await csms.outcome("CP001", basic("CP001", binary)) == (101, b"")
        assert await csms.outcome("CP001", basic("CP001", binary.hex())) == (101, b"")


WAYS: list[tuple[str, bool, bool, bool]] = [
    # what it proves, over TLS, with a key, with a certificate
    ("0", False, False, False),
    ("0", True, False, False),
    ("1", False, True, False),
    ("2", True, True, False),
    ("3", True, False, True),
]


@pytest.mark.parametrize("least", [1, 2, 3])
async def test_no_way_below_the_profile_a_charger_must_have(tmp_path: Path, least: int) -> None:
    for proves, over_tls, keyed, certified in WAYS:
        folder = tmp_path / f"{proves}{over_tls}"
        folder.mkdir()
        async with secured(folder) as csms:
            await csms.secure("CP001", least, key=KEY)
            pair = certificate_of("CP001") if certified else None
            tls = client_tls(pair) if over_tls else None
            headers = basic("CP001", KEY) if keyed else None
            found = await csms.outcome("CP001", headers, tls)
            assert found == ((101, b"") if int(proves) >= least else UNPROVEN), proves
            if found == UNPROVEN:
                await nothing_happened(csms)


async def test_a_profile_once_proven_is_never_left_for_a_lower_one(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        key = basic("CP001", KEY)
        assert await csms.outcome("CP001", key) == (101, b"")
        assert await csms.outcome("CP001", key, client_tls()) == (101, b"")
        assert await csms.outcome("CP001", key) == UNPROVEN
        mine = client_tls(certificate_of("CP001"))
        assert await csms.outcome("CP001", None, mine) == (101, b"")
        assert await csms.outcome("CP001", key, client_tls()) == UNPROVEN
        assert (await csms.known("CP001"))["profile"] == 3
        kinds = sorted(event["kind"] for event in await csms.events())
        assert kinds == ["authentication_failed"] * 2 + ["profile_raised"] * 2
    async with secured(tmp_path) as csms:  # and it is known after a restart
        assert await csms.outcome("CP001", key, client_tls()) == UNPROVEN
        await csms.secure("CP001", 1)  # unless an operator says otherwise
        assert await csms.outcome("CP001", key) == (101, b"")


def wrong_certificates(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Certificates that TLS itself must refuse, for the charger CP001."""
    made = certificate_of("CP001")[0].parent
    ours = CertificateAuthority.load((made / "ca.pem").read_bytes(), (made / "ca.key").read_bytes())
    now, me = wall_clock(), Subject("CP001", "TEST", 30)
    make_ca(folder, HOSTS, ["CP001"], "TEST", now)
    self_signed = CertificateAuthority.new(me, now).pair
    server = Pair(ours.issue_server(ec_key(), me, HOSTS, now).certificate, ec_key())
    usage = ours.issue_server(server.key, me, HOSTS, now)
    return {
        "foreign": (folder / "charger_CP001.pem", folder / "charger_CP001.key"),
        "self-signed": write(folder, "self", self_signed),
        "expired": write(folder, "expired", ours.issue_charger(ec_key(), me, now - 40 * DAY_S)),
        "not yet valid": write(folder, "early", ours.issue_charger(ec_key(), me, now + 40 * DAY_S)),
        "of a server": write(folder, "server", usage),
    }


@pytest.mark.parametrize("least", [2, 3])
async def test_certificates_that_do_not_hold_end_in_a_tls_alert(tmp_path: Path, least: int) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", least, key=KEY)
        wrong = wrong_certificates(tmp_path)
        for number, (name, pair) in enumerate(wrong.items(), start=1):
            found = await csms.outcome("CP001", basic("CP001", KEY), client_tls(pair))
            assert found == ALERT, name
            await nothing_happened(csms, number)
        events = await csms.events()
        assert {event["kind"] for event in events} == {"tls_failed"}
        assert all("does not hold" in event["text"] for event in events)


async def test_a_certificate_of_another_charger_is_refused_even_with_the_right_key(
    tmp_path: Path,
) -> None:
    async with secured(tmp_path, tls_client_organisation="TEST") as csms:
        await csms.secure("CP001", 1, key=KEY)
        theirs = client_tls(certificate_of("CP002"))
        assert await csms.outcome("CP001", basic("CP001", KEY), theirs) == UNPROVEN
        assert await csms.outcome("CP001", None, theirs) == UNPROVEN
        await nothing_happened(csms, 2)
        assert await csms.outcome("CP002", None, theirs) == (101, b"")


async def test_a_certificate_of_another_organisation_is_refused(tmp_path: Path) -> None:
    async with secured(tmp_path, tls_client_organisation="EVIL") as csms:
        mine = client_tls(certificate_of("CP001"))
        assert await csms.outcome("CP001", None, mine) == UNPROVEN
        await nothing_happened(csms)


async def test_a_certificate_may_carry_a_serial_number_instead(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 3, commonName="CP002")
        assert await csms.outcome("CP001", None, client_tls(certificate_of("CP001"))) == UNPROVEN
        second = client_tls(certificate_of("CP002"))
        assert await csms.outcome("CP001", None, second) == (101, b"")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
async def test_anonymous_chargers_are_not_combined_with_a_public_bind(
    tmp_path: Path, host: str
) -> None:
    public: dict[str, Any] = {"ocpp_host": host, "anonymous_chargers": "accept"}
    with pytest.raises(ConfigError, match="anonymous_chargers"):
        async with secured(tmp_path, **public):
            pass
    assert config(tmp_path, ocpp_host=host).anonymous_chargers == "refuse"


async def test_on_a_public_bind_the_default_lets_nobody_in_without_proof(tmp_path: Path) -> None:
    public: dict[str, Any] = {"ocpp_host": "0.0.0.0", "anonymous_chargers": "loopback"}  # noqa: S104
    async with secured(tmp_path, **public) as csms:
        assert await csms.outcome("CP001") == UNPROVEN
    (tmp_path / "2").mkdir()
    async with secured(tmp_path / "2", anonymous_chargers="loopback") as csms:
        assert await csms.outcome("CP001") == (101, b"")
        await csms.secure("CP001", 1, key=KEY)
        assert await csms.outcome("CP001") == UNPROVEN
