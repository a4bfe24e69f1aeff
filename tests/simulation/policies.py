"""Other ways to share power safely, or not: what they break, and what our way costs.

- ledger: csms as it is.
- lower_first: raises wait for room, but a limit counts alone from its answer or its time-out on;
  what was refused, and chargers without a socket, count nothing.
- send_and_assume: every limit is sent at once and taken to be in force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from csms.control import station_loop
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Plan, Wish
from csms.station.model import ConnectorKey
from tests.simulation.alterations import Alteration
from tests.simulation.mutants import disconnected_counts_nothing, unconfirmed_counts_its_fallback
from tests.simulation.patches import Patch
from tests.simulation.settings import physics_only


def _trusting() -> Sequence[Patch]:
    """No charger counts at all it can give."""

    def uncontrolled(ledger: Ledger, key: ConnectorKey) -> bool:
        return False

    return [Patch(Ledger, "uncontrolled", uncontrolled), *unconfirmed_counts_its_fallback()]


def _lower_first() -> Sequence[Patch]:
    settle = Ledger.settle

    def believing(ledger: Ledger, token: int, state: EntryState, at: float) -> list[Entry]:
        if state is EntryState.REFUSED:
            return ledger.unsend(token)
        return settle(ledger, token, EntryState.CONFIRMED, at)

    return [*_trusting(), Patch(Ledger, "settle", believing), *disconnected_counts_nothing()]


def _send_and_assume() -> Sequence[Patch]:
    def worst_case_w(ledger: Ledger, key: ConnectorKey) -> int:
        connector = next(c for c in ledger.station.connectors() if c.key == key)
        entries = [e for e in ledger.entries() if e.connector == key]
        newest = [e.limit.value_w for e in entries if e.scope is Scope.SESSION][-1:]
        return newest[0] if newest else connector.fallback_w

    def plan(
        ledger: Ledger, wishes: Sequence[Wish], *, held: Callable[[Wish], bool], **_: Any
    ) -> Plan:
        return Plan(tuple(w for w in wishes if _news(ledger, w) and not held(w)))

    return [
        *_trusting(),
        Patch(Ledger, "worst_case_w", worst_case_w),
        Patch(station_loop, "plan", plan),
    ]


def _news(ledger: Ledger, wish: Wish) -> bool:
    """Whether this value was not sent yet; whatever became of it."""
    newest = ledger.newest(wish.connector, wish.scope, wish.session_id)
    return newest is None or wish.again or newest.limit.value_w != wish.limit.value_w


POLICIES = {
    policy.name: policy
    for policy in (
        Alteration("ledger", "csms as it is", lambda: ()),
        Alteration("lower_first", "raise after the answer", _lower_first, physics_only),
        Alteration("send_and_assume", "sent is in force", _send_and_assume, physics_only),
    )
}
