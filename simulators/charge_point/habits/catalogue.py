"""Every habit by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from simulators.charge_point.habits import (
    conversation,
    demands,
    dialling,
    framing,
    meters,
    values,
)
from simulators.charge_point.habits.habit import Habit

FAMILIES: Mapping[str, Mapping[str, Habit]] = {
    "dialling": dialling.HABITS,
    "framing": framing.HABITS,
    "values": values.HABITS,
    "meters": meters.HABITS,
    "conversation": conversation.HABITS,
    "demands": demands.HABITS,
}

HABITS: Mapping[str, Habit] = {
    name: habit for family in FAMILIES.values() for name, habit in family.items()
}


def chosen(names: Iterable[str]) -> list[Habit]:
    """The habits of these names, in the order of the catalogue. Raises ValueError."""
    wanted = set(names)
    unknown = sorted(wanted - HABITS.keys())
    if unknown:
        raise ValueError(f"no habit {unknown[0]!r}; there are {', '.join(HABITS)}")
    return [habit for name, habit in HABITS.items() if name in wanted]
