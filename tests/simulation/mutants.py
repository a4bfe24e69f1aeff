"""The core without one of its safety rules at a time. The checker must notice every one.

To add one: write a function that returns its patches, and name it in `_ALL`.
"""

# A mutant is made by reaching into the core: that is what it is for.
# ruff: noqa: SLF001

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from csms.balancing import budget
from csms.balancing.allocation import Share
from csms.balancing.allocators import max_min
from csms.control import balancer, orders, sender, supervisor, watch
from csms.control.by_hand import HandSent
from csms.control.orders import OrderBook
from csms.control.sender import Sender
from csms.control.station_loop import StationLoop
from csms.control.watch import Watch
from csms.dispatch import goals, planner
from csms.dispatch.commands import Scope
from csms.dispatch.compliance import Step
from csms.dispatch.conviction import Conviction
from csms.dispatch.goals import Goal
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Wish
from csms.dispatch.policy import DispatchPolicy
from csms.protocol.ocpp16 import smart_charging
from csms.station import grid
from csms.station.facts import ChargerConnected, ChargerDisconnected
from csms.station.model import Charger, Connector, ConnectorKey, LimitSource, Station
from tests.simulation import mutant_worlds as worlds
from tests.simulation.alterations import Alteration
from tests.simulation.durable import DurableStore
from tests.simulation.patches import Patch

Settle = Callable[[Ledger, int, EntryState, float], list[Entry]]


def _settle_frees(state: EntryState) -> Callable[[], Sequence[Patch]]:
    """An answer of this kind, or the lack of one, is read as: it was not applied."""

    def patches() -> Sequence[Patch]:
        original: Settle = Ledger.settle

        def settle(ledger: Ledger, token: int, to: EntryState, at: float) -> list[Entry]:
            return ledger.unsend(token) if to is state else original(ledger, token, to, at)

        return [Patch(Ledger, "settle", settle)]

    return patches


def _newest_only() -> Sequence[Patch]:
    def worst_case_w(ledger: Ledger, key: ConnectorKey) -> int:
        connector = _connector(ledger, key)
        if ledger.uncontrolled(key):
            return connector.max_power_w
        entries = [e for e in ledger.entries() if e.connector == key]
        newest = [e.limit.value_w for e in entries if e.scope is Scope.SESSION][-1:]
        return min(max([connector.fallback_w, *newest]), connector.max_power_w)

    return [Patch(Ledger, "worst_case_w", worst_case_w)]


def _connector(ledger: Ledger, key: ConnectorKey) -> Connector:
    return next(c for c in ledger.station.connectors() if c.key == key)


def disconnected_counts_nothing() -> Sequence[Patch]:
    """A charger without a socket counts at zero."""
    original = Ledger.worst_case_w
    happened = StationLoop._happened
    away: set[str] = set()

    def worst_case_w(ledger: Ledger, key: ConnectorKey) -> int:
        return 0 if key.charger_id in away else original(ledger, key)

    def noticed(loop: StationLoop, fact: Any, tasks: Any) -> None:
        if isinstance(fact, ChargerDisconnected):
            away.add(fact.charger_id)
        elif isinstance(fact, ChargerConnected):
            away.discard(fact.charger_id)
        happened(loop, fact, tasks)

    return [
        Patch(Ledger, "worst_case_w", worst_case_w),
        Patch(StationLoop, "_happened", noticed),
    ]


def _ledger_lost() -> Sequence[Patch]:
    async def load(store: DurableStore, station_id: str) -> list[Entry]:
        return []

    async def load_chargers(store: DurableStore) -> dict[str, Any]:
        return {}

    return [Patch(DurableStore, "load", load), Patch(DurableStore, "load_chargers", load_chargers)]


def _raise_before_lower() -> Sequence[Patch]:
    def above(room: Any, key: ConnectorKey) -> tuple[int, LimitSource]:
        return 10**9, LimitSource.GRID

    return [Patch(planner._Room, "above", above)]


def _send_before_durable() -> Sequence[Patch]:
    async def written(sender: Sender, entries: list[Entry]) -> bool:
        sender.keep(entries)
        return True

    return [Patch(Sender, "_written", written)]


def _boot_keeps_confirmed() -> Sequence[Patch]:
    def doubt(ledger: Ledger, charger_id: str) -> list[Entry]:
        return []

    return [Patch(Ledger, "doubt", doubt)]


def _fallback_not_counted() -> Sequence[Patch]:
    original = Ledger.worst_case_w

    def worst_case_w(ledger: Ledger, key: ConnectorKey) -> int:
        if ledger.uncontrolled(key):
            return original(ledger, key)
        entries = [e for e in ledger.entries() if e.connector == key]
        return max((e.limit.value_w for e in entries if e.scope is Scope.SESSION), default=0)

    return [Patch(Ledger, "worst_case_w", worst_case_w)]


def _lingering_forgotten() -> Sequence[Patch]:
    def lingering_w(ledger: Ledger, key: ConnectorKey) -> int:
        return 0

    return [Patch(Ledger, "lingering_w", lingering_w)]


def _floor_not_counted() -> Sequence[Patch]:
    def set_floor(ledger: Ledger, key: ConnectorKey, watts: int) -> None:
        return

    return [Patch(Ledger, "set_floor", set_floor)]


def unconfirmed_counts_its_fallback() -> Sequence[Patch]:
    """A charger that has confirmed nothing counts at its fallback."""

    def permitted_w(ledger: Ledger, key: ConnectorKey) -> int:
        return max(ledger.given_w(key), ledger._connectors[key].fallback_w)

    return [Patch(Ledger, "permitted_w", permitted_w)]


def _feeder_not_checked() -> Sequence[Patch]:
    original, overdrawn = planner._Room.__init__, Ledger.overdrawn
    tree = budget.tree

    def bare(station: Station) -> Station:
        chargers = tuple(replace(c, feeder_id=None) for c in station.chargers)
        return replace(station, chargers=chargers, feeders=())

    def blind(room: Any, ledger: Ledger) -> None:
        original(room, ledger)
        room._above = {
            charger_id: [shared for shared in above if shared.source is LimitSource.GRID]
            for charger_id, above in room._above.items()
        }

    def flat(station: Station, *rest: Any) -> Any:
        return tree(bare(station), *rest)

    def seen(ledger: Ledger) -> dict[str, int]:
        return {node: w for node, w in overdrawn(ledger).items() if not node.startswith("feeder")}

    return [
        Patch(planner._Room, "__init__", blind),
        Patch(balancer, "tree", flat),
        Patch(Ledger, "overdrawn", seen),
    ]


def _rounding_up() -> Sequence[Patch]:
    def amperes(limit_w: int, phases: int, voltage_v: int) -> float:
        return math.ceil(limit_w * 10 / (phases * voltage_v)) / 10

    return [
        Patch(smart_charging, "amperes", amperes),
        Patch(balancer, "quantum_w", lambda *_: 1),
    ]


def _stale_raise() -> Sequence[Patch]:
    return [Patch(sender, "STALE_RAISE_S", 1e9)]


def _fear_takes_nothing() -> Sequence[Patch]:
    """What counts beyond its limits is shared out once more, so that nobody is lowered for it."""
    original = budget.tree

    def tree(
        station: Station, leaves: Any, reserved: Mapping[ConnectorKey, int], *rest: Any
    ) -> Any:
        fallback_w = {c.key: c.fallback_w for c in station.connectors()}
        return original(station, leaves, {key: fallback_w[key] for key in reserved}, *rest)

    return [Patch(balancer, "tree", tree)]


def _limits_without_end() -> Sequence[Patch]:
    def gets_end(*_: Any) -> bool:
        return False

    return [Patch(OrderBook, "_gets_end", gets_end)]


def _pauses_trusted() -> Sequence[Patch]:
    def trusts_resume(capability: Any) -> bool:
        return True

    return [Patch(watch, "trusts_resume", trusts_resume)]


def _no_skew_margin() -> Sequence[Patch]:
    def entry(*args: Any, **values: Any) -> Entry:
        made = Entry(*args, **values)
        return replace(made, counts_until=made.limit.expires_at)

    return [Patch(orders, "Entry", entry)]


def _everyone_keeps_to_the_end() -> Sequence[Patch]:
    def gets_end(orders: OrderBook, wish: Wish, charger: Charger, *_: Any) -> bool:
        connector = next(c for c in charger.connectors if c.key == wish.connector)
        return wish.lease and orders._form(wish.scope, charger, connector).carries_end

    return [Patch(OrderBook, "_gets_end", gets_end)]


def _lowers_wait() -> Sequence[Patch]:
    """A goal goes down no more often than it may go up."""
    original = goals.next_goals
    lowered_at: dict[ConnectorKey, float] = {}

    def next_goals(
        previous: Mapping[ConnectorKey, Goal],
        shares: Mapping[ConnectorKey, Share],
        *,
        policy: DispatchPolicy,
        now: float,
        **other: Any,
    ) -> dict[ConnectorKey, Goal]:
        goals = original(previous, shares, policy=policy, now=now, **other)
        for key, goal in goals.items():
            before = previous.get(key)
            if before is None or goal.value_w >= before.value_w:
                continue
            if now - lowered_at.get(key, 0.0) < policy.raise_spacing_s:
                goals[key] = before
            else:
                lowered_at[key] = now
        return goals

    return [Patch(balancer, "next_goals", next_goals)]


def _told_whatever() -> Sequence[Patch]:
    def told(*_: Any) -> dict[ConnectorKey, Share]:
        return {}

    return [Patch(balancer.Balancer, "_told_all_the_same", told)]


def _grants_nothing() -> Sequence[Patch]:
    def allocate(root: Any, now: float) -> dict[ConnectorKey, Share]:
        shares: Mapping[ConnectorKey, Share] = original(root, now)
        return {key: replace(share, value_w=0) for key, share in shares.items()}

    original = max_min.allocate
    return [Patch(max_min, "allocate", allocate)]


def _anything_goes() -> Sequence[Patch]:
    def feasibility(station: Station) -> list[str]:
        return []

    return [Patch(supervisor, "feasibility", feasibility)]


def _silence_is_no_loss() -> Sequence[Patch]:
    def silent_at(station: Station, known: grid.GridState) -> float | None:
        return None

    return [Patch(grid, "silent_at", silent_at)]


def _disk_not_locked() -> Sequence[Patch]:
    def lock(store: DurableStore) -> None:
        return

    return [Patch(DurableStore, "_lock", lock)]


def _accepted_is_applied() -> Sequence[Patch]:
    def look(*_: Any) -> list[tuple[ConnectorKey, Step]]:
        return []

    return [Patch(Watch, "look", look)]


def _convictions_lost() -> Sequence[Patch]:
    async def convictions(store: DurableStore, station_id: str) -> list[Conviction]:
        return []

    return [Patch(DurableStore, "convictions", convictions)]


def _by_hand_not_counted() -> Sequence[Patch]:
    def entries(*_: Any) -> list[Entry]:
        return []

    return [Patch(HandSent, "_entries", entries)]


_ALL: Iterable[Alteration] = (
    Alteration(
        "silence_frees",
        "an unanswered limit is taken for not applied (I5)",
        _settle_frees(EntryState.UNANSWERED),
        worlds.noisy,
    ),
    Alteration(
        "refusal_frees",
        "a refused limit is taken for not applied (I5)",
        _settle_frees(EntryState.REFUSED),
        worlds.noisy,
    ),
    Alteration("newest_only", "only the limit given out last counts (I4)", _newest_only),
    Alteration(
        "disconnected_counts_nothing",
        "a charger without a socket counts at zero (I7)",
        disconnected_counts_nothing,
    ),
    Alteration("ledger_lost", "the ledger does not outlive a crash (I9)", _ledger_lost),
    Alteration("raise_before_lower", "a raise does not wait for room (I4)", _raise_before_lower),
    Alteration(
        "send_before_durable",
        "a limit is sent while it is being written (I3)",
        _send_before_durable,
    ),
    Alteration(
        "boot_keeps_confirmed",
        "a reboot puts nothing in doubt (I1)",
        _boot_keeps_confirmed,
        worlds.forgetful,
    ),
    Alteration("fallback_not_counted", "the fallback does not count (I1)", _fallback_not_counted),
    Alteration(
        "never_uncontrolled",
        "a charger that confirmed nothing counts at its fallback (I1)",
        unconfirmed_counts_its_fallback,
        worlds.with_class("always_refuses", "always_deaf"),
    ),
    Alteration(
        "floor_not_counted",
        "what goes on at a limit of 0 does not count (I1)",
        _floor_not_counted,
        worlds.with_class("least_at_zero"),
    ),
    Alteration(
        "by_hand_not_counted",
        "a profile sent by hand does not count (I1)",
        _by_hand_not_counted,
        worlds.with_operator,
    ),
    Alteration(
        "lingering_forgotten",
        "a limit on a higher stack level is thought to be replaced by one below (I5)",
        _lingering_forgotten,
        worlds.refusing,
    ),
    Alteration("feeder_not_checked", "feeders are not looked at (I1)", _feeder_not_checked),
    Alteration("rounding_up", "amperes are rounded up (I12)", _rounding_up, worlds.ac),
    Alteration(
        "stale_raise", "a raise is sent however old it is (F17)", _stale_raise, worlds.slow_disk
    ),
    Alteration(
        "no_skew_margin",
        "a lease is over when our clock says so (I6)",
        _no_skew_margin,
        worlds.away_for_long,
    ),
    Alteration(
        "everyone_keeps_to_the_end",
        "every charger is trusted to end its limits (I6)",
        _everyone_keeps_to_the_end,
        worlds.odd_about_ends,
    ),
    Alteration(
        "lowers_wait",
        "a lower waits like a raise (I13)",
        _lowers_wait,
        worlds.cut_all_the_time,
        first_seed=2,
    ),
    Alteration(
        "accepted_is_applied",
        "nobody looks whether limits are obeyed (I11)",
        _accepted_is_applied,
        worlds.defiant,
    ),
    Alteration(
        "convictions_lost",
        "who does not obey is forgotten in a crash (I9, I11)",
        _convictions_lost,
        worlds.defiant_with_crashes,
    ),
    Alteration(
        "told_whatever",
        "what a suspect is told need not fit (I1)",
        _told_whatever,
        worlds.suspects_with_cuts,
    ),
    Alteration("disk_not_locked", "two own one station (I8)", _disk_not_locked, worlds.rivals),
    Alteration(
        "anything_goes", "no station is refused (I2)", _anything_goes, worlds.busy_with_cuts
    ),
    Alteration(
        "silence_is_no_loss",
        "a silent source of limits is not missed (I10)",
        _silence_is_no_loss,
        worlds.silent_source,
    ),
    Alteration(
        "fear_takes_nothing",
        "nobody is lowered for what is feared of others (I1)",
        _fear_takes_nothing,
        worlds.only_the_books,
    ),
    Alteration(
        "lowers_wait_by_the_books",
        "a lower waits like a raise, as the ledger's total shows (I13)",
        _lowers_wait,
        lambda usual: replace(worlds.busy_with_cuts(usual), judged=("books",)),
    ),
    Alteration(
        "limits_without_end",
        "limits are no leases where they could be (I6)",
        _limits_without_end,
        worlds.away_when_cut,
        first_seed=5,
    ),
    Alteration(
        "pauses_trusted",
        "whoever was paused is thought to obey at once (I11)",
        _pauses_trusted,
        worlds.pausing,
    ),
    Alteration(
        "nameplate_believed",
        "nobody looks whether more is drawn than a nameplate says (I11)",
        _accepted_is_applied,
        worlds.above_nameplate,
    ),
    Alteration(
        "grants_nothing", "nobody is given anything (I14)", _grants_nothing, worlds.all_works
    ),
)
MUTANTS = {mutant.name: mutant for mutant in _ALL}
