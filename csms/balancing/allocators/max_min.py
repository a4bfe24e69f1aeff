"""Exact weighted max-min fair shares on a capped tree.

A sharing is max-min fair when nobody's share per weight can grow without that of somebody who has
no more shrinking. On a tree of caps it exists, is unique, and filling water finds it: from the
leaves upward, a node whose leaves together want more than its cap cuts them all to one level
(Radunovic and Le Boudec, "A unified framework for max-min and min-max fairness", 2007).

Around that:

1. **Priority.** Classes are filled one after the other, the highest first, into what is left once
   everybody has its floor.
2. **Minimum.** A leaf with a minimum gets it or nothing above its floor. In each class as many as
   fit are served, longest waiting first; see `_served`.
3. **Enough.** Nobody gets more than is enough for it (where a leaf says so) before all others have
   what they can; then what is left over is shared in the same way.
4. **Quanta.** The exact level is rounded down, then what is left over is handed out quantum by
   quantum, to the least served first. Nothing is ever rounded up over a cap.

Floors that do not fit under a cap are given all the same: no other sharing is better, and
`csms.balancing.allocation.violations` says so. Every loop here is bounded by the number of leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from csms.balancing.allocation import Leaf, Node, Share
from csms.station.model import ConnectorKey, LimitSource

ROTATE_EVERY_S = 900
"""How long leaves that had to be left out wait for the next turn."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A node, as the run of leaves below it: `first` up to but not including `last`."""

    first: int
    last: int
    cap_w: int
    source: LimitSource


@dataclass(slots=True)
class _Field:
    """The tree laid out flat, and what each leaf has so far. Lists run parallel to `leaves`.

    `spans` are children before parents; `paths` names the spans a leaf is under. `value_w` is what
    a leaf is certain of, `top_w` the most it can get, `need_w` its minimum; the last two are whole
    quanta, or the floor. `cut_by` is what last cut a leaf; `left_out` whether its minimum did not
    fit.
    """

    leaves: list[Leaf]
    spans: list[_Span]
    paths: list[tuple[int, ...]]
    value_w: list[int]
    top_w: list[int]
    need_w: list[int]
    cut_by: list[LimitSource]
    left_out: list[bool]

    @classmethod
    def of(cls, root: Node) -> _Field:
        """Lay out a tree."""
        leaves: list[Leaf] = []
        spans: list[_Span] = []
        direct: list[int] = []
        parents: dict[int, int] = {}
        _lay_out(root, leaves, spans, direct, parents)
        above: dict[int, tuple[int, ...]] = {}
        for span in reversed(range(len(spans))):
            above[span] = (span, *above[parents[span]]) if span in parents else (span,)
        return cls(
            leaves,
            spans,
            paths=[above[span] for span in direct],
            value_w=[leaf.floor_w for leaf in leaves],
            top_w=[
                max(leaf.floor_w, leaf.upper_w - leaf.upper_w % leaf.quantum_w) for leaf in leaves
            ],
            need_w=[-(-leaf.minimum_w // leaf.quantum_w) * leaf.quantum_w for leaf in leaves],
            cut_by=[leaf.upper_source for leaf in leaves],
            left_out=[False] * len(leaves),
        )

    def hold_back(self) -> dict[int, int]:
        """Cut tops to what is enough, for now. Returns the tops that were cut, as they were."""
        held: dict[int, int] = {}
        for index, leaf in enumerate(self.leaves):
            if leaf.enough_w is not None:
                enough_w = leaf.enough_w - leaf.enough_w % leaf.quantum_w
                low_w = max(leaf.floor_w, self.need_w[index], enough_w)
                if low_w < self.top_w[index]:
                    held[index], self.top_w[index] = self.top_w[index], low_w
        return held

    def rooms(self) -> list[int]:
        """What each span has left; negative where the floors do not fit."""
        return [s.cap_w - sum(self.value_w[s.first : s.last]) for s in self.spans]

    def room(self, index: int, rooms: list[int]) -> int:
        """What a leaf can still take under all its caps."""
        return min([rooms[span] for span in self.paths[index]])

    def take(self, index: int, watts: int, rooms: list[int]) -> bool:
        """Give a leaf more if it fits under all its caps, and book it in `rooms`."""
        path = self.paths[index]
        for span in path:
            if rooms[span] < watts:
                return False
        for span in path:
            rooms[span] -= watts
        self.value_w[index] += watts
        return True

    def share(self, index: int) -> Share:
        """What a leaf has, and why not more."""
        leaf, value_w = self.leaves[index], self.value_w[index]
        if self.left_out[index]:
            return Share(value_w, LimitSource.MINIMUM if leaf.upper_w else leaf.upper_source)
        if value_w > leaf.upper_w or (value_w == leaf.floor_w and 0 < value_w < self.top_w[index]):
            return Share(value_w, LimitSource.FALLBACK)
        at_top = value_w == self.top_w[index]
        return Share(value_w, leaf.upper_source if at_top else self.cut_by[index])


def allocate(root: Node, now: float) -> dict[ConnectorKey, Share]:
    """The share of every leaf. `now` (UTC epoch seconds) says whose turn it is to be left out."""
    flat = _Field.of(root)
    held = flat.hold_back()
    for members in _classes(flat.leaves):
        _fill(flat, _served(flat, members, now))
    for index, top_w in held.items():
        flat.top_w[index] = top_w
    _fill(flat, [index for index in held if not flat.left_out[index]])
    return {leaf.key: flat.share(index) for index, leaf in enumerate(flat.leaves)}


def _fill(flat: _Field, active: list[int]) -> None:
    """Give these leaves all they can have."""
    for _ in flat.leaves:
        if not active:
            break
        active = _hand_out(flat, active, _water_fill(flat, active))


def _lay_out(
    node: Node,
    leaves: list[Leaf],
    spans: list[_Span],
    direct: list[int],
    parents: dict[int, int],
) -> int:
    """Add `node` and all below it; its number in `spans`. `direct` is the span above each leaf."""
    first = len(leaves)
    inner: list[int] = []
    own: list[int] = []
    for child in node.children:
        if isinstance(child, Leaf):
            own.append(len(leaves))
            leaves.append(child)
            direct.append(-1)
        else:
            inner.append(_lay_out(child, leaves, spans, direct, parents))
    number = len(spans)
    spans.append(_Span(first, len(leaves), node.cap_w, node.source))
    for index in own:
        direct[index] = number
    for span in inner:
        parents[span] = number
    return number


def _classes(leaves: Sequence[Leaf]) -> Iterator[list[int]]:
    """The leaves of each priority, the highest first."""
    for priority in sorted({leaf.priority for leaf in leaves}, reverse=True):
        yield [index for index, leaf in enumerate(leaves) if leaf.priority == priority]


def _served(flat: _Field, members: list[int], now: float) -> list[int]:
    """Give every member that can have it its minimum; the members that are not left out.

    When not all fit, the one whose turn it is comes first, if it fits at all. Then the smallest
    minima come first, which serves as many as possible on a tree of caps (a larger one can only
    take the place of one or more smaller ones), and among equals the next whose turn it is. Turns
    go by waiting time and move on by one every ROTATE_EVERY_S from when the longest waiting one
    began to wait. So everybody is served now and then, however large its minimum.
    """
    waiting: list[int] = []
    for index in members:
        if flat.need_w[index] > flat.top_w[index]:
            flat.left_out[index] = True
        elif flat.need_w[index] > flat.value_w[index]:
            waiting.append(index)
    rooms = flat.rooms()
    for index in _turns(flat, waiting, now):
        missing_w = flat.need_w[index] - flat.value_w[index]
        flat.left_out[index] = not flat.take(index, missing_w, rooms)
    return [index for index in members if not flat.left_out[index]]


def _turns(flat: _Field, waiting: list[int], now: float) -> list[int]:
    """`waiting` in the order in which it is to be served."""
    if not waiting:
        return waiting
    by_wait = sorted(waiting, key=lambda index: flat.leaves[index].waiting_since)
    oldest = flat.leaves[by_wait[0]].waiting_since
    turn = int((now - oldest) // ROTATE_EVERY_S) % len(by_wait)
    rotated = by_wait[turn:] + by_wait[:turn]
    rest = sorted(rotated[1:], key=lambda index: flat.need_w[index] - flat.value_w[index])
    return [rotated[0], *rest]


def _water_fill(flat: _Field, active: list[int]) -> list[float]:
    """The exact shares, everybody but `active` staying as it is and nobody losing anything."""
    exact_w: list[float] = list(flat.value_w)
    for index in active:
        exact_w[index] = flat.top_w[index]
    for span in flat.spans:
        if sum(exact_w[span.first : span.last]) > span.cap_w:
            _cut(flat, span, exact_w)
    return exact_w


def _cut(flat: _Field, span: _Span, exact_w: list[float]) -> None:
    """Lower the leaves of `span` to one level per weight, so that they just fit."""
    leaves, value_w = flat.leaves, flat.value_w
    inside = range(span.first, span.last)
    growing = [index for index in inside if exact_w[index] > value_w[index]]
    spare_w = span.cap_w - sum(value_w[span.first : span.last])
    level = _level(
        [(value_w[index], exact_w[index], leaves[index].weight) for index in growing], spare_w
    )
    for index in growing:
        lowered_w = max(value_w[index], level * leaves[index].weight)
        if lowered_w < exact_w[index]:
            exact_w[index] = lowered_w
            flat.cut_by[index] = span.source


def _level(ranges: list[tuple[int, float, float]], spare_w: int) -> float:
    """The level at which (low, high, weight) ranges have together risen by `spare_w`.

    A range rises in proportion to its weight between its ends. 0 when there is nothing to spare.
    """
    if spare_w <= 0:
        return 0.0
    bends = [(low_w / weight, weight) for low_w, _, weight in ranges]
    bends += [(high_w / weight, -weight) for _, high_w, weight in ranges]
    bends.sort()
    level = risen_w = slope = 0.0
    for bend, change in bends:
        here_w = risen_w + slope * (bend - level)
        if here_w >= spare_w:
            return level + (spare_w - risen_w) / slope
        level, risen_w = bend, here_w
        slope += change
    return level


def _hand_out(flat: _Field, active: list[int], exact_w: list[float]) -> list[int]:
    """Round down, then give one quantum each to those that can take it, the least served first.

    Returns those that can take still more. There are none when all quanta are 1 W. With others,
    each time round at least one leaf that held room no quantum of its own fits into has dropped
    out.
    """
    rooms = _round_down(flat, active, exact_w)
    value_w, top_w = flat.value_w, flat.top_w
    below = [index for index in active if value_w[index] < top_w[index]]
    below.sort(key=lambda index: value_w[index] / flat.leaves[index].weight)
    took = [index for index in below if flat.take(index, _step_w(flat, index), rooms)]
    return [
        index
        for index in took
        if value_w[index] < top_w[index] and flat.room(index, rooms) >= _step_w(flat, index)
    ]


def _round_down(flat: _Field, active: list[int], exact_w: list[float]) -> list[int]:
    """Give the whole quanta of the exact shares; what each span then has left.

    If the sums then break a cap, by a floor that does not fit or by an error of the float
    arithmetic, each leaf gets what can be booked for it. A watt lost so is handed out later.
    """
    before_w = list(flat.value_w)
    for index in active:
        whole_w = int(exact_w[index])
        if whole_w > before_w[index]:
            whole_w -= whole_w % flat.leaves[index].quantum_w
            flat.value_w[index] = max(before_w[index], whole_w)
    rooms = flat.rooms()
    if min(rooms) >= 0:
        return rooms
    wanted_w, flat.value_w = flat.value_w, before_w
    rooms = flat.rooms()
    for index in active:
        more_w = min(wanted_w[index] - before_w[index], max(0, flat.room(index, rooms)))
        if more_w < wanted_w[index] - before_w[index]:
            more_w = max(0, more_w - (before_w[index] + more_w) % flat.leaves[index].quantum_w)
        flat.take(index, more_w, rooms)
    return rooms


def _step_w(flat: _Field, index: int) -> int:
    """From what a leaf has to its next whole quantum."""
    quantum_w = flat.leaves[index].quantum_w
    return quantum_w - flat.value_w[index] % quantum_w
