"""Fuzz csms with mutated frames, and print what came of it.

    python -m tests.fuzz decoder  --frames 10000000 --seed 1
    python -m tests.fuzz handlers --frames 1000000  --seed 1
    python -m tests.fuzz socket   --frames 100000   --seed 1

It ends at the first exception, with the seed and the number of frames that lead to it; the exit
code is then 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable

import psutil
import structlog

from tests.fuzz import targets

PART = 100_000
"""Frames between two lines of the report; each part has its own seed."""

TARGETS: dict[str, Callable[[int, int], Counter[str]]] = {
    "decoder": targets.decode,
    "handlers": lambda frames, seed: asyncio.run(targets.handle(frames, seed)),
    "socket": lambda frames, seed: asyncio.run(targets.over_a_socket(frames, seed)),
}


def main() -> int:
    """Run one target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--frames", type=int, default=PART)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="begin no part after this time")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    process, began = psutil.Process(), time.monotonic()
    done, frames, first_rss = Counter[str](), 0, 0
    for number in range(-(-asked.frames // PART)):
        seed, part = asked.seed + number, min(PART, asked.frames - frames)
        if asked.minutes is not None and time.monotonic() - began > 60 * asked.minutes:
            break
        try:
            done += TARGETS[asked.target](part, seed)
        except Exception:  # noqa: BLE001 - boundary: the report says which seed it was
            traceback.print_exc()
            print(f"FAILED: --seed {seed} --frames {part}, after {frames} good frames")
            return 1
        frames += part
        gc.collect()
        rss = process.memory_info().rss
        first_rss = first_rss or rss  # what is loaded once is no growth
        elapsed_s = time.monotonic() - began
        print(
            f"{asked.target}: {frames} frames, {frames / elapsed_s:.0f}/s, 0 exits, 0 unhandled, "
            f"memory {rss / 1e6:.1f} MB ({(rss - first_rss) / 1e6:+.1f} MB since the first part)",
            flush=True,
        )
    print(", ".join(f"{name} {count}" for name, count in sorted(done.items())))
    return 0


class _Plain(argparse.RawDescriptionHelpFormatter):
    """The text above as it is written."""


if __name__ == "__main__":
    sys.exit(main())
