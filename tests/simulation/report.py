"""Results of worlds, added up and written out."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Iterator

from tests.simulation.world import Result

TRACE_SHOWN = 60


def commit() -> str:
    """The commit of the code that runs, or a word that says there is none."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git there is
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def total(results: Iterable[Result]) -> Result:
    """All of them as one. Its breaches and its trace are those of the first that has any."""
    whole = Result(-1, 0.0)
    for result in results:
        whole.hours += result.hours
        whole.injected += result.injected
        whole.energy_wh += result.energy_wh
        whole.sessions += result.sessions
        whole.limits += result.limits
        whole.limits_that_changed += result.limits_that_changed
        whole.tally.granted_ws += result.tally.granted_ws
        whole.tally.wanted_ws += result.tally.wanted_ws
        whole.tally.overload_ws += result.tally.overload_ws
        whole.tally.worst_w = max(whole.tally.worst_w, result.tally.worst_w)
        whole.tally.near_cuts_s += result.tally.near_cuts_s
        whole.tally.cuts_s += result.tally.cuts_s
        whole.tally.far_cuts_s += result.tally.far_cuts_s
    return whole


def failure(result: Result) -> str:
    """What somebody needs to find out why a world broke."""
    faults = ", ".join(f"{kind} {count}" for kind, count in sorted(result.injected.items()))
    lines = [
        f"seed {result.seed} broke at commit {commit()}",
        f"faults: {faults}",
        *(f"{b.at:.3f} s: {b.rule}: {b.text}" for b in result.breaches[:5]),
        "the last events before the first breach:",
        *(f"  {at:.3f} {text}" for at, text in result.trace[-TRACE_SHOWN:]),
    ]
    return "\n".join(lines)


def summary(results: list[Result], seconds: float, policy: str) -> Iterator[str]:
    """Figures, line by line."""
    whole = total(results)
    broken = [r for r in results if r.breaches]
    sessions = max(1, whole.sessions)
    seen_s = sum(r.hours for r in results) * 3600
    yield f"policy {policy}, commit {commit()}"
    yield f"{whole.hours:.0f} h simulated in {seconds:.0f} s: {whole.hours / seconds:.1f} h/s"
    yield f"{sum(len(r.breaches) for r in results)} breaches in {len(broken)} of {len(results)}"
    yield f"seeds with breaches: {[r.seed for r in broken]}"
    yield (
        f"worst {whole.tally.worst_w / 1000:.1f} kW above what may be drawn, "
        f"{whole.tally.overload_ws / 3.6e6:.2f} kWh (cuts taking hold included)"
    )
    for what, values in (
        ("cuts followed by a charger in reach", whole.tally.near_cuts_s),
        ("cuts with all chargers in reach", whole.tally.cuts_s),
        ("cuts with some chargers not in reach", whole.tally.far_cuts_s),
    ):
        yield f"{len(values)} {what} took (p50, p99, max): {_quantiles(values)} s"
    yield (
        f"energy {whole.energy_wh / 1000:.0f} kWh, granted {whole.tally.granted_ws / seen_s:.0f} W "
        f"on average, {100 * whole.granted_share:.1f} % of what could be used"
    )
    yield (
        f"{whole.sessions} sessions, {whole.limits / sessions:.1f} pushes per session, "
        f"{whole.limits_that_changed / sessions:.1f} that change the value"
    )
    for kind, count in sorted(whole.injected.items()):
        yield f"  {count:7d} {kind}"


def _quantiles(values: list[float]) -> str:
    if not values:
        return "-"
    rising = sorted(values)
    chosen = (rising[math.ceil(part * (len(rising) - 1))] for part in (0.5, 0.99, 1.0))
    return ", ".join(f"{value:.2f}" for value in chosen)
