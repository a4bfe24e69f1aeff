"""A4: which ids exist. A wrong key, another charger's key and an unknown id get the same answer.

2,000 handshakes of each kind, in random order. The times are compared by rank (Mann-Whitney), which
is printed: on a machine that is busy with much else it finds a difference now and then. It is a
fault only when medians differ by more than a quarter, in three rounds in a row.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import defaultdict
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.e2e.attacks.test_attack_03 import raw
from tests.e2e.secured import KEY, OTHER_KEY, Secured, basic, secured

SAMPLES = 2_000
ROUNDS = 3
LEVEL = 0.01
MOST_RATIO = 1.25
"""Of two medians; one more look into the database would show as much more."""

KINDS = {
    "wrong key": ("CP001", basic("CP001", "0123456789abcdefghiX")),
    "key of another": ("CP001", basic("CP001", OTHER_KEY)),
    "unknown id": ("CP999", basic("CP999", "0123456789abcdefghiX")),
}
MORE = {
    "no header": ("CP001", {}),
    "unknown id, no header": ("CP999", {}),
    "impossible id": ("CP%00", basic("CP001", KEY)),
    "unknown id, known key": ("CP999", basic("CP999", KEY)),
}


def p_value(first: list[float], second: list[float]) -> float:
    """Two-sided p of the Mann-Whitney test by its normal approximation; times hardly ever tie."""
    both = np.concatenate([first, second])
    ranks = np.empty(len(both))
    ranks[np.argsort(both, kind="stable")] = np.arange(1, len(both) + 1)
    n, m = len(first), len(second)
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def test_the_statistics_find_a_difference_where_there_is_one() -> None:
    random = Random(1)
    same = [[random.gauss(1.0, 0.2) for _ in range(2_000)] for _ in range(2)]
    assert p_value(*same) > LEVEL
    assert p_value(same[0], [t + 0.03 for t in same[1]]) < LEVEL


async def times_of(csms: Secured, random: Random) -> dict[str, list[float]]:
    """Seconds of the handshakes of each kind, in random order, one at a time."""
    order = [kind for kind in KINDS for _ in range(SAMPLES)]
    random.shuffle(order)
    found: dict[str, list[float]] = defaultdict(list)
    for kind in order:
        began = time.perf_counter()
        await raw(csms, *KINDS[kind])
        found[kind].append(time.perf_counter() - began)
    return found


def differing(found: dict[str, list[float]]) -> list[str]:
    """The pairs of kinds whose median times differ; prints what was found of all."""
    differ = []
    for first, second in itertools.combinations(KINDS, 2):
        p = p_value(found[first], found[second])
        medians = [1e6 * float(np.median(found[kind])) for kind in (first, second)]
        print(f"{first} {medians[0]:.0f} µs, {second} {medians[1]:.0f} µs: p = {p:.3f}")  # noqa: T201
        if max(medians) > MOST_RATIO * min(medians):
            differ.append(f"{first} / {second}")
    return differ


def without_date(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.startswith(b"Date: ")]


@pytest.mark.parametrize("anonymous", ["refuse", "loopback"])
async def test_the_answers_are_equal_to_the_byte(tmp_path: Path, anonymous: str) -> None:
    async with secured(tmp_path, anonymous_chargers=anonymous) as csms:
        await csms.secure("CP001", 1, key=KEY)
        await csms.secure("CP002", 1, key=OTHER_KEY)
        answers = [without_date(await raw(csms, *kind)) for kind in (KINDS | MORE).values()]
        assert answers[0][0] == b"HTTP/1.1 401 Unauthorized"
        assert b'WWW-Authenticate: Basic realm="csms", charset="UTF-8"' in answers[0]
        assert all(answer == answers[0] for answer in answers)


async def test_the_times_are_equal(tmp_path: Path) -> None:
    limits = {"failures_per_source_per_min": 100_000, "failures_per_charger_per_min": 100_000}
    async with secured(tmp_path, **limits) as csms:
        await csms.secure("CP001", 1, key=KEY)
        await csms.secure("CP002", 1, key=OTHER_KEY)
        for _ in range(50):
            await raw(csms, *KINDS["wrong key"])
        always = set(map(" / ".join, itertools.combinations(KINDS, 2)))
        async with asyncio.timeout(280):
            for number in range(ROUNDS):
                always &= set(differing(await times_of(csms, Random(number))))
                if not always:
                    break
        assert always == set()
