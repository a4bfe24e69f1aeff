"""Who may open a WebSocket, and as which charger.

OCPP security profile 0 only: the identity is the one in the URL (OCPP-J 1.6 §3.1.1), and the gate
knows which identities there are. Everything here happens before the connection is upgraded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from csms.ports import Gate
from csms.station.document import is_identity

SUBPROTOCOL = "ocpp1.6"

_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
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


NO_SUCH_CHARGER = Refusal(HTTPStatus.NOT_FOUND, "No such charger.\n")
NO_BROWSERS = Refusal(HTTPStatus.FORBIDDEN, "Not for browsers.\n")


def identity_of(target: str) -> str | None:
    """The charger a request target names, None when it names none that could exist.

    The last non-empty segment of the path, percent-decoded exactly once. Chargers glue all sorts
    of things before it: doubled slashes, other URLs; or behind it: slashes, a query.
    """
    path = _AUTHORITY.sub("", target.split("?", 1)[0], count=1)
    segment = next((s for s in reversed(path.split("/")) if s), "")
    if _BROKEN_ESCAPE.search(segment):
        return None
    name = unquote_to_bytes(segment).decode("ascii", "replace")
    return name if is_identity(name) else None


def offers_of(headers: Iterable[str]) -> list[str]:
    """Every subprotocol offered, in order, whatever was put around it."""
    tokens = (t.strip(" \t\"'") for header in headers for t in header.split(","))
    return [t for t in tokens if t]


def choose(offers: Sequence[str]) -> str | None:
    """The offer that means OCPP 1.6, as it was written: a client compares it with its own."""
    if SUBPROTOCOL in offers:
        return SUBPROTOCOL
    return next((o for o in offers if o.casefold() == SUBPROTOCOL), None)


async def admit(
    gate: Gate, target: str, *, origins: Sequence[str], protocols: Iterable[str], address: str
) -> Visitor | Refusal:
    """Decide on a handshake from its target and its Origin and Sec-WebSocket-Protocol headers.

    A charger sends no Origin; whoever does is a browser, led here by somebody's web page.
    """
    if origins:
        return NO_BROWSERS
    charger_id = identity_of(target)
    if charger_id is None or not await gate.admit(charger_id, address):
        return NO_SUCH_CHARGER
    offers = offers_of(protocols)
    return Visitor(charger_id, choose(offers), bool(offers))
