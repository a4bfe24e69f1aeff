"""From wishes to orders: in which form a charger is told a limit, and what its answers teach."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from csms.control.capabilities import CapabilityBook
from csms.control.contact import Contact
from csms.dispatch.capability import (
    Capability,
    Proof,
    after_acceptance,
    after_refusal,
    another_form,
    ladder,
)
from csms.dispatch.commands import Form, Purpose, Scope, SetLimit
from csms.dispatch.ledger import Entry, EntryState
from csms.dispatch.planner import Wish
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import Charger, Connector, ConnectorKey
from csms.station.state import StationState


@dataclass(frozen=True, slots=True)
class Order:
    """A limit to send and the entry that it has in the ledger.

    `tried_as` is the scope whose forms are being tried: a session's limit may have to be written
    as the default of its connector, and then counts as one.
    """

    command: SetLimit
    entry: Entry
    tried_as: Scope


class OrderBook:
    """Writes the orders of one station, and remembers which form is being tried where."""

    def __init__(
        self,
        state: StationState,
        capabilities: CapabilityBook,
        tokens: Iterator[int],
        policy: DispatchPolicy,
    ) -> None:
        self._state = state
        self._capabilities = capabilities
        self._tokens = tokens
        self._policy = policy
        self._trying: dict[tuple[ConnectorKey, Scope], Form] = {}
        self._instead: dict[tuple[ConnectorKey, Scope], Form] = {}
        self._slipped: set[tuple[ConnectorKey, Scope]] = set()

    def capability(self, charger: Charger) -> Capability:
        """What is known of how this charger takes limits."""
        return self._capabilities.of(charger, self._state.chargers[charger.charger_id])

    def keeps_ends(self, charger_id: str) -> bool:
        """Whether the charger, as it runs now, has been shown to keep to the end of its limits."""
        charger = self._state.station.charger(charger_id)
        return charger is not None and self.capability(charger).lease is Proof.YES

    def forget(self, connectors: Collection[ConnectorKey]) -> None:
        """Only these connectors are left."""
        self._trying = {p: form for p, form in self._trying.items() if p[0] in connectors}
        self._instead = {p: form for p, form in self._instead.items() if p[0] in connectors}
        self._slipped = {pair for pair in self._slipped if pair[0] in connectors}

    def order(
        self, wish: Wish, charger: Charger, connector: Connector, contact: Contact, now: float
    ) -> Order:
        """The command for a wish and its entry in the ledger.

        A limit is a lease (law 3) where the charger has been shown to keep to its end. To others no
        end is told: some go to full power when it comes. A limit that what follows it would not
        lower needs no end, and so is not renewed.
        """
        form = self._form(wish.scope, charger, connector)
        limit, counts_until = wish.limit, None
        follows_w = min(connector.fallback_w, limit.value_w)
        counts_after_w = follows_w
        if wish.ends_in_s is not None and form.carries_end:
            # Whether it is obeyed is being tested: what follows may be anything.
            limit = replace(limit, expires_at=now + wish.ends_in_s)
            counts_after_w = connector.max_power_w
        elif self._gets_end(wish, charger, connector, contact):
            limit = replace(limit, expires_at=now + self._policy.lease_s)
            counts_until = now + self._policy.lease_s + self._policy.clock_skew_s
        # Written as anything but the session's own profile, it does not end with the session.
        own = form.purpose is Purpose.SESSION
        command = SetLimit(
            next(self._tokens),
            connector.key,
            wish.scope if own else Scope.DEFAULT,
            limit,
            form,
            wish.session_id if own else None,
            wish.transaction_id if own else None,
            connector.current_type,
            connector.phases,
            connector.voltage_v,
            after_w=follows_w,
        )
        entry = Entry(
            command.token,
            command.connector,
            command.scope,
            limit,
            EntryState.SENT,
            now,
            session_id=command.session_id,
            counts_until=counts_until,
            after_w=counts_after_w if limit.expires_at is not None else 0,
            stack_level=form.stack_level,
        )
        return Order(command, entry, wish.scope)

    def wanting_end(
        self,
        wish: Wish,
        in_force: Entry | None,
        charger: Charger,
        connector: Connector,
        contact: Contact,
    ) -> Wish:
        """The wish, asked for again where the limit in force has no end and could have one now.

        So it is after a reconnect: limits are given again before the charger has told its time.
        """
        if in_force is None or in_force.limit.expires_at is not None:
            return wish
        if self._gets_end(wish, charger, connector, contact):
            return replace(wish, again=True)
        return wish

    def _gets_end(
        self, wish: Wish, charger: Charger, connector: Connector, contact: Contact
    ) -> bool:
        falls = wish.limit.value_w > connector.fallback_w
        if not (wish.lease and falls and contact.keeps_time(self._policy.clock_skew_s)):
            return False
        capability = self.capability(charger)
        # The form last: it is the only one that takes time to work out.
        return capability.lease is Proof.YES and capability.trusts_end(
            self._form(wish.scope, charger, connector)
        )

    def try_another(self, scope: Scope, charger: Charger, connector: Connector) -> None:
        """The charger accepts limits and does not obey: it is told in another form, if any.

        That form is learned when the connector is seen to obey it (`obeyed`): so far, accepted
        means nothing there.
        """
        pair = (connector.key, scope)
        other = another_form(
            self.capability(charger),
            scope,
            connector,
            self._form(scope, charger, connector),
            alone=len(charger.connectors) == 1,
        )
        self._instead.pop(pair, None)
        if other is not None:
            self._instead[pair] = other

    def obeyed(
        self, charger: Charger, connector: Connector, tasks: asyncio.TaskGroup, *, running: bool
    ) -> None:
        """The connector obeys (again): what it was told instead is the form it takes.

        Without a session `running` nothing was seen of that: the form is not tried any longer.
        """
        for scope in Scope:
            form = self._instead.pop((connector.key, scope), None)
            if form is not None and running:
                known = self.capability(charger)
                self._learn(charger, after_acceptance(known, scope, connector, form), tasks)

    def _form(self, scope: Scope, charger: Charger, connector: Connector) -> Form:
        pair = (connector.key, scope)
        trying = self._instead.get(pair) or self._trying.get(pair)
        if trying is not None:
            return trying
        alone = len(charger.connectors) == 1
        return ladder(scope, connector, self.capability(charger), alone=alone)[0]

    def accepted(
        self,
        command: SetLimit,
        tried_as: Scope,
        charger: Charger,
        connector: Connector,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """The charger takes this form."""
        if command.form == self._instead.get((connector.key, tried_as)):
            return
        self._trying.pop((connector.key, tried_as), None)
        self._slipped.discard((connector.key, tried_as))
        known = self.capability(charger)
        self._learn(charger, after_acceptance(known, tried_as, connector, command.form), tasks)

    def refused(
        self,
        command: SetLimit,
        tried_as: Scope,
        charger: Charger,
        connector: Connector,
        tasks: asyncio.TaskGroup,
        *,
        unsupported: bool,
    ) -> bool:
        """The charger refuses this form; the next one is tried. Whether all have been tried.

        A form that worked before is given another chance: a session that has just ended in the
        charger, or a charger that is busy, refuses once.
        """
        pair = (connector.key, tried_as)
        if command.form == self._instead.get(pair):
            del self._instead[pair]
            return False
        known = self.capability(charger)
        worked = known.session_form if tried_as is Scope.SESSION else known.default_form
        if command.form == worked and not unsupported and pair not in self._slipped:
            self._slipped.add(pair)
            return True
        lesson = after_refusal(
            known,
            tried_as,
            connector,
            command.form,
            unsupported=unsupported,
            alone=len(charger.connectors) == 1,
        )
        self._trying[pair] = lesson.form
        self._learn(charger, lesson.capability, tasks)
        return lesson.exhausted

    def _learn(self, charger: Charger, capability: Capability, tasks: asyncio.TaskGroup) -> None:
        state = self._state.chargers[charger.charger_id]
        if self._capabilities.learned(charger, state, capability):
            tasks.create_task(self._capabilities.keep(charger.charger_id, state))
