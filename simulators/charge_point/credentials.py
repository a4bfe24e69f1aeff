"""What a charge point shows to be let in (OCPP 1.6 security white paper, profiles 1 to 3)."""

from __future__ import annotations

import base64
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

SHORTEST_HEX = 32
_KEY = re.compile("(?:[0-9A-Fa-f]{2}){8,20}")


def key_bytes(text: str | None) -> bytes | None:
    """The bytes of a key as somebody typed it: 32 or more hexadecimal digits are hexadecimal."""
    if text is None:
        return None
    long = len(text) >= SHORTEST_HEX and re.fullmatch("(?:[0-9A-Fa-f]{2})+", text) is not None
    return bytes.fromhex(text) if long else text.encode()


@dataclass(slots=True)
class Credentials:
    """A key for HTTP Basic, files for TLS, and whatever else a client may say of itself.

    `key` None shows none; `user` None is the charger's id. `ca_file` None believes any server.
    `origin` is what no charger sends: browsers do. `changed` is set once csms has told another key
    and the link was not dialled anew with it.
    """

    key: bytes | None = None
    user: str | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    origin: str | None = None
    changed: bool = False

    def headers(self, charger_id: str) -> dict[str, str]:
        """The headers of the handshake. A key is sent as its bytes, not in hexadecimal."""
        self.changed = False
        if self.key is None:
            return {}
        user = charger_id if self.user is None else self.user
        token = base64.b64encode(user.encode() + b":" + self.key).decode()
        return {"Authorization": f"Basic {token}"}

    def tls(self, url: str) -> ssl.SSLContext | None:
        """What TLS is done with; None for an address without it. Raises OSError for bad files."""
        if not url.startswith("wss:"):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_file is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_verify_locations(self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def take_key(self, value: str) -> bool:
        """ChangeConfiguration of AuthorizationKey: 16 to 40 hexadecimal digits. Whether it did."""
        if _KEY.fullmatch(value) is None:
            return False
        self.key = bytes.fromhex(value)
        self.changed = True
        return True
