"""Who can reach an address that is listened on."""

from __future__ import annotations

import ipaddress
import socket
from enum import IntEnum


class Exposure(IntEnum):
    """From how far away an address can be reached."""

    LOOPBACK = 0
    PRIVATE = 1
    PUBLIC = 2


def exposure(host: str) -> Exposure:
    """How far the address of this name reaches; the worst one counts when it has several.

    Every address at once (0.0.0.0, ::) is public: nobody can say which ones there are. Raises
    OSError when it is no address of this machine.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return max(_exposure(str(address[0])) for *_, address in found)


def _exposure(address: str) -> Exposure:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return Exposure.LOOPBACK
    if parsed.is_unspecified or not (parsed.is_private or parsed.is_link_local):
        return Exposure.PUBLIC
    return Exposure.PRIVATE
