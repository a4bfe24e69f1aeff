"""The cases of the OCPP 1.6 certification of central systems, by feature profile.

Ids as the certification has them, without `TC_` and `_CSMS`.
"""

from __future__ import annotations

import re

TEST = re.compile(r"test_tc_(\d{3}(?:_\d)?)_[a-z]\w*")
"""The name of the test of a case."""

CASES: dict[str, tuple[str, ...]] = {
    "Core": (
        *("001", "003", "004_1", "004_2", "005_1", "007", "010", "011_1", "011_2", "012"),
        *("013", "014", "017_1", "017_2", "018_1", "019_1", "019_2", "021", "023_1", "023_2"),
        *("023_3", "024", "026", "028", "030", "031", "032_1", "037_1", "037_3", "039"),
        *("040_1", "040_2", "061", "064"),
    ),
    "Local Auth List Management": ("042_1", "042_2", "043_1", "043_3", "043_4", "043_5"),
    "Firmware Management": ("044_1", "044_2", "044_3", "045_1", "045_2"),
    "Reservation": (
        *("046", "047", "048_1", "048_2", "048_3", "048_4", "049", "051", "052", "053"),
    ),
    "Remote Trigger": ("054", "055"),
    "Smart Charging": ("056", "057", "059", "066", "067"),
    "Security": (
        *("073", "074", "075_1", "075_2", "076", "077", "078", "079", "080", "081"),
        *("083", "085", "086", "087", "088"),
    ),
}


def case_of(test: str) -> str | None:
    """The case that a test of this name plays, None when it plays none."""
    found = TEST.fullmatch(test)
    return None if found is None else found[1]


def charger_of(case_id: str) -> str:
    """The charger a case is played with: each has its own."""
    return f"TC_{case_id}"
