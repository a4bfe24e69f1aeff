"""Keys of chargers: how they are written, made, and hashed.

OCPP 1.6 security white paper §3.3: a key (AuthorizationKey) is 16 to 20 bytes, told to the charger
in hexadecimal, and sent by it as the password of HTTP Basic authentication. Chargers send the bytes
themselves, or the hexadecimal text, or the text that somebody typed in on site: all are taken.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string

SHORTEST_BYTES = 8
LONGEST_BYTES = 64
MOST_TOLD_BYTES = 20
"""A key that is told to a charger has 40 hexadecimal digits at most (white paper §3.3)."""

_ALPHABET = string.ascii_letters + string.digits
_HEX = re.compile("(?:[0-9A-Fa-f]{2}){16,}")
_HEX_BYTES = re.compile(b"(?:[0-9A-Fa-f]{2})+")


def new_key() -> str:
    """A key nobody can guess (119 bits), of characters every charger takes, 20 bytes long."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(MOST_TOLD_BYTES))


def parse_key(text: str) -> bytes:
    """The bytes of a key as somebody wrote it: 32 or more hexadecimal digits are hexadecimal.

    Raises ValueError when it is too short or too long, or has control characters.
    """
    key = bytes.fromhex(text) if _HEX.fullmatch(text) else text.encode()
    if not SHORTEST_BYTES <= len(key) <= LONGEST_BYTES:
        raise ValueError(f"a key has {SHORTEST_BYTES} to {LONGEST_BYTES} bytes")
    if not text.isprintable():
        raise ValueError("a key in text has printable characters only")
    return key


def as_told(key: bytes) -> str:
    """The key as a charger is told it. Raises ValueError when it is too long for that."""
    if len(key) > MOST_TOLD_BYTES:
        raise ValueError(f"a key that is told to a charger has at most {MOST_TOLD_BYTES} bytes")
    return key.hex().upper()


def forms_of(password: bytes) -> tuple[bytes, bytes]:
    """What a password may mean: its bytes, and those it writes in hexadecimal.

    Always two, so that hashing them always takes as long.
    """
    if _HEX_BYTES.fullmatch(password):
        return password, bytes.fromhex(password.decode())
    return password, password


def keyed_hash(secret: bytes, charger_id: str, key: bytes) -> str:
    """HMAC-SHA-256 of a key with the server's secret, for this charger only.

    Fast on purpose: a key made here needs no slow hash, and a slow one would let anybody keep the
    processor busy. Equal keys of two chargers have different hashes.
    """
    message = charger_id.encode() + b"\0" + key
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
