"""Whether what the ledger counts above what a node gives is explained."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from csms.control.station_loop import StationLoop
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey
from tests.simulation import insight

HOPE_S = 70.0
"""So long a limit may wait in a queue and for its answer; until then csms may hope that it is
obeyed, and lower the others by no more than that leaves to be lowered."""

NEVER = -1e9


@dataclass(slots=True)
class _Node:
    """One node. `short_at`: when it last came to be short by more, with a cause.

    `pressed_at`: when others last had to be lowered for that: then, or when a hope was given up.
    `hoped`: the connectors that csms may think will do as they are told. `stuck`: those that csms
    cannot lower now, and since when; `freed_at`: when others came to be lowered again.
    """

    given_w: int = 0
    over_w: int = 0
    feared_w: int = 0
    caused: bool = True
    short_at: float = 0.0
    pressed_at: float = 0.0
    since: float = 0.0
    stuck: dict[ConnectorKey, float] = field(default_factory=dict)
    hoped: set[ConnectorKey] = field(default_factory=set)
    freed_at: dict[ConnectorKey, float] = field(default_factory=dict)


class Overcommitment:
    """Follows the ledger at every node above the chargers.

    A node may count more than it gives only since it gives less, since csms has come to fear more
    of a connector than it permits, or since csms started. From `grace_s` after that on, every
    connector below must count at no more than its fallback, or all must fit, but for those that
    csms cannot lower: those it fears, those with a limit that is not confirmed, those that
    register, and those out of reach (`in_reach(core, charger_id)`) whose limits have not ended
    (`ended(charger_id, since)`). Nobody is lowered for a charger that has just come, or started
    again, as long as it may be about to confirm its fallbacks (F6, F8); that this is over csms sees
    at its next tick.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        grace_s: float,
        tick_s: float,
        in_reach: Callable[[StationLoop, str], bool],
        ended: Callable[[str, float], bool],
        look: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._grace_s = grace_s
        self._registers_s = DispatchPolicy().registration_grace_s + tick_s
        self._in_reach = in_reach
        self._ended = ended
        self._look = look
        self._nodes: dict[str, _Node] = {}
        self._doubted_at: dict[str, float] = {}

    def started(self) -> None:
        """Csms has started, from what was on the disk."""
        self._nodes.clear()
        self._doubted_at.clear()

    def judge(self, core: StationLoop, now: float) -> dict[str, str]:
        """For every node what is wrong there; nothing when all is explained."""
        self._look_for_doubts(core)
        return {
            name: self._judge_node(core, name, given_w, sorted(below), now)
            for name, given_w, below in insight.nodes(core)
        }

    def _look_for_doubts(self, core: StationLoop) -> None:
        for charger_id in insight.charger_ids(core):
            if not insight.registering(core, charger_id):
                self._doubted_at.pop(charger_id, None)
            elif charger_id not in self._doubted_at:
                self._doubted_at[charger_id] = self._loop.time()
                self._loop.call_later(self._registers_s + self._grace_s + 1e-3, self._look)

    def _judge_node(
        self, core: StationLoop, name: str, given_w: int, below: list[str], now: float
    ) -> str:
        node = self._nodes.setdefault(name, _Node(given_w))
        counted_w = sum(insight.charger_w(core, charger_id, now) for charger_id in below)
        feared_w = sum(
            insight.worst_case_w(core, key, now)
            for key, _ in _connectors(core, below)
            if insight.uncontrolled(core, key)
        )
        over_w = counted_w - given_w
        pressed = given_w < node.given_w or feared_w > node.feared_w
        rises = over_w > max(0, node.over_w)
        node.given_w, node.feared_w, node.over_w = given_w, feared_w, over_w
        if over_w <= 0:
            node.caused = False
            node.stuck.clear()
            node.hoped.clear()
            node.freed_at.clear()
            return ""
        if rises:
            self._press(node, caused=pressed)
        text = f"the ledger counts {counted_w} W of {given_w} W at {name}"
        if not node.caused:
            return f"{text}, for no reason"
        return self._unlowered(core, node, below, now, text)

    def _press(self, node: _Node, *, caused: bool) -> None:
        now = self._loop.time()
        if not node.caused and not caused:
            return
        if caused:
            node.since = node.since if node.caused else now
            node.short_at = node.pressed_at = now
            self._loop.call_later(self._grace_s + 1e-3, self._look)
        node.caused = node.caused or caused

    def _unlowered(
        self, core: StationLoop, node: _Node, below: list[str], now: float, text: str
    ) -> str:
        at = self._loop.time()
        free = [
            (key, fallback_w)
            for key, fallback_w in _connectors(core, below)
            if not self._is_stuck(core, node, key, at)
        ]
        hoped = {key for key, _ in _connectors(core, below) if self._is_hoped(core, node, key, now)}
        if any(key in node.stuck for key in node.hoped - hoped):
            node.pressed_at = at
            self._loop.call_later(self._grace_s + 1e-3, self._look)
        node.hoped = hoped
        for key, fallback_w in free:
            free_since = max(node.pressed_at, node.freed_at.get(key, NEVER))
            counted_w = insight.worst_case_w(core, key, now)
            if counted_w > fallback_w and at - free_since > self._grace_s:
                if self._fits_with_hope(core, node, below, now):
                    return ""
                return f"{text}, and {counted_w} W at {key}, which could be lowered"
        return ""

    def _is_stuck(self, core: StationLoop, node: _Node, key: ConnectorKey, at: float) -> bool:
        if insight.uncontrolled(core, key) or self._is_free_of_csms(core, node, key):
            if key not in node.stuck:
                node.stuck[key] = at
                self._loop.call_later(HOPE_S + self._grace_s + 1e-3, self._look)
            return True
        if key in node.stuck:
            del node.stuck[key]
            node.freed_at[key] = at
            self._loop.call_later(self._grace_s + 1e-3, self._look)
        return False

    def _is_free_of_csms(self, core: StationLoop, node: _Node, key: ConnectorKey) -> bool:
        if not self._in_reach(core, key.charger_id):
            return not self._ended(key.charger_id, node.since)
        return not insight.settled(core, key)

    def _is_hoped(self, core: StationLoop, node: _Node, key: ConnectorKey, now: float) -> bool:
        """Whether csms may think for a while that a connector is about to do as it is told."""
        at = self._loop.time()
        if insight.uncontrolled(core, key):
            return at <= self._doubted_at.get(key.charger_id, NEVER) + self._registers_s
        # Csms does not know of a line that it is half open.
        if key not in node.stuck or not insight.in_contact(core, key.charger_id):
            return False
        met_at = insight.met_at(core, key.charger_id) + at - now
        return at <= max(node.stuck[key], node.short_at, met_at) + HOPE_S

    def _fits_with_hope(self, core: StationLoop, node: _Node, below: list[str], now: float) -> bool:
        """Whether it fits if those of which csms may hope so do as they are told."""
        total_w = 0
        for charger_id in below:
            hoped_w = sum(
                fallback_w if key in node.hoped else insight.worst_case_w(core, key, now)
                for key, fallback_w in _connectors(core, [charger_id])
            )
            total_w += min(hoped_w, insight.charger_w(core, charger_id, now))
        return total_w <= node.given_w


def _connectors(core: StationLoop, below: list[str]) -> Iterator[tuple[ConnectorKey, int]]:
    for charger_id in below:
        for connector in insight.connectors_of(core, charger_id):
            yield connector.key, max(connector.fallback_w, core.ledger.floor_w(connector.key))
