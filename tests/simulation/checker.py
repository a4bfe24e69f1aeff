"""Compares what the chargers could draw with what the station may, and with what csms believes.

Rules, by name:

- physics: at every node, all that could be drawn is no more than the node gives, but for the time
  after a cut that lowering takes;
- ledger: no connector could draw more than the ledger counts for it;
- overcommitted: nothing is raised while the ledger counts more than there is;
- books: what the ledger counts at a node is above what there is only for the time that lowering
  takes after a cut or a fresh doubt, and by what csms cannot lower (`overcommitment`). Not judged
  unless asked for: it does not know yet of everything that may keep csms from lowering at once;
- share: no less is granted than may be (I14: granting nothing is no way to be safe);
- order: a raise is durable before it is on the wire, and not older than it may be.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from csms.control.station_loop import StationLoop
from csms.dispatch.commands import Scope, SetLimit
from csms.dispatch.ledger import Entry
from csms.station.model import ConnectorKey, Station
from tests.simulation import insight
from tests.simulation.charger import SimulatedCharger
from tests.simulation.leases import Leases
from tests.simulation.near_cuts import NearCuts
from tests.simulation.overcommitment import Overcommitment
from tests.simulation.settings import WorldSettings
from tests.simulation.virtual_time import EPOCH_S

TRACE_KEPT = 400
TOLERANCE_W = 1.0
STALE_S = 1.1
COMPLY_S = 5.0
COMPLY_INTERVALS = 4
"""T_comply of the fault table, F5, is two intervals: two readings wholly after the settling time.
The first may begin before that and not count, and one may be lost unseen by `_may_defy`."""

RULES = ("ledger", "overcommitted", "books", "order")

SHARE_AFTER_S = 7_200.0
DEFIANCE_W, DEFIANCE_PART = 500.0, 0.05
"""What a charger may draw above its limit before csms can tell it from its meter's error."""

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
    """The last time the station was given less. `before_w`: what it had.

    `fits_since`: from when on no more could be drawn. The cut is not over at once then: a limit
    that was on its way may still raise something, and so may chargers that nobody reaches.
    """

    at: float
    before_w: float
    fits_since: float | None = None
    over: bool = False


@dataclass(slots=True)
class Tally:
    """What was measured on the way. Watt-seconds of what could be drawn, and of what was wanted.

    `near_cuts_s`: how long each charger in reach took to follow a cut (see `near_cuts`); `cuts_s`:
    how long cuts took to take hold where all were in reach, `far_cuts_s` where some were not.
    """

    granted_ws: float = 0.0
    wanted_ws: float = 0.0
    overload_ws: float = 0.0
    worst_w: float = 0.0
    near_cuts_s: list[float] = field(default_factory=list)
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
        self._fallback_w = {
            connector.key: charger.unspoken_of_w(connector)
            for charger in base.chargers
            for connector in charger.connectors
        }
        self._least_w = {c.charger_id: c.unspoken_w for c in base.chargers}
        self._on = {rule: rule in settings.judged for rule in RULES}
        self._broken: Counter[str] = Counter()
        self._cut: Cut | None = None
        self._touched_at: dict[str, float] = {}
        self._obeyed_at: dict[ConnectorKey, float] = {}
        self._defies_since: dict[ConnectorKey, float] = {}
        self._defies_w: dict[ConnectorKey, float] = {}
        self._convicted: set[ConnectorKey] = set()
        self._on_record: frozenset[ConnectorKey] = frozenset()
        self._comply_s = COMPLY_S + COMPLY_INTERVALS * settings.meter_interval_s
        self._near = NearCuts(self.tally.near_cuts_s, self._least_w, self.say)
        self._leases = Leases(loop, settings, chargers)
        self._books = Overcommitment(
            loop, settings.cut_grace_s, settings.tick_s, self._hears, self._has_ended, self.look
        )
        self._raised: set[int] = set()
        self._power_w: dict[str, float] = dict.fromkeys((c.charger_id for c in base.chargers), 0.0)
        self._total_w = 0.0
        self._over_w = 0.0
        self._since = 0.0
        self._blind_at: dict[str, float] = {}

    # ------------------------------------------------------------------ what happened

    def say(self, text: str) -> None:
        """Something for the trace."""
        self.trace.append((self._loop.time(), text))

    def touched(self, charger_id: str, why: str) -> None:
        """A fault may keep this charger from being reached for a while."""
        self._touched_at[charger_id] = self._loop.time()
        self._near.touched(charger_id)
        self._leases.touched(charger_id, why)
        self.say(f"{charger_id}: {why}")

    def disturbed(self) -> None:
        """A fault of csms itself that may keep it from lowering anybody for a while."""
        self._near.disturbed(self._loop.time())

    def started(self, core: StationLoop | None, on_record: frozenset[ConnectorKey]) -> None:
        """The core has started, from what was on the disk: what had not got there still counts.

        Of the connectors `on_record` there it knows that they do not obey.
        """
        self.core = core
        self._on_record = on_record
        self._raised.clear()  # a token that was never written is given out again
        self._books.started()
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
        if available_w < self.allowed_w:
            self._begin_cut(self.allowed_w)
            near = {c for c in self._chargers if self._in_reach(c, self._loop.time())}
            self._near.begin(self._loop.time(), {c: self._power_w[c] for c in near})
        self.say(f"available {available_w} W")
        self.allowed_w = available_w
        self.look()

    def _begin_cut(self, before_w: float) -> None:
        cut = self._cut
        if cut is not None and not cut.over:
            if cut.fits_since is None:
                before_w = max(before_w, cut.before_w)
            else:
                self._count_cut(cut, cut.fits_since)
        self._cut = Cut(self._loop.time(), before_w)
        for seconds in (self._settings.cut_grace_s, TOUCH_LASTS_S, self._leases.longest_s):
            self._loop.call_later(seconds + 1e-3, self.look)

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
        charger = self._chargers[command.connector.charger_id]
        if command.scope is Scope.SESSION or charger.traits.tx_default_only:
            self._near.told(self._loop.time(), command.connector, command.limit.value_w)
            self._leases.told(command)
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
        core = self.core
        if core is not None:
            self._look_at_convicts(core)
            for key in self._fallback_w:
                self._check_ledger(key)
        self._check_physics()
        self._check_share()
        if core is None:
            return
        if self._on["books"]:
            self._check_totals(core)

    def _check_physics(self) -> None:
        slack_w = TOLERANCE_W * len(self._fallback_w)
        for number, (limit_w, ids) in enumerate(self._feeders):
            drawn_w = sum(self._power_w[i] for i in ids)
            defies_w = sum(w for key, w in self._defies_w.items() if key.charger_id in ids)
            text = f"feeder {number}: {drawn_w:.0f} W could be drawn, {limit_w} W may be"
            held = drawn_w - defies_w <= limit_w + slack_w
            self._judge("physics", f"feeder {number}", held, text)
        over_w = self._total_w - self.allowed_w - sum(self._defies_w.values())
        self.tally.worst_w = max(self.tally.worst_w, over_w)
        self._over_w = max(0.0, over_w)
        physics_w = {c: charger.physics_w for c, charger in self._chargers.items()}
        self._near.look(self._loop.time(), physics_w, self.allowed_w + slack_w)
        self._follow_cut(fits=over_w <= slack_w)
        text = f"grid: {self._total_w:.0f} W could be drawn, {self.allowed_w} W may be"
        held = over_w <= slack_w or self._cut_excuses(slack_w)
        self._judge("physics", "grid", held, text)

    def _check_share(self) -> None:
        least, tally = self._settings.least_share, self.tally
        if least and self._loop.time() >= SHARE_AFTER_S:
            share = tally.granted_ws / tally.wanted_ws if tally.wanted_ws else 1.0
            self._judge("share", "granted", share >= least, f"only {100 * share:.1f} % is granted")

    def _follow_cut(self, *, fits: bool) -> None:
        cut, now = self._cut, self._loop.time()
        if cut is None or cut.over:
            return
        if not fits:
            cut.fits_since = None
            return
        if cut.fits_since is None:
            cut.fits_since = now
        away = any(self._out_of_reach(charger_id, cut, now) for charger_id in self._chargers)
        if now - cut.at > TOUCH_LASTS_S and not away:
            cut.over = True
            self._count_cut(cut, cut.fits_since)

    def _count_cut(self, cut: Cut, fits_since: float) -> None:
        took_s = fits_since - cut.at
        if took_s > 0:
            (self.tally.cuts_s if self._all_in_reach(cut) else self.tally.far_cuts_s).append(took_s)

    def _in_reach(self, charger_id: str, at: float) -> bool:
        charger = self._chargers[charger_id]
        touched_at = self._touched_at.get(charger_id, -1e9)
        return charger.in_reach and not charger.traits.hopeless and touched_at < at - TOUCH_LASTS_S

    def _all_in_reach(self, cut: Cut) -> bool:
        return all(self._in_reach(charger_id, cut.at) for charger_id in self._chargers)

    def _cut_excuses(self, slack_w: float) -> bool:
        """Whether a cut explains it: chargers in reach must have made room for all the others."""
        cut = self._cut
        defies_w = sum(self._defies_w.values())
        if cut is None or cut.over or self._total_w - defies_w > cut.before_w + slack_w:
            return False
        now = self._loop.time()
        if now - cut.at <= self._settings.cut_grace_s:
            return True
        away = {c for c in self._chargers if self._out_of_reach(c, cut, now)}
        here_w = sum(w for c, w in self._power_w.items() if c not in away)
        if now - cut.at <= TOUCH_LASTS_S:
            # Until their time is out, csms may hope that the others obey as well.
            return here_w <= self.allowed_w + slack_w
        if not away:
            return False
        away_w = self._total_w - here_w
        least_w = sum(w for key, w in self._fallback_w.items() if key.charger_id not in away)
        return here_w <= max(least_w, self.allowed_w - away_w) + slack_w

    def _out_of_reach(self, charger_id: str, cut: Cut, now: float) -> bool:
        if self._leases.over(charger_id, cut.at, now):
            return False
        charger = self._chargers[charger_id]
        if charger.traits.hopeless or not charger.in_reach:
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
        charger = self._chargers[key.charger_id]
        physics_w = charger.physics_w.get(key.connector_id, 0.0)
        if physics_w <= TOLERANCE_W:
            self._defies_w.pop(key, None)
            self._defies_since.pop(key, None)
            return
        counted_w = insight.worst_case_w(core, key, EPOCH_S + self._loop.time())
        suspicious = charger.traits.overdraws or self._deceives_by_its_clock(charger)
        if suspicious and self._may_defy(charger, key, physics_w, counted_w):
            return
        if not self._on["ledger"]:
            return
        text = f"{key} could draw {physics_w:.1f} W, the ledger counts {counted_w} W"
        self._judge("ledger", str(key), physics_w <= counted_w + TOLERANCE_W, text)

    def _deceives_by_its_clock(self, charger: SimulatedCharger) -> bool:
        """Whether its clock is wrong, and csms was not in touch for long enough to know."""
        wrong = abs(charger.spells.skew_s) > self._settings.given_skew_s
        return wrong and not self._leases.clock_known_wrong(charger.charger_id, self._comply_s)

    def _may_defy(
        self, charger: SimulatedCharger, key: ConnectorKey, physics_w: float, counted_w: float
    ) -> bool:
        """Whether csms cannot know yet that this charger goes beyond its limit (I11).

        It ignores it, or gives more than its nameplate says, or thinks that it has not ended yet.

        It needs some readings, which come late or not at all when anything is wrong.
        """
        now = self._loop.time()
        excess_w = physics_w - counted_w
        self._defies_w.pop(key, None)
        if excess_w <= TOLERANCE_W:
            self._defies_since.pop(key, None)
            return True
        if excess_w <= max(DEFIANCE_W, DEFIANCE_PART * counted_w) and key not in self._on_record:
            # No meter shows so little: csms can know no sooner than when it is more.
            self._defies_since.pop(key, None)
            self._defies_w[key] = excess_w
            return True
        since = self._defies_since.setdefault(key, now)
        if charger.liar.lie is not None or not charger.in_reach:
            self._blind_at[key.charger_id] = now
        known_at = max(
            since,
            self._blind_at.get(key.charger_id, since),
            self._touched_at.get(key.charger_id, since),
        )
        if key in self._on_record:
            return False
        if now - known_at <= self._comply_s:
            self._defies_w[key] = excess_w
            return True
        return False

    def _look_at_convicts(self, core: StationLoop) -> None:
        """A charger just seen to ignore its limits takes power from the others, as a cut does."""
        convicted = insight.suspected(core)
        fresh = convicted - self._convicted
        self._convicted = convicted
        self._on_record -= convicted
        ignoring = {
            key.charger_id for key in fresh if self._chargers[key.charger_id].traits.overdraws
        }
        if ignoring:
            more_w = sum(self._chargers[c].hardware.max_w for c in ignoring)
            self._begin_cut(max(self._total_w, self.allowed_w) + more_w)

    def _check_totals(self, core: StationLoop) -> None:
        """At the grid and every feeder."""
        for node, text in self._books.judge(core, EPOCH_S + self._loop.time()).items():
            self._judge("books", node, not text, text)

    def _hears(self, core: StationLoop, charger_id: str) -> bool:
        """Whether csms and the charger can talk to each other, and csms knows it."""
        return self._chargers[charger_id].in_reach and insight.in_contact(core, charger_id)

    def _has_ended(self, charger_id: str, since: float) -> bool:
        """Whether the ledger may count nothing beyond the fallback for want of an end.

        On a line that is half open csms may have given limits for a while that count from then on.
        """
        return self._leases.over(charger_id, since, self._loop.time() - TOUCH_LASTS_S)

    def _check_raises(self, core: StationLoop, entries: Sequence[Entry]) -> None:
        """Nothing may be raised while the station's total is, or would be, larger than it may."""
        now = EPOCH_S + self._loop.time()
        raised = [
            e for e in insight.newly_given_out(entries) if insight.raises(core, e, entries, now)
        ]
        self._raised.update(e.token for e in raised)
        if self._on["books"]:
            self._check_totals(core)
        counted_w = insight.total_w(core, now)
        held = not raised or counted_w <= insight.available_w(core)
        text = f"{raised} raise the ledger to {counted_w} W"
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

    def share(self, useful_w: float) -> float:
        """The part that could be drawn now of what could be used."""
        return min(self._total_w, useful_w) / useful_w if useful_w else 1.0

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
