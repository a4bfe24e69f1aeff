"""How often somebody may fail to prove who it is: token buckets, bounded in number.

One bucket for each source, and one for each charger id at each source: guessing at one charger's
key is slower than guessing at many, and an outsider who guesses locks out nobody elsewhere. A
charger that has proven itself from a source is not held up by what others do there.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

PREFIX_IPV6 = 64
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Failures a minute, which is also what a bucket holds; and most buckets of each kind."""

    per_source_per_min: float = 60.0
    per_charger_per_min: float = 10.0
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


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    told_at: float | None = None


class Buckets:
    """Token buckets by key; the one longest not used goes when there are too many.

    A bucket gains `per_min` a minute and holds `most`, None for as much.
    """

    def __init__(self, per_min: float, kept: int, most: float | None = None) -> None:
        self._per_min = per_min
        self._most = per_min if most is None else most
        self._kept = kept
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def has(self, key: Hashable, now: float) -> bool:
        """Whether one more may be taken."""
        bucket = self._buckets.get(key)
        return bucket is None or self._grown(bucket, now) >= 1

    def take(self, key: Hashable, now: float) -> bool:
        """Take one. Returns whether that was the last, once a minute at most."""
        bucket = self._buckets.setdefault(key, _Bucket(self._most, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._kept:
            self._buckets.popitem(last=False)
        bucket.tokens = max(0.0, self._grown(bucket, now) - 1)
        bucket.at = now
        if bucket.tokens >= 1 or (bucket.told_at is not None and now - bucket.told_at < MINUTE_S):
            return False
        bucket.told_at = now
        return True

    def _grown(self, bucket: _Bucket, now: float) -> float:
        return min(self._most, bucket.tokens + (now - bucket.at) * self._per_min / MINUTE_S)


class Attempts:
    """Who has failed how often of late. `now` is monotonic."""

    def __init__(self, limits: AttemptLimits) -> None:
        self._limits = limits
        self._sources = Buckets(limits.per_source_per_min, limits.kept)
        self._chargers = Buckets(limits.per_charger_per_min, limits.kept)
        self._told = Buckets(limits.per_source_per_min, limits.kept)
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __len__(self) -> int:
        buckets = (self._sources, self._chargers, self._told)
        return sum(map(len, buckets)) + len(self._proven)

    def may_try(self, charger_id: str, address: str, now: float) -> bool:
        """Whether what is shown may be looked at."""
        source = source_of(address)
        pair = (charger_id, source)
        return self._chargers.has(pair, now) and (
            pair in self._proven or self._sources.has(source, now)
        )

    def may_tell(self, address: str, now: float) -> bool:
        """Whether one more event of this source is worth keeping."""
        source = source_of(address)
        told = self._told.has(source, now)
        self._told.take(source, now)
        return told

    def failed(self, charger_id: str, address: str, now: float) -> bool:
        """Count a failure. Returns whether no more are let through now, once a minute at most."""
        source = source_of(address)
        no_more = self._chargers.take((charger_id, source), now)
        return self._sources.take(source, now) or no_more

    def succeeded(self, charger_id: str, address: str) -> None:
        """The charger has proven itself from there."""
        pair = (charger_id, source_of(address))
        self._proven[pair] = None
        self._proven.move_to_end(pair)
        if len(self._proven) > self._limits.kept:
            self._proven.popitem(last=False)
