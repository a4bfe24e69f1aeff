"""How often somebody may fail to prove who it is: token buckets, bounded in number.

One bucket for each source, and one for each charger id at each source: guessing at one charger's
key is slower than guessing at many, and an outsider who guesses locks out nobody elsewhere.

Behind a router or a TLS proxy all are one source. So a charger that has proven itself from a source
has a much larger bucket there, and only failures in its own name count against it.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from csms.control.buckets import Buckets

PREFIX_IPV6 = 64


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Failures a minute, which is also what a bucket holds; and most buckets of each kind.

    `per_proven_per_min` is for a charger where it has proven itself: ten a second. Keys made here
    have 119 bits; a random one of 8 bytes, the shortest, would take 10^10 years to guess, and even
    one of eight digits two months. Whoever tries faster than that, of which an event tells, keeps
    the charger out for moments only: every tenth of a second there is a place for whoever is first.
    """

    per_source_per_min: float = 60.0
    per_charger_per_min: float = 10.0
    per_proven_per_min: float = 600.0
    kept: int = 10_000


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, PREFIX_IPV6), strict=False))
    return str(parsed)


class Attempts:
    """Who has failed how often of late. `now` is monotonic."""

    def __init__(self, limits: AttemptLimits) -> None:
        self._limits = limits
        self._sources = Buckets(limits.per_source_per_min, limits.kept)
        self._chargers = Buckets(limits.per_charger_per_min, limits.kept)
        self._told = Buckets(limits.per_source_per_min, limits.kept)
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()
        at_least = max(limits.per_proven_per_min, limits.per_charger_per_min)
        self._at_proven = Buckets(at_least, limits.kept)

    def __len__(self) -> int:
        buckets = (self._sources, self._chargers, self._told, self._at_proven)
        return sum(map(len, buckets)) + len(self._proven)

    def may_try(self, charger_id: str, address: str, now: float) -> bool:
        """Whether what is shown may be looked at."""
        source = source_of(address)
        pair = (charger_id, source)
        if pair in self._proven:
            return self._at_proven.has(pair, now)
        return self._chargers.has(pair, now) and self._sources.has(source, now)

    def may_tell(self, address: str, now: float) -> bool:
        """Whether one more event of this source is worth keeping."""
        source = source_of(address)
        told = self._told.has(source, now)
        self._told.take(source, now)
        return told

    def failed(self, charger_id: str, address: str, now: float) -> bool:
        """Count a failure. Returns whether no more are let through now, once a minute at most."""
        source = source_of(address)
        pair = (charger_id, source)
        own = self._at_proven if pair in self._proven else self._chargers
        no_more = own.take(pair, now)
        return self._sources.take(source, now) or no_more

    def succeeded(self, charger_id: str, address: str) -> None:
        """The charger has proven itself from there."""
        pair = (charger_id, source_of(address))
        self._proven[pair] = None
        self._proven.move_to_end(pair)
        if len(self._proven) > self._limits.kept:
            self._proven.popitem(last=False)
