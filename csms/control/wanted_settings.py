"""The settings csms wants of a charger, and which values are tried when one is refused. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

INTERVAL_KEY = "MeterValueSampleInterval"
MEASURANDS_KEY = "MeterValuesSampledData"
OFFLINE_KEY = "AllowOfflineTxForUnknownId"

SLOWER_S = (15, 30, 60)
"""Intervals many chargers take that refuse a shorter one."""

LEAST_S = 2
"""A charger that sends more often than this is slowed down: csms has no use for it."""

POWER = "Power.Active.Import"
ENERGY = "Energy.Active.Import.Register"
CURRENT = "Current.Import"
VOLTAGE = "Voltage"
SOC = "SoC"
AC_LADDER = ((POWER, ENERGY), (CURRENT, VOLTAGE, ENERGY), (CURRENT, ENERGY), (ENERGY,))
DC_LADDER = ((POWER, ENERGY, SOC), *AC_LADDER)
"""What csms can work with, best first: power, or what it can be worked out from."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One configuration key (OCPP 1.6 §9).

    `ladder` takes the value the charger has, and gives those to try, best first; none when what it
    has will do.
    """

    key: str
    ladder: Callable[[str], Sequence[str]]


def wanted_settings(
    *, meter_interval_s: int, dc: bool, tokens_offline: bool
) -> tuple[Setting, ...]:
    """What is wanted, most useful first; `dc`: the charger has a DC connector.

    `tokens_offline`: a charger without a connection may start sessions for tokens it does not know.
    Where csms refuses such tokens it must not; otherwise that is the charger's own affair.
    """
    settings = (
        Setting(INTERVAL_KEY, lambda has: intervals(has, meter_interval_s)),
        Setting(MEASURANDS_KEY, lambda has: measurands(has, dc=dc)),
    )
    if tokens_offline:
        return settings
    return (*settings, Setting(OFFLINE_KEY, _false))


def intervals(has: str, wanted_s: int) -> list[str]:
    """The intervals to try, in seconds as text; none that is slower than the one it has.

    A faster one than wanted is left alone, down to `LEAST_S`: it tells more, and somebody set it.
    0 means that it sends nothing by itself (§9.1.22), and what cannot be read counts so.
    """
    text = has.strip()
    has_s = int(text) if text.isascii() and text.isdigit() else 0
    if has_s == wanted_s or LEAST_S <= has_s < wanted_s:
        return []
    slower = [s for s in SLOWER_S if s > wanted_s and (not has_s or s < has_s)]
    return [str(s) for s in (wanted_s, *slower)]


def measurands(has: str, *, dc: bool) -> list[str]:
    """The lists to try, comma-separated; none that says less than the one it has (§9.1.24).

    What it has stays in the list where that is taken: somebody else may need it.
    """
    there = [part for raw in has.split(",") if (part := raw.strip(" \t\"'"))]
    tries: dict[frozenset[str], str] = {}
    for each in _lists(there, DC_LADDER if dc else AC_LADDER):
        tries.setdefault(frozenset(part.casefold() for part in each), ",".join(each))
    return list(tries.values())


def _lists(there: list[str], ladder: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    known = {part.casefold() for part in there}
    for rung in ladder:
        missing = [part for part in rung if part.casefold() not in known]
        if not missing:
            return
        yield (*there, *missing)
        yield tuple(rung)


def _false(has: str) -> list[str]:
    return [] if has.strip().casefold() == "false" else ["false"]
