"""What a simulated charge point shows."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest

from simulators.charge_point.configuration import ChangeStatus, Configuration
from simulators.charge_point.credentials import Credentials, key_bytes
from simulators.charge_point.hardware import CurrentType, Hardware


def shown(credentials: Credentials) -> bytes:
    scheme, _, token = credentials.headers("CP1")["Authorization"].partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(token)


def test_nothing_is_shown_without_a_key() -> None:
    assert Credentials().headers("CP1") == {}


def test_a_key_is_shown_with_the_chargers_name_or_another() -> None:
    assert shown(Credentials(b"k\xff")) == b"CP1:k\xff"
    assert shown(Credentials(b"k", user="other")) == b"other:k"


@pytest.mark.parametrize(
    ("text", "key"),
    [(None, None), ("text", b"text"), ("AB" * 16, b"\xab" * 16), ("AB" * 15, b"AB" * 15)],
)
def test_keys_are_text_or_hexadecimal(text: str | None, key: bytes | None) -> None:
    assert key_bytes(text) == key


def test_a_key_is_taken_from_a_change_of_configuration() -> None:
    credentials = Credentials(b"old")
    hardware = Hardware.uniform("CP1", 11_000, 1, CurrentType.AC)
    keys = Configuration(hardware, take_key=credentials.take_key)
    assert keys.change("AuthorizationKey", "zz") is ChangeStatus.REJECTED
    assert (credentials.key, credentials.changed) == (b"old", False)
    assert keys.change("authorizationkey", "41" * 20) is ChangeStatus.ACCEPTED
    assert (credentials.key, credentials.changed) == (b"A" * 20, True)
    assert keys.get(["AuthorizationKey"]) == ([], ["AuthorizationKey"])
    credentials.headers("CP1")
    assert credentials.changed is False


def test_without_anywhere_to_put_it_the_key_is_not_supported() -> None:
    keys = Configuration(Hardware.uniform("CP1", 11_000, 1, CurrentType.AC))
    assert keys.change("AuthorizationKey", "41" * 20) is ChangeStatus.NOT_SUPPORTED


def test_tls_is_for_addresses_that_say_so(tmp_path: Path) -> None:
    assert Credentials().tls("ws://x") is None
    trusting = Credentials().tls("wss://x")
    assert trusting is not None
    assert trusting.verify_mode is ssl.CERT_NONE
    with pytest.raises(OSError, match=r".+"):
        Credentials(ca_file=tmp_path / "none").tls("wss://x")
    with pytest.raises(OSError, match=r".+"):
        Credentials(certificate_file=tmp_path / "none").tls("wss://x")
