"""How much of an oracle's energy csms delivers, and what it costs in limits pushed.

`python -m tests.simulation.demand_stream --days 5 --seed 1`. Three sites serve the same vehicles:
one that knows only their peak power, one that estimates what they want from their meters, and one
that knows what they would take at every moment.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from random import Random

from simulators.vehicle.visits import visits
from tests.simulation.demand_stream.site import Knows, Outcome, Site, fast_chargers


def line(knows: Knows, outcome: Outcome, oracle: Outcome) -> str:
    """One row of the table. The oracle pushes without counting."""
    pushed = "          -          -"
    if knows is not Knows.ORACLE:
        pushed = f"{outcome.pushes_per_session:11.1f}{max(outcome.pushes):11d}"
    return (
        f"{knows:10}{outcome.energy_wh / 1000:10.1f}"
        f"{outcome.energy_wh / oracle.energy_wh:11.2%}{pushed}"
        f"{outcome.stuck:8d}{outcome.toggles:9d}{outcome.satisfied:11d}\n"
    )


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(prog="python -m tests.simulation.demand_stream", description=__doc__)
    parser.add_argument("--days", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--meter", type=float, default=10.0, help="seconds between readings")
    chosen = parser.parse_args()
    stream = list(visits(chosen.days, Random(chosen.seed)))
    outcomes = {
        knows: Site(fast_chargers(), knows, meter_s=chosen.meter).run(stream) for knows in Knows
    }
    oracle = outcomes[Knows.ORACLE]
    sys.stdout.write(
        f"{len(stream)} vehicles in {chosen.days:g} days (seed {chosen.seed}),"
        f" {oracle.waited} of them waited; 4 x 200 kW on a grid of 300 kW\n"
        "knows            kWh  of oracle  pushes/session  most    stuck  toggles  at target\n"
    )
    for knows, outcome in outcomes.items():
        sys.stdout.write(line(knows, outcome, oracle))


if __name__ == "__main__":
    main()
