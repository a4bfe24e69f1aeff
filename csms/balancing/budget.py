"""What is there to share: every cap of the station, less everything that is already spoken for.

A battery will be one more term of the grid's budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from csms.balancing.allocation import Leaf, Node
from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    LimitSource,
    SharedLimit,
    Station,
)

NO_PART = "connectors that take no part"
AS_CONFIGURED: Mapping[str, int] = {}
"""No charger has drawn more than its configured maximum."""

ALL_RESERVED: Mapping[ConnectorKey, int] = {}
"""Nobody is known to draw less than is reserved for it."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """Watts that are not there to be shared, and why. Raises ValueError when negative."""

    name: str
    watts: int

    def __post_init__(self) -> None:
        """A negative reduction would be power from nowhere."""
        if self.watts < 0:
            raise ValueError(f"the reduction {self.name!r} is negative: {self.watts} W")


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in watts and everything that comes off it first."""

    limit_w: int
    reductions: tuple[Reduction, ...] = ()

    @property
    def available_w(self) -> int:
        """What is left to share, in watts; never negative."""
        return max(0, self.limit_w - sum(reduction.watts for reduction in self.reductions))


def grid_budget(
    station: Station,
    reserved: Mapping[ConnectorKey, int],
    most_w: Mapping[str, int] = AS_CONFIGURED,
) -> Budget:
    """The grid connection's budget. `reserved` and `most_w` as for `tree`."""
    return _grid_budget(station, _seen_above(station, _by_charger(reserved), most_w))


def _grid_budget(station: Station, seen_w: Mapping[str, int]) -> Budget:
    return Budget(
        station.grid_limit_w,
        (
            Reduction("static load", station.static_load_w),
            Reduction("reserve", station.reserve_w),
            Reduction(NO_PART, sum(seen_w.values())),
        ),
    )


def tree(
    station: Station,
    leaves: Mapping[ConnectorKey, Leaf],
    reserved: Mapping[ConnectorKey, int],
    most_w: Mapping[str, int] = AS_CONFIGURED,
) -> Node:
    """The station as a capped tree: grid, feeders where there are any, chargers, connectors.

    `leaves` are the connectors that take part, each cut to what its hardware can give. `reserved`
    is what others may draw all the same, in watts: it comes off every cap above them. All that a
    charger has reserved counts above it at most at `most_w`, the most its hardware lets through, in
    watts; one that is not named there at its `max_power_w`.
    """
    by_charger = _by_charger(reserved)
    seen_w = _seen_above(station, by_charger, most_w)
    by_feeder: dict[str | None, list[Charger]] = {}
    for charger in station.chargers:
        by_feeder.setdefault(charger.feeder_id, []).append(charger)
    children: list[Node] = []
    for feeder in station.feeders:
        chargers = by_feeder.pop(feeder.feeder_id, [])
        nodes = _charger_nodes(chargers, leaves, by_charger)
        if nodes:
            reserved_w = sum(seen_w[charger.charger_id] for charger in chargers)
            cap_w = Budget(feeder.limit_w, (Reduction(NO_PART, reserved_w),)).available_w
            children.append(Node(feeder.feeder_id, cap_w, LimitSource.FEEDER, nodes))
    for chargers in by_feeder.values():
        children.extend(_charger_nodes(chargers, leaves, by_charger))
    cap_w = _grid_budget(station, seen_w).available_w
    return Node(station.station_id, cap_w, LimitSource.GRID, tuple(children))


def left_for_suspects(
    station: Station,
    reserved: Mapping[ConnectorKey, int],
    suspects: Collection[ConnectorKey],
    most_w: Mapping[str, int] = AS_CONFIGURED,
    obeying: Mapping[ConnectorKey, int] = ALL_RESERVED,
) -> dict[ConnectorKey, int]:
    """What there is for connectors that may not obey, where more is reserved than there is.

    A charger obeys as a whole or not at all. Each is left what nobody else, obeying or not, may
    draw, in equal parts for its suspects, in watts. Several suspects of one charger share at most
    its `max_power_w`. `reserved` and `most_w` as for `tree`, the suspects included. `obeying` is
    the most that others draw of what is reserved for them, in watts, if their charger obeys: only
    then does it matter what its suspects are told. Connectors below no node that is short are left
    out.
    """
    by_charger = _by_charger(reserved)
    seen_w = _seen_above(station, by_charger, most_w)
    short = [(over_w, shared) for over_w, shared in _overdrawn(station, seen_w) if over_w > 0]
    found: dict[ConnectorKey, int] = {}
    for charger in station.chargers:
        mine = [c.key for c in charger.connectors if c.key in suspects]
        others = {c.key for c in charger.connectors} - set(mine)
        rest_w = sum(obeying.get(key, reserved.get(key, 0)) for key in others)
        own_w = seen_w[charger.charger_id] - min(_most_w(charger, most_w), rest_w)
        lefts = [
            max(0, own_w - over_w)
            for over_w, shared in short
            if charger.charger_id in shared.charger_ids
        ]
        if len(mine) > 1 and sum(reserved[key] for key in mine) > charger.max_power_w:
            lefts.append(charger.max_power_w)
        if lefts and mine:
            found |= dict.fromkeys(mine, min(lefts) // len(mine))
    return found


def holds(
    station: Station,
    reserved: Mapping[ConnectorKey, int],
    charger_id: str,
    most_w: Mapping[str, int] = AS_CONFIGURED,
) -> bool:
    """Whether what is reserved fits at this charger and every node above. As for `tree`."""
    by_charger = _by_charger(reserved)
    seen_w = _seen_above(station, by_charger, most_w)
    own = station.charger(charger_id)
    assert own is not None
    return by_charger.get(charger_id, 0) <= own.max_power_w and not any(
        over_w > 0 and charger_id in shared.charger_ids
        for over_w, shared in _overdrawn(station, seen_w)
    )


def _overdrawn(station: Station, seen_w: Mapping[str, int]) -> Iterator[tuple[int, SharedLimit]]:
    """By how many watts what is reserved is more than each limit above the chargers."""
    for shared in station.shared_limits():
        yield sum(seen_w[c] for c in shared.charger_ids) - shared.limit_w, shared


def _charger_nodes(
    chargers: Iterable[Charger],
    leaves: Mapping[ConnectorKey, Leaf],
    by_charger: Mapping[str, int],
) -> tuple[Node, ...]:
    """Those chargers of which a connector takes part."""
    nodes: list[Node] = []
    for charger in chargers:
        inside = tuple(
            _cut_to_hardware(leaves[connector.key], connector, charger)
            for connector in charger.connectors
            if connector.key in leaves
        )
        if inside:
            taken = Reduction(NO_PART, by_charger.get(charger.charger_id, 0))
            cap_w = Budget(charger.max_power_w, (taken,)).available_w
            nodes.append(Node(charger.charger_id, cap_w, LimitSource.CHARGER, inside))
    return tuple(nodes)


def _cut_to_hardware(leaf: Leaf, connector: Connector, charger: Charger) -> Leaf:
    """The leaf with at most what connector and charger can give, named after the smaller one."""
    hardware_w = min(connector.max_power_w, charger.max_power_w)
    if leaf.upper_w < hardware_w:
        return leaf
    if leaf.upper_w == hardware_w and leaf.upper_source is not LimitSource.CONNECTOR:
        return leaf
    narrow = connector.max_power_w < charger.max_power_w
    source = LimitSource.CONNECTOR if narrow else LimitSource.CHARGER
    return replace(leaf, upper_w=hardware_w, upper_source=source)


def _by_charger(reserved: Mapping[ConnectorKey, int]) -> dict[str, int]:
    """What is reserved on each charger, as it sees it itself."""
    found: dict[str, int] = {}
    for key, watts in reserved.items():
        found[key.charger_id] = found.get(key.charger_id, 0) + watts
    return found


def _most_w(charger: Charger, most_w: Mapping[str, int]) -> int:
    return most_w.get(charger.charger_id, charger.max_power_w)


def _seen_above(
    station: Station, by_charger: Mapping[str, int], most_w: Mapping[str, int]
) -> dict[str, int]:
    """What is reserved on each charger, as its parents see it."""
    return {
        c.charger_id: min(_most_w(c, most_w), by_charger.get(c.charger_id, 0))
        for c in station.chargers
    }
