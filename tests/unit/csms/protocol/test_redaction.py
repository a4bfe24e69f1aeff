"""Secrets taken out of what is kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.protocol.redaction import is_secret_name, redacted, without_keys

KEY = "4F43415F4F4354545F61646D"


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (
            f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{KEY}"}}]',
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]',
        ),
        (
            f'[2, "1", "ChangeConfiguration", {{"value": "{KEY}", "key": "authorizationkey"}}]',
            '[2,"1","ChangeConfiguration",{"value":"***","key":"authorizationkey"}]',
        ),
        (
            f'[2,"1","X",{{"key":"\\u0041uthorizationKey","value":"{KEY}"}}]',
            '[2,"1","X",{"key":"AuthorizationKey","value":"***"}]',
        ),
        (
            '[3,"1",{"configurationKey":[{"key":"WifiPassword","value":"w"},{"key":"A"}]}]',
            '[3,"1",{"configurationKey":[{"key":"WifiPassword","value":"***"},{"key":"A"}]}]',
        ),
        (
            '[2,"1","GetDiagnostics",{"location":"ftp://me:pass@host/dir"}]',
            '[2,"1","GetDiagnostics",{"location":"ftp://me:***@host/dir"}]',
        ),
        ('[2,"1","X",{"password":["a",{"b":1}]}]', '[2,"1","X",{"password":"***"}]'),
        (
            f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{KEY}"',
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey***',
        ),
    ],
)
def test_secrets_are_hidden(frame: str, shown: str) -> None:
    assert redacted(frame) == shown
    assert KEY not in redacted(frame)


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","Heartbeat",{}]',
        '[2,"1","Authorize",{"idTag":"CARD"}]',
        '[2, "1","ChangeConfiguration", {"key":"AuthorizationCacheEnabled","value":"true"}]',
        '[3,"1",{"unknownKey":["AuthorizationKey"]}]',
        '[3, "1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false}]}]',
        '[2,"1","GetDiagnostics",{"location":"https://host:8080/a@b"}]',
        '[2, "1","X",{"vendor":"caf\\u00e9"}]',
        "not JSON",
        "",
    ],
)
def test_nothing_else_is_touched(frame: str) -> None:
    assert redacted(frame) == frame


def test_what_cannot_be_read_is_cut_where_a_secret_may_begin() -> None:
    assert redacted('{"password":"x') == '{"password***'
    assert redacted("[" * 100_000 + "secret: x") == "[" * 100_000 + "secret***"


@given(st.text(min_size=12), st.sampled_from(["AuthorizationKey", "AUTHORIZATIONKEY", "Password"]))
def test_no_key_gets_through_however_it_is_written(key: str, name: str) -> None:
    for ascii_only in (True, False):
        frame = json.dumps(
            [2, "1", "ChangeConfiguration", {"key": name, "value": key}], ensure_ascii=ascii_only
        )
        entry = json.loads(redacted(frame))[3]
        assert entry == {"key": name, "value": "***"}


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    assert isinstance(redacted(text), str)


def test_prose_is_left_alone_unless_it_names_a_key() -> None:
    assert without_keys("the secret file is missing") == "the secret file is missing"
    assert without_keys("sent AuthorizationKey=41") == "sent AuthorizationKey***"
    assert without_keys(7) == 7


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("Authorization", True),
        ("AuthorizationKey", True),
        ("BasicAuthPassword", True),
        ("AuthorizationCacheEnabled", False),
        ("key_id", False),
    ],
)
def test_names_of_secrets(name: str, *, secret: bool) -> None:
    assert is_secret_name(name) is secret
