"""The core without one of its safety rules at a time. The checker must notice every one.

To add one: write a function that returns its patches, and name it in `_ALL`.
"""

# A mutant is made by reaching into the core: that is what it is for.
# ruff: noqa: SLF001

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from csms.balancing import budget
from csms.control import balancer, sender
from csms.control.sender import Sender
from csms.control.station_loop import StationLoop
from csms.dispatch import planner
from csms.dispatch.commands import Scope, SetLimit
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.protocol.ocpp16 import smart_charging
from csms.station.facts import ChargerConnected, ChargerDisconnected
from csms.station.model import Connector, ConnectorKey, LimitSource, Station
from tests.simulation.alterations import Alteration
from tests.simulation.durable import DurableStore
from tests.simulation.patches import Patch
from tests.simulation.settings import WorldSettings

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


def _never_seen() -> Sequence[Patch]:
    def uncontrolled(ledger: Ledger, key: ConnectorKey) -> bool:
        return False

    return [Patch(Ledger, "uncontrolled", uncontrolled)]


def _feeder_not_checked() -> Sequence[Patch]:
    original = planner._Room.__init__
    tree = budget.tree

    def bare(station: Station) -> Station:
        chargers = tuple(replace(c, feeder_id=None) for c in station.chargers)
        return replace(station, chargers=chargers, feeders=())

    def blind(room: Any, ledger: Ledger) -> None:
        original(room, ledger)
        room._feeder_of = dict.fromkeys(room._feeder_of)

    def flat(station: Station, leaves: Any, reserved: Any) -> Any:
        return tree(bare(station), leaves, reserved)

    return [Patch(planner._Room, "__init__", blind), Patch(balancer, "tree", flat)]


def _rounding_up() -> Sequence[Patch]:
    def amperes(command: SetLimit) -> float:
        return math.ceil(command.limit.value_w * 10 / (command.voltage_v * command.phases)) / 10

    return [
        Patch(smart_charging, "amperes", amperes),
        Patch(balancer, "quantum_w", lambda *_: 1),
    ]


def _stale_raise() -> Sequence[Patch]:
    return [Patch(sender, "STALE_RAISE_S", 1e9)]


def _with_class(*names: str) -> Callable[[WorldSettings], WorldSettings]:
    """Worlds full of chargers of these classes."""

    def settings(usual: WorldSettings) -> WorldSettings:
        return replace(usual, classes=names, odd_chargers=0.6)

    return settings


def _forgetful(usual: WorldSettings) -> WorldSettings:
    """Chargers that go to full power when they forget, and often refuse what would hold them.

    Judged by what the ledger believes: nothing else can be known of them.
    """
    charger = replace(usual.faults.charger, rejects=0.5, reboot_every_s=3_600)
    faults = replace(usual.faults, charger=charger)
    return replace(_with_class("forgets_to_full")(usual), judged=("ledger",), faults=faults)


def _slow_disk(usual: WorldSettings) -> WorldSettings:
    site = replace(usual.faults.site, slow_commit=0.05)
    return replace(usual, faults=replace(usual.faults, site=site))


def _ac(usual: WorldSettings) -> WorldSettings:
    return _with_class("amperes_only")(usual)


_ALL: Iterable[Alteration] = (
    Alteration(
        "silence_frees",
        "an unanswered limit is taken for not applied (I5)",
        _settle_frees(EntryState.UNANSWERED),
    ),
    Alteration(
        "refusal_frees",
        "a refused limit is taken for not applied (I5)",
        _settle_frees(EntryState.REFUSED),
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
        _forgetful,
    ),
    Alteration("fallback_not_counted", "the fallback does not count (I1)", _fallback_not_counted),
    Alteration(
        "never_uncontrolled",
        "a charger that confirmed nothing counts at its fallback (I1)",
        _never_seen,
        _with_class("always_refuses", "always_deaf"),
    ),
    Alteration("feeder_not_checked", "feeders are not looked at (I1)", _feeder_not_checked),
    Alteration("rounding_up", "amperes are rounded up (I12)", _rounding_up, _ac),
    Alteration("stale_raise", "a raise is sent however old it is (F17)", _stale_raise, _slow_disk),
)
MUTANTS = {mutant.name: mutant for mutant in _ALL}
