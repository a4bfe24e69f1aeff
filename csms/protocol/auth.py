"""Who may open a WebSocket, and as which charger.

The identity is the one in the URL (OCPP-J 1.6 §3.1.1); what proves it (OCPP 1.6 security white
paper, profiles 1 to 3) is read here and judged by the doorkeeper. Everything happens before the
connection is upgraded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from urllib.parse import unquote_to_bytes

from csms.ports import Admission, Approach, CertificateNames, Doorkeeper
from csms.station.document import is_identity

SUBPROTOCOL = "ocpp1.6"
NAMES_READ = 8
"""Other parts of a request target that are looked at for a charger's id."""

_ALSO_MEANS_IT = frozenset({"ocpp16", "ocpp16j"})
_NOT_ALPHANUMERIC = re.compile("[^0-9a-z]")
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
LONGEST_CREDENTIALS = 1024

_AUTHORITY = re.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/]*")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may come in.

    `subprotocol` is the offered token that means OCPP 1.6, None when none does; `offered` is
    whether any subprotocol was offered at all.
    """

    charger_id: str
    subprotocol: str | None
    offered: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer instead of an upgrade."""

    status: HTTPStatus
    text: str


UNPROVEN = Refusal(HTTPStatus.UNAUTHORIZED, "Not authenticated.\n")
"""One answer for an unknown charger and for a wrong key: it does not show which ids there are."""

TOO_MANY = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts.\n")
NO_BROWSERS = Refusal(HTTPStatus.FORBIDDEN, "Not for browsers.\n")


def identity_of(target: str) -> str | None:
    """The charger a request target names, None when it names none that could exist.

    The last non-empty segment of the path, percent-decoded exactly once. Chargers glue all sorts
    of things before it: doubled slashes, other URLs; or behind it: slashes, a query.
    """
    return _name(next((s for s in reversed(_segments(target)) if s), ""))


def other_names_of(target: str) -> list[str]:
    """What else in a request target may be the charger's id, best first.

    Some chargers write it into the query, others put their serial number behind it.
    """
    values = [part.rpartition("=")[2] for part in target.partition("?")[2].split("&")]
    before = [s for s in reversed(_segments(target)) if s][1:]
    names = (_name(part) for part in values + before)
    return list(islice((name for name in names if name is not None), NAMES_READ))


def _segments(target: str) -> list[str]:
    return _AUTHORITY.sub("", target.split("?", 1)[0], count=1).split("/")


def _name(part: str) -> str | None:
    if _BROKEN_ESCAPE.search(part):
        return None
    name = unquote_to_bytes(part).decode("ascii", "replace")
    return name if is_identity(name) else None


def offers_of(headers: Iterable[str]) -> list[str]:
    """Every subprotocol offered, in order, whatever was put around it."""
    tokens = (t.strip(" \t\"'") for header in headers for t in header.split(","))
    return [t for t in tokens if t]


def choose(offers: Sequence[str]) -> str | None:
    """The offer that means OCPP 1.6, as it was written: a client compares it with its own."""
    if SUBPROTOCOL in offers:
        return SUBPROTOCOL
    return next(
        (o for o in offers if _NOT_ALPHANUMERIC.sub("", o.casefold()) in _ALSO_MEANS_IT), None
    )


def password_of(headers: Sequence[str], charger_id: str) -> bytes | None:
    """The password of an HTTP Basic header (RFC 7617) whose user is this charger; else None.

    The user is compared without regard to case, as some chargers write it otherwise than the URL;
    an identity may hold a colon, so the header is not split at the first one. The password is any
    bytes: white paper A00.FR.206 does not make it text.
    """
    if len(headers) != 1 or len(headers[0]) > LONGEST_CREDENTIALS:
        return None
    scheme, _, encoded = headers[0].strip().partition(" ")
    if scheme.casefold() != "basic":
        return None
    encoded = encoded.strip()
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    user = charger_id.encode().lower() + b":"
    return decoded[len(user) :] if decoded.lower().startswith(user) else None


async def admit(
    door: Doorkeeper,
    target: str,
    *,
    origins: Sequence[str],
    protocols: Iterable[str],
    address: str,
    authorizations: Sequence[str] = (),
    secure: bool = False,
    certificate: CertificateNames | None = None,
) -> Visitor | Refusal:
    """Decide on a handshake from its target, its headers and the connection it came by.

    A charger sends no Origin; whoever does is a browser, led here by somebody's web page. A header
    that names another user than the target is a wrong password.
    """
    if origins:
        door.turned_away("browser_refused", address, "an Origin header")
        return NO_BROWSERS
    charger_id = identity_of(target)
    names = [] if charger_id is None else [charger_id]
    charger_id = door.known_as(names + other_names_of(target)) or charger_id
    password = password_of(authorizations, charger_id or "")
    if password is None and authorizations:
        password = b""
    approach = Approach(charger_id, address, secure, password, certificate)
    admission = await door.judge(approach)
    if admission is Admission.TOO_MANY:
        return TOO_MANY
    if charger_id is None or admission is not Admission.ADMITTED:
        return UNPROVEN
    offers = offers_of(protocols)
    return Visitor(charger_id, choose(offers), bool(offers))
