"""`python -m tests.simulation --hours H --seed S`: worlds of a day each, and what came of them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.simulation.alterations import Alteration
from tests.simulation.mutants import MUTANTS
from tests.simulation.policies import POLICIES
from tests.simulation.report import failure, summary, total
from tests.simulation.settings import HEALTHY, WorldSettings
from tests.simulation.world import Result, run_world

DAY_H = 24.0
REGRESSIONS = Path(__file__).with_name("regressions.json")
BROKEN_SHOWN = 3
LEAST_PART = 0.95


def alteration(policy: str, mutant: str | None) -> Alteration:
    """What the core is replaced by."""
    return POLICIES[policy] if mutant is None else MUTANTS[mutant]


def one(seed: int, hours: float, policy: str, mutant: str | None, healthy: bool) -> Result:
    """One world, in whichever process."""
    settings = HEALTHY if healthy else WorldSettings()
    return run_world(seed, hours, settings, alteration(policy, mutant))


def run(arguments: argparse.Namespace) -> Iterator[Result]:
    """Every world of the run, as they end."""
    days = max(1, round(arguments.hours / DAY_H))
    hours = min(DAY_H, arguments.hours)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        yield from pool.map(
            one,
            range(arguments.seed, arguments.seed + days),
            [hours] * days,
            [arguments.policy] * days,
            [arguments.mutant] * days,
            [arguments.healthy] * days,
        )


def keep(result: Result) -> None:
    """Write a seed that broke into the file of those that are tried again in every test run."""
    kept = json.loads(REGRESSIONS.read_text(encoding="utf-8"))
    rules = sorted({breach.rule for breach in result.breaches})
    hours = round(result.breaches[0].at / 3600 + 0.1, 1)
    kept.append({"seed": result.seed, "hours": hours, "found": ", ".join(rules)})
    REGRESSIONS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def compare(arguments: argparse.Namespace) -> int:
    """The price of safety: what is granted on average, of what "lower first" grants there."""
    granted_w = {}
    for policy in ("ledger", "lower_first"):
        whole = total(run(argparse.Namespace(**{**vars(arguments), "policy": policy})))
        granted_w[policy] = whole.tally.granted_ws / (whole.hours * 3600)
        print(f"{policy}: {granted_w[policy]:.0f} W granted on average, {whole.hours:.0f} h")
    part = granted_w["ledger"] / granted_w["lower_first"]
    print(f"ledger grants {100 * part:.1f} % of what lower_first does")
    return 0 if part >= LEAST_PART else 1


def main(words: Sequence[str]) -> int:
    """Run, print, and say by the exit code whether anything broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--hours", type=float, default=DAY_H, help="in worlds of a day each")
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    parser.add_argument("--policy", choices=POLICIES, default="ledger")
    parser.add_argument("--mutant", choices=MUTANTS)
    parser.add_argument("--compare", action="store_true", help="with what lower_first grants")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--healthy", action="store_true", help="without any faults")
    parser.add_argument("--keep", action="store_true", help="keep seeds that break")
    arguments = parser.parse_args(words)
    if arguments.compare:
        return compare(arguments)
    started = time.monotonic()
    results: list[Result] = []
    for result in run(arguments):
        results.append(result)
        if result.breaches and arguments.keep:
            keep(result)
        shown = sum(bool(r.breaches) for r in results)
        if result.breaches and shown <= BROKEN_SHOWN:
            print(failure(result), flush=True)
    name = arguments.policy if arguments.mutant is None else f"without {arguments.mutant}"
    for line in summary(results, time.monotonic() - started, name):
        print(line)
    return 1 if any(r.breaches for r in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
