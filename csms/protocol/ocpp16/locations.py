"""Where a charger may be sent for files, or told to send some (OCPP 1.6 §6.25, §6.55). Pure.

A charger fetches and uploads with the rights of its place in the network, and csms does neither. So
a location must not name what only the charger can reach, and must read the same for everybody.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

WITH_USER = frozenset({"ftp", "ftps", "sftp"})
"""FTP has no other place for user and password; in a web address they are there to deceive."""

SCHEMES = WITH_USER | {"http", "https"}

LARGEST_PORT = 65_535

BELOW = "*."
"""What a name in a list of hosts begins with that stands for every name below it."""

_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^/?#]*)@)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/?#@]*)(?::(?P<port>[0-9]{1,5}))?(?:[/?#].*)?"
)
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def unsafe(location: str) -> str:
    """Why a charger is not sent there; empty when it may be.

    Private addresses are allowed: many sites keep their file server beside their chargers.
    """
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in location):
        return "has characters that no URL has"
    parts = _URL.fullmatch(location.lower())
    if parts is None or int(parts["port"] or 0) > LARGEST_PORT:
        return "is no URL"
    if parts["scheme"] not in SCHEMES:
        return f"must be one of {', '.join(sorted(SCHEMES))}"
    user = parts["user"]
    if user is not None and (parts["scheme"] not in WITH_USER or "@" in user):
        return "has a user name, which can be mistaken for the host"
    return _unsafe_host(parts["host"].strip("[]"))


def unlisted(location: str, hosts: Collection[str]) -> str:
    """Why a charger is not sent there where only these hosts are allowed; empty when it may be.

    A host is a name or an address; `*.example.org` is every name below `example.org`. What is not
    safe in any case is not listed either: not every reader sees the same host in it.
    """
    if why := unsafe(location):
        return why
    parts = _URL.fullmatch(location.lower())
    assert parts is not None
    host = _plain(parts["host"])
    for allowed in hosts:
        if allowed.startswith(BELOW) and host.endswith(allowed.removeprefix("*")):
            return ""
        if host == _plain(allowed):
            return ""
    return f"is at {host}, which is not among the file_hosts of the settings"


def is_host(text: str) -> bool:
    """Whether this may stand in a list of hosts: a lower-case name, `*.` and a name, an address."""
    name = text.removeprefix(BELOW)
    if text != text.lower() or text.endswith("."):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _NAME.fullmatch(name) is not None and not _NUMBER.fullmatch(name.split(".")[-1])
    return name == text


def _plain(host: str) -> str:
    """A host as it compares: an address in its shortest form, a name without its last dot."""
    bare = host.strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def _unsafe_host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _unsafe_name(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return "is an address that only the charger itself can reach"
    return "is no address of one host" if address.is_multicast else ""


def _unsafe_name(host: str) -> str:
    labels = host.rstrip(".").split(".")
    if not _NAME.fullmatch(host):
        return "has no host name"
    if labels[-1] == "localhost":
        return "is an address that only the charger itself can reach"
    # Some readers take 127.1, 0x7f000001 and 2130706433 for addresses.
    return "is an address in a form that hides it" if _NUMBER.fullmatch(labels[-1]) else ""
