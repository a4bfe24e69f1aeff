from __future__ import annotations

import pytest

from csms.protocol.ocpp16.locations import is_host, unlisted, unsafe

HOSTS = ["files.example", "*.below.example", "10.0.0.5", "2001:db8::1"]


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


@pytest.mark.parametrize(
    "location",
    [
        "https://files.example/a?b=https://evil.example",
        "HTTP://FILES.Example.:8080",
        "https://a.below.example",
        "https://a.b.below.example/x",
        "ftp://me:secret@10.0.0.5/",
        "https://[2001:DB8:0::1]/x",
    ],
)
def test_a_listed_host_may_be_named_in_any_way_it_is_written(location: str) -> None:
    assert unlisted(location, HOSTS) == ""


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://evil.example/files.example", "evil.example"),
        ("https://files.example.evil.example", "files.example.evil.example"),
        ("https://xfiles.example", "xfiles.example"),
        ("https://a.files.example", "a.files.example"),
        ("https://below.example", "below.example"),
        ("https://xbelow.example", "xbelow.example"),
        ("ftp://files.example:x@10.0.0.6/", "10.0.0.6"),
        ("https://[2001:db8::2]/", "2001:db8::2"),
    ],
)
def test_any_other_host_is_refused_by_name(location: str, host: str) -> None:
    assert unlisted(location, HOSTS) == (
        f"is at {host}, which is not among the file_hosts of the settings"
    )


@pytest.mark.parametrize("location", ["", "file:///x", "http://files.example@evil/", "http://::1/"])
def test_what_is_not_safe_is_not_listed_either(location: str) -> None:
    assert unlisted(location, [*HOSTS, "evil", "localhost", "::1"]) == unsafe(location) != ""


@pytest.mark.parametrize("text", [*HOSTS, "nas", "a-b.example", "1and1.example"])
def test_a_list_has_names_and_addresses(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "a.*.b",
        "*.10.0.0.1",
        "Files.example",
        "files.example.",
        "https://a",
        "a/b",
        "a:80",
        "[::1]",
        "127.1",
        "2130706433",
        "a b",
        "*.*.a",
    ],
)
def test_a_list_has_nothing_else(text: str) -> None:
    assert not is_host(text)
