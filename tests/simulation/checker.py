"""Compares what the chargers could draw with what the station may, and with what csms believes.

Rules, by name:

- physics: at every node, all that could be drawn is no more than the node gives, but for the time
  after a cut that lowering takes;
- ledger: no connector could draw more than the ledger counts for it;
- overcommitted: the ledger's total is above what is available only where a cut or an uncontrolled
  charger explains it, and nothing is raised meanwhile;
- order: a raise is durable before it is on the wire, and not older than it may be.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from csms.control.station_loop import StationLoop
from csms.dispatch.commands import SetLimit
from csms.dispatch.ledger import Entry
from csms.station.model import ConnectorKey, Station
from tests.simulation import insight
from tests.simulation.charger import SimulatedCharger
from tests.simulation.settings import WorldSettings
from tests.simulation.virtual_time import EPOCH_S

TRACE_KEPT = 400
TOLERANCE_W = 1.0
STALE_S = 1.1
TOUCH_LASTS_S = 70.0
"""A call that got stuck is over by then: its wait in the queue, and its time on the wire."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule, when it began."""

    at: float
    rule: str
    text: str


@dataclass(slots=True)
class Cut:
    """The last time the station was given less. `before_w`: what it had."""

    at: float
    before_w: int
    over: bool = False


@dataclass(slots=True)
class Tally:
    """What was measured on the way. Watt-seconds of what could be drawn, and of what was wanted.

    `cuts_s`: how long cuts took to take hold while every charger was in reach; `far_cuts_s`: the
    others.
    """

    granted_ws: float = 0.0
    wanted_ws: float = 0.0
    overload_ws: float = 0.0
    worst_w: float = 0.0
    cuts_s: list[float] = field(default_factory=list)
    far_cuts_s: list[float] = field(default_factory=list)


class Checker:
    """Looks after every event. `base` is the station as it is built, before any cut."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: WorldSettings,
        base: Station,
        chargers: Mapping[str, SimulatedCharger],
    ) -> None:
        self.breaches: list[Breach] = []
        self.tally = Tally()
        self.trace: deque[tuple[float, str]] = deque(maxlen=TRACE_KEPT)
        self.trace_of_first: list[tuple[float, str]] = []
        self.on_breach: Callable[[], None] = lambda: None
        self.allowed_w = base.available_w
        self.core: StationLoop | None = None
        self._loop = loop
        self._settings = settings
        self._chargers = chargers
        self._feeders = [
            (f.limit_w, [c.charger_id for c in base.chargers if c.feeder_id == f.feeder_id])
            for f in base.feeders
        ]
        self._fallback_w = {c.key: c.fallback_w for c in base.connectors()}
        self._on = {rule: rule in settings.judged for rule in ("ledger", "overcommitted", "order")}
        self._broken: Counter[str] = Counter()
        self._cut: Cut | None = None
        self._touched_at: dict[str, float] = {}
        self._obeyed_at: dict[ConnectorKey, float] = {}
        self._explained = True
        self._counted_w = 0
        self._available_w = 0
        self._raised: set[int] = set()
        self._power_w: dict[str, float] = dict.fromkeys((c.charger_id for c in base.chargers), 0.0)
        self._total_w = 0.0
        self._over_w = 0.0
        self._since = 0.0

    # ------------------------------------------------------------------ what happened

    def say(self, text: str) -> None:
        """Something for the trace."""
        self.trace.append((self._loop.time(), text))

    def touched(self, charger_id: str, why: str) -> None:
        """A fault may keep this charger from being reached for a while."""
        self._touched_at[charger_id] = self._loop.time()
        self.say(f"{charger_id}: {why}")

    def started(self, core: StationLoop | None) -> None:
        """The core has started, from what was on the disk: what had not got there still counts."""
        self.core = core
        self._explained = True
        self.look()

    def obeyed(self, key: ConnectorKey) -> None:
        """The charger has told csms that this connector has its newest limit."""
        self._obeyed_at[key] = self._loop.time()

    def moved(self, charger: SimulatedCharger) -> None:
        """What a charger could draw may have changed."""
        most_w = min(charger.hardware.max_w, sum(charger.physics_w.values()))
        self._power_w[charger.charger_id] = most_w
        self._count_time()
        self._total_w = sum(self._power_w.values())
        self.say(f"{charger.charger_id} could draw {charger.physics_w}")
        self.look()

    def limited(self, available_w: int) -> None:
        """From now on the station may draw this much."""
        self._count_time()
        now = self._loop.time()
        if available_w < self.allowed_w:
            running = self._cut is not None and not self._cut.over
            before_w = max(self.allowed_w, self._cut.before_w if running and self._cut else 0)
            self._cut = Cut(now, before_w)
            self._explained = True
            self._loop.call_later(self._settings.cut_grace_s + 1e-3, self.look)
            if self._settings.lease_s is not None:
                lease_s = self._settings.lease_s + self._settings.skew_s
                self._loop.call_later(lease_s + 1e-3, self.look)
        self.say(f"available {available_w} W")
        self.allowed_w = available_w
        self.look()

    def ledger_changed(self, entries: Sequence[Entry]) -> None:
        """The core has changed its ledger."""
        if self.core is None:
            return
        if self._on["overcommitted"]:
            self._check_raises(self.core, entries)
        if self._on["ledger"]:
            for entry in entries:
                self._check_ledger(entry.connector)

    def sending(self, command: SetLimit, sent_at: float, *, durable: bool) -> None:
        """A limit is about to go out, decided on at `sent_at`."""
        age_s = EPOCH_S + self._loop.time() - sent_at
        self.say(f"{command.connector} {command.scope.value} {command.limit.value_w} W goes out")
        if not self._on["order"] or command.token not in self._raised:
            return
        self._judge("order", "durable", durable, f"{command} is sent but not written")
        self._judge("order", "stale", age_s <= STALE_S, f"{command} is {age_s:.1f} s old")

    def failed(self, what: str) -> None:
        """Something broke that should not."""
        self._judge("error", what, held=False, text=what)

    # ------------------------------------------------------------------ the rules

    def look(self) -> None:
        """Check everything there is to see now."""
        self._check_physics()
        core = self.core
        if core is None:
            return
        if self._on["ledger"]:
            for key in self._fallback_w:
                self._check_ledger(key)
        if self._on["overcommitted"]:
            self._check_total(core)

    def _check_physics(self) -> None:
        slack_w = TOLERANCE_W * len(self._fallback_w)
        for number, (limit_w, ids) in enumerate(self._feeders):
            drawn_w = sum(self._power_w[i] for i in ids)
            text = f"feeder {number}: {drawn_w:.0f} W could be drawn, {limit_w} W may be"
            self._judge("physics", f"feeder {number}", drawn_w <= limit_w + slack_w, text)
        over_w = self._total_w - self.allowed_w
        self.tally.worst_w = max(self.tally.worst_w, over_w)
        self._over_w = max(0.0, over_w)
        if over_w <= slack_w:
            self._cut_is_over()
        text = f"grid: {self._total_w:.0f} W could be drawn, {self.allowed_w} W may be"
        held = over_w <= slack_w or self._cut_excuses(slack_w)
        self._judge("physics", "grid", held, text)

    def _cut_is_over(self) -> None:
        cut = self._cut
        if cut is not None and not cut.over:
            cut.over = True
            took_s = self._loop.time() - cut.at
            if took_s > 0:
                (self.tally.cuts_s if self._all_in_reach(cut) else self.tally.far_cuts_s).append(
                    took_s
                )

    def _all_in_reach(self, cut: Cut) -> bool:
        return all(
            charger.online
            and not charger.traits.hopeless
            and self._touched_at.get(charger.charger_id, -1e9) < cut.at - TOUCH_LASTS_S
            for charger in self._chargers.values()
        )

    def _cut_excuses(self, slack_w: float) -> bool:
        """Whether a cut explains it: chargers in reach must have made room for all the others."""
        cut = self._cut
        if cut is None or cut.over or self._total_w > cut.before_w + slack_w:
            return False
        now = self._loop.time()
        if now - cut.at <= self._settings.cut_grace_s:
            return True
        away = {c for c in self._chargers if self._out_of_reach(c, cut, now)}
        here_w = sum(w for c, w in self._power_w.items() if c not in away)
        if now - cut.at <= TOUCH_LASTS_S:
            # Until their time is out, csms may hope that the others obey as well.
            return here_w <= self.allowed_w + slack_w
        away_w = self._total_w - here_w
        least_w = sum(w for key, w in self._fallback_w.items() if key.charger_id not in away)
        return here_w <= max(least_w, self.allowed_w - away_w) + slack_w

    def _out_of_reach(self, charger_id: str, cut: Cut, now: float) -> bool:
        settings = self._settings
        if settings.lease_s is not None and now > cut.at + settings.lease_s + settings.skew_s:
            return False
        charger = self._chargers[charger_id]
        if charger.traits.hopeless or not charger.online:
            return True
        touched_at = self._touched_at.get(charger_id, -1e9)
        if touched_at < cut.at - TOUCH_LASTS_S:
            return False
        since = max(touched_at, cut.at)
        return any(
            self._obeyed_at.get(ConnectorKey(charger_id, number), -1e9) < since
            for number, watts in charger.physics_w.items()
            if watts > 0
        )

    def _check_ledger(self, key: ConnectorKey) -> None:
        core = self.core
        if core is None or key not in core.state.connectors:
            return
        physics_w = self._chargers[key.charger_id].physics_w.get(key.connector_id, 0.0)
        if physics_w <= TOLERANCE_W:
            return
        counted_w = insight.worst_case_w(core, key, EPOCH_S + self._loop.time())
        text = f"{key} could draw {physics_w:.1f} W, the ledger counts {counted_w} W"
        self._judge("ledger", str(key), physics_w <= counted_w + TOLERANCE_W, text)

    def _check_total(self, core: StationLoop) -> None:
        now = EPOCH_S + self._loop.time()
        self._counted_w = insight.total_w(core, now)
        available_w, before_w = core.state.station.available_w, self._available_w
        self._available_w = available_w
        if self._counted_w <= available_w:
            self._explained = False
        elif available_w < before_w or insight.any_uncontrolled(core, now):
            self._explained = True
        text = f"the ledger counts {self._counted_w} W of {available_w} W"
        held = self._explained or self._counted_w <= available_w
        self._judge("overcommitted", "total", held, text)

    def _check_raises(self, core: StationLoop, entries: Sequence[Entry]) -> None:
        """Nothing may be raised while the station's total is, or would be, larger than it may."""
        now = EPOCH_S + self._loop.time()
        raised = [
            e for e in insight.newly_given_out(entries) if insight.raises(core, e, entries, now)
        ]
        self._raised.update(e.token for e in raised)
        self._check_total(core)
        held = not raised or self._counted_w <= core.state.station.available_w
        text = f"{raised} raise the ledger to {self._counted_w} W"
        self._judge("overcommitted", "raise", held, text)

    def _judge(self, rule: str, what: str, held: bool, text: str) -> None:
        """Count a breach once, from its beginning to its end."""
        name = f"{rule}/{what}"
        if held:
            if self._broken[name]:
                self._broken[name] = 0
            return
        self._broken[name] += 1
        if self._broken[name] > 1 or (rule != "error" and rule not in self._settings.judged):
            return
        self.breaches.append(Breach(self._loop.time(), rule, text))
        self.say(f"BREACH of {rule}: {text}")
        if len(self.breaches) == 1:
            self.trace_of_first = list(self.trace)
            self.on_breach()

    # ------------------------------------------------------------------ what is measured

    def wants(self, watts: float) -> None:
        """From now on, this much of what is available could be used."""
        self._count_time()
        self._wanted_w = watts

    _wanted_w: float = 0.0

    def _count_time(self) -> None:
        now = self._loop.time()
        seconds = now - self._since
        self._since = now
        self.tally.granted_ws += seconds * min(self._total_w, self._wanted_w)
        self.tally.wanted_ws += seconds * self._wanted_w
        self.tally.overload_ws += seconds * self._over_w
