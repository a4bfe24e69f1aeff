"""How hypothesis looks for examples, in every test.

A test passes or fails for what the code does, not for how busy the machine is: no example has a
deadline, and slow generation is no failure. The examples are the same in every run, so that a
failure can be had again; `pytest --hypothesis-profile=random` looks for others.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

REPEATABLE = "repeatable"
RANDOM = "random"

settings.register_profile(
    REPEATABLE, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(RANDOM, settings.get_profile(REPEATABLE), derandomize=False)
settings.load_profile(REPEATABLE)


def pytest_report_header() -> str:
    """Say which examples are run, and how to have others."""
    if settings.get_current_profile_name() == RANDOM:
        return "hypothesis: examples at random"
    return "hypothesis: the same examples every time; --hypothesis-profile=random for others"
