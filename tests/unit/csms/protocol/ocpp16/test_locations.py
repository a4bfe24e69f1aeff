from __future__ import annotations

import pytest

from csms.protocol.ocpp16.locations import unsafe


@pytest.mark.parametrize(
    "location",
    [
        "https://files.example/a/b?c=d#e",
        "HTTP://FILES.example.:8080",
        "ftp://me:secret@10.0.0.5/logs/",
        "ftps://nas",
        "sftp://192.168.1.9:22/x",
        "https://[2001:db8::1]:8443/x",
        "https://127.example/x",
        "https://localhost.example/x",
        "https://1and1.example",
    ],
)
def test_a_place_for_files_may_be_anywhere_a_charger_can_reach(location: str) -> None:
    assert unsafe(location) == ""


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://user@169.254.169.254/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0.0.0.0:80",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://localhost:8080/x",
        "http://LocalHost./x",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "file:///etc/passwd",
        "gopher://host/x",
        "javascript://host/%0aalert(1)",
        "data:text/plain,x",
        "//host/x",
        "host/x",
        "http://",
        "http:///x",
        "http://a b/",
        "http://allowed@evil/",
        "http://host:99999/",
        "http://[::1",
        "http://224.0.0.1/",
        "http://host\n",
        "http://a..b/",
        "ftp://a@b@host/",
        "http://host\n/x",
        "http://allowed@evil@host/",
        "http://evil\\@host/",
        "https://-x/",
    ],
)
def test_a_place_for_files_is_no_secret_of_the_charger(location: str) -> None:
    assert unsafe(location)
