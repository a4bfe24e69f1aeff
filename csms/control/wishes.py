"""What every connector should be told: its fallback, and the limit of the session that runs."""

from __future__ import annotations

from collections.abc import Mapping

from csms.control.contact import Contact
from csms.control.contacts import Contacts
from csms.control.orders import OrderBook
from csms.dispatch.commands import SENT_SCOPES, Scope
from csms.dispatch.goals import Goal
from csms.dispatch.ledger import Ledger
from csms.dispatch.planner import Wish
from csms.station.model import Charger, Connector, ConnectorKey, Limit, LimitSource
from csms.station.state import Session, StationState


class WishList:
    """Turns the goals of a cycle into wishes, and remembers what must be told once more."""

    def __init__(self, state: StationState, ledger: Ledger, orders: OrderBook) -> None:
        self._state = state
        self._ledger = ledger
        self._orders = orders
        self._again: set[tuple[ConnectorKey, Scope]] = set()

    def again(self, key: ConnectorKey) -> None:
        """Whatever this connector was told, it is to be told once more."""
        self._again.update((key, scope) for scope in SENT_SCOPES)

    def told(self, key: ConnectorKey, scope: Scope) -> None:
        """The connector need not be told this once more."""
        self._again.discard((key, scope))

    def forget_others(self) -> None:
        """Only the connectors of the station are left."""
        self._again = {pair for pair in self._again if pair[0] in self._state.connectors}

    def of(self, goals: Mapping[ConnectorKey, Goal], contacts: Contacts) -> list[Wish]:
        """The wishes for every charger that is ready for limits: fallbacks, then sessions."""
        fallbacks: list[Wish] = []
        sessions: list[Wish] = []
        for charger in self._state.station.chargers:
            contact = contacts.get(charger.charger_id)
            if contact is None or not contact.ready or charger.quiet:
                continue
            scope = self._orders.capability(charger).session_scope
            for connector in charger.connectors:
                goal = goals.get(connector.key)
                session = self._state.session_on(connector.key)
                if goal is None or session is None or scope is Scope.SESSION:
                    fallbacks.append(self._fallback(connector))
                if goal is not None and session is not None:
                    wish = self._session(connector, session, goal, scope)
                    sessions.append(self._wanting_end(wish, charger, connector, contact))
        return fallbacks + sessions

    def _fallback(self, connector: Connector) -> Wish:
        limit = Limit(connector.fallback_w, LimitSource.FALLBACK)
        again = (connector.key, Scope.DEFAULT) in self._again
        return Wish(connector.key, Scope.DEFAULT, limit, again=again)

    def _session(self, connector: Connector, session: Session, goal: Goal, scope: Scope) -> Wish:
        """The limit of the running session; one that shares its slot outlives the session."""
        own = scope is Scope.SESSION
        return Wish(
            connector.key,
            scope,
            Limit(goal.value_w, goal.source),
            session.session_id if own else None,
            session.transaction_id if own else None,
            again=(connector.key, scope) in self._again,
            lease=True,
        )

    def _wanting_end(
        self, wish: Wish, charger: Charger, connector: Connector, contact: Contact
    ) -> Wish:
        newest = self._ledger.newest(wish.connector, wish.scope, wish.session_id)
        return self._orders.wanting_end(wish, newest, charger, connector, contact)
