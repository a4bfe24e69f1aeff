"""Keys of chargers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.keys import as_told, forms_of, keyed_hash, new_key, parse_key

SECRET = b"s" * 32


def test_a_new_key_has_twenty_printable_bytes_and_is_never_the_same() -> None:
    key = new_key()
    assert len(parse_key(key)) == 20
    assert key.isalnum()
    assert key.isascii()
    assert new_key() != key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("0123456789abcdef", b"0123456789abcdef"),
        ("00112233445566778899aabbccddeeff", bytes.fromhex("00112233445566778899aabbccddeeff")),
        ("AA" * 20, b"\xaa" * 20),
        ("A" * 33, b"A" * 33),
        ("a key, with spaces", b"a key, with spaces"),
        ("schlüssel", "schlüssel".encode()),
    ],
)
def test_keys_are_text_or_hexadecimal(text: str, key: bytes) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "short", "x" * 65, "ab" * 65, "line\nbreak", "nul\0nul\0"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a key"):
        parse_key(text)


def test_a_charger_is_told_a_key_in_hexadecimal() -> None:
    assert as_told(b"0123456789abcdef\xff") == "30313233343536373839616263646566FF"
    with pytest.raises(ValueError, match="at most 20 bytes"):
        as_told(b"x" * 21)


@given(st.binary(min_size=8, max_size=64))
def test_a_key_is_recognised_in_every_form_it_may_be_sent_in(key: bytes) -> None:
    assert key in forms_of(key)
    assert key in forms_of(key.hex().encode())
    assert key in forms_of(key.hex().upper().encode())


@given(st.binary(max_size=300))
def test_there_are_always_two_forms(password: bytes) -> None:
    assert len(forms_of(password)) == 2


def test_a_hash_is_of_one_charger_and_one_secret() -> None:
    mine = keyed_hash(SECRET, "CP1", b"key")
    assert mine == keyed_hash(SECRET, "CP1", b"key")
    assert len(mine) == 64
    others = {
        keyed_hash(SECRET, "CP2", b"key"),
        keyed_hash(SECRET, "CP1", b"Key"),
        keyed_hash(b"t" * 32, "CP1", b"key"),
    }
    assert mine not in others
    assert len(others) == 3
