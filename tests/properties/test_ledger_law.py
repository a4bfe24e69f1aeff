"""The ledger law under arbitrary interleavings of everything a wire and a charger can do.

The world outside csms is modelled by what each simulated connector would really let through. Its
one assumption is the operator's statement: a charger holds its configured fallback. Goals are
arbitrary, also infeasible ones: safety must not depend on a right allocation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Wish, plan
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import Charger, ConnectorKey, Feeder, Limit, LimitSource, Station
from tests.stations import charger

CHARGERS = (
    charger("A", max_power_w=100, fallback_w=5, feeder_id="F"),
    charger("B", max_power_w=100, fallback_w=0, feeder_id="F"),
    charger("C", max_power_w=60, fallback_w=10, connectors=1),
)
KEYS = [c.key for built in CHARGERS for c in built.connectors]
LEASED = {"A", "B"}
SKEW_S = 20
POLICY = DispatchPolicy(
    dead_band_w=1, dead_band_fraction=0.0, lease_s=100.0, clock_skew_s=float(SKEW_S)
)


def site(grid_limit_w: int, chargers: tuple[Charger, ...] = CHARGERS) -> Station:
    return Station("SITE", grid_limit_w, chargers, (Feeder("F", 120),))


@dataclass
class Socket:
    """One connection: frames on their way to the charger, and answers on their way back."""

    down: deque[Entry] = field(default_factory=deque)
    up: deque[tuple[Entry, bool]] = field(default_factory=deque)


@dataclass
class Outlet:
    """What one connector really lets through."""

    charger: Charger
    fallback_w: int
    late_s: int
    session_id: str | None = None
    session_limit: Entry | None = None

    def lets_through(self, now: float) -> int:
        if self.session_id is None:
            return 0
        limit_w = self.fallback_w
        if self.session_limit is not None:
            limit_w = self.says_w(self.session_limit, now)
        return min(limit_w, self.charger.max_power_w)

    def says_w(self, entry: Entry, now: float) -> int:
        """What this limit lets through by the charger's own clock."""
        ends_at = entry.limit.expires_at
        over = ends_at is not None and now >= ends_at + self.late_s
        return entry.after_w if over else entry.limit.value_w


class World:
    """csms on one side, chargers on the other, and a wire between them. Driven by dice."""

    def __init__(self, dice: Random, ledger_class: type[Ledger] = Ledger) -> None:
        self.dice = dice
        self.ledger_class = ledger_class
        self.station = site(dice.randint(60, 300))
        self.ledger = ledger_class(self.station)
        self.kept: dict[int, Entry] = {}
        self.sockets: dict[str, Socket] = {}
        late_s = {built.charger_id: dice.randint(-SKEW_S, SKEW_S) for built in CHARGERS}
        self.outlets = {
            c.key: Outlet(built, c.fallback_w, late_s[built.charger_id])
            for built in CHARGERS
            for c in built.connectors
        }
        self.now = 0.0
        self.known_sessions: dict[ConnectorKey, str] = {}
        self.in_flight: dict[ConnectorKey, int] = {}
        self.goals = dict.fromkeys(KEYS, 0)
        self.tokens = 0
        self.sessions = 0
        self.raises = 0
        self.allowed_w = self.station.available_w

    def walk(self, steps: int) -> None:
        """Let that many things happen, and hold the law against each."""
        happenings = {
            self.cycle: 60,
            self.deliver: 90,
            self.answer: 90,
            self.want: 20,
            self.plug_in: 12,
            self.report_start: 20,
            self.connect: 30,
            self.unplug: 8,
            self.report_end: 12,
            self.time_out: 8,
            self.disconnect: 3,
            self.wait: 12,
            self.change_station: 2,
            self.reboot: 1,
            self.crash_and_restart: 1,
        }
        for happening in self.dice.choices([*happenings], [*happenings.values()], k=steps):
            happening()
            self.hold_the_law()

    def any_key(self) -> ConnectorKey:
        return self.dice.choice(KEYS)

    def any_charger(self) -> Charger:
        return self.dice.choice(CHARGERS)

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def keep(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.kept[entry.token] = entry

    # ------------------------------------------------------------------ csms

    def want(self) -> None:
        self.goals[self.any_key()] = self.dice.randint(0, 90)

    def wishes(self) -> list[Wish]:
        reachable = [
            c for built in CHARGERS if built.charger_id in self.sockets for c in built.connectors
        ]
        fallbacks = [
            Wish(c.key, Scope.DEFAULT, Limit(c.fallback_w, LimitSource.FALLBACK)) for c in reachable
        ]
        sessions = [
            Wish(
                c.key,
                Scope.SESSION,
                Limit(max(c.fallback_w, self.goals[c.key]), LimitSource.GRID),
                self.known_sessions[c.key],
                1,
                again=self.chance(0.1),
            )
            for c in reachable
            if c.key in self.known_sessions
        ]
        return fallbacks + sessions

    def wait(self) -> None:
        self.now += self.dice.randint(1, 60)

    def cycle(self) -> None:
        self.keep(self.ledger.expire(self.now))
        over_before = self.ledger.overdrawn()
        planned = plan(
            self.ledger,
            self.wishes(),
            busy=self.in_flight.keys(),
            held=lambda _: False,
            lowers_outstanding=self.chance(0.5),
            policy=POLICY,
            now=self.now,
        )
        for wish in planned.send:
            self.tokens += 1
            self.raises += wish.limit.value_w > self.ledger.worst_case_w(wish.connector)
            entry = self.entry(wish)
            self.keep(self.ledger.send(entry))
            self.in_flight[wish.connector] = entry.token
            self.sockets[wish.connector.charger_id].down.append(entry)
        # What is sent never adds to an overcommitted node, and never overcommits one.
        over = self.ledger.overdrawn()
        assert all(watts <= over_before.get(node, 0) for node, watts in over.items())

    def entry(self, wish: Wish) -> Entry:
        fallback_w = self.station.connector(wish.connector).fallback_w
        lease = wish.scope is Scope.SESSION and wish.connector.charger_id in LEASED
        ends_at = self.now + POLICY.lease_s if lease else None
        return Entry(
            self.tokens,
            wish.connector,
            wish.scope,
            replace(wish.limit, expires_at=ends_at),
            EntryState.SENT,
            self.now,
            session_id=wish.session_id,
            counts_until=None if ends_at is None else ends_at + POLICY.clock_skew_s,
            after_w=min(fallback_w, wish.limit.value_w) if lease else 0,
        )

    def change_station(self) -> None:
        """Another grid limit; or another fallback, or another maximum, of one charger."""
        chargers = list(self.station.chargers)
        grid_limit_w = self.station.grid_limit_w
        if self.chance(0.5):
            grid_limit_w = self.dice.randint(60, 300)
        else:
            index = self.dice.randrange(len(chargers))
            chargers[index] = self.changed(chargers[index])
        self.station = site(grid_limit_w, tuple(chargers))
        self.allowed_w = max(self.station.available_w, self.potential_w())
        self.keep(self.ledger.rebuild(self.station))

    def changed(self, built: Charger) -> Charger:
        max_power_w = self.dice.randint(40, built.max_power_w)
        fallback_w = self.dice.randint(0, 15)
        if not self.ledger.seen(built.charger_id):
            for connector in built.connectors:  # the operator's statement
                self.outlets[connector.key].fallback_w = fallback_w
        return charger(
            built.charger_id,
            max_power_w=max_power_w,
            fallback_w=fallback_w,
            connectors=len(built.connectors),
            feeder_id=built.feeder_id,
        )

    def crash_and_restart(self) -> None:
        for built in CHARGERS:
            self.lose(built.charger_id)
        seen = [c.charger_id for c in CHARGERS if self.ledger.seen(c.charger_id)]
        self.ledger = self.ledger_class(self.station, self.kept.values(), seen)
        self.in_flight.clear()

    # ------------------------------------------------------------------ wire and chargers

    def connect(self) -> None:
        charger_id = self.any_charger().charger_id
        if charger_id not in self.sockets:
            self.sockets[charger_id] = Socket()
            self.ledger.mark_seen(charger_id)

    def disconnect(self) -> None:
        self.lose(self.any_charger().charger_id)

    def lose(self, charger_id: str) -> None:
        """The socket dies; what was on its way down may or may not have arrived."""
        socket = self.sockets.pop(charger_id, Socket())
        if self.chance(0.5):
            for entry in socket.down:
                self.put_in_force(entry)
        for key, token in list(self.in_flight.items()):
            if key.charger_id == charger_id:
                self.unanswered(key, token)

    def deliver(self) -> None:
        """The oldest frame arrives. A charger that says yes obeys; one that says no may too."""
        socket = self.sockets.get(self.any_charger().charger_id)
        if socket is None or not socket.down:
            return
        entry = socket.down.popleft()
        outlet = self.outlets[entry.connector]
        possible = entry.scope is Scope.DEFAULT or outlet.session_id == entry.session_id
        says_yes = possible and self.chance(0.8)
        if says_yes or self.chance(0.5):
            self.put_in_force(entry)
        socket.up.append((entry, says_yes))

    def put_in_force(self, entry: Entry) -> None:
        outlet = self.outlets[entry.connector]
        if entry.scope is Scope.DEFAULT:
            outlet.fallback_w = entry.limit.value_w
        elif outlet.session_id == entry.session_id:
            outlet.session_limit = entry

    def answer(self) -> None:
        socket = self.sockets.get(self.any_charger().charger_id)
        if socket is None or not socket.up:
            return
        entry, says_yes = socket.up.popleft()
        if self.chance(0.1):
            self.unanswered(entry.connector, entry.token)
            return
        if self.in_flight.get(entry.connector) == entry.token:
            del self.in_flight[entry.connector]
        self.settle(entry, EntryState.CONFIRMED if says_yes else EntryState.REFUSED)

    def settle(self, entry: Entry, state: EntryState) -> None:
        self.keep(self.ledger.settle(entry.token, state, self.now))
        session_id = entry.session_id
        if session_id is not None and self.known_sessions.get(entry.connector) != session_id:
            self.keep(self.ledger.end_session(entry.connector, session_id))

    def time_out(self) -> None:
        """Csms stops waiting; the frame or its answer may still be on its way."""
        key = self.any_key()
        if key in self.in_flight:
            self.unanswered(key, self.in_flight[key])

    def unanswered(self, key: ConnectorKey, token: int) -> None:
        if self.in_flight.get(key) == token:
            del self.in_flight[key]
            self.settle(self.kept[token], EntryState.UNANSWERED)

    def plug_in(self) -> None:
        outlet = self.outlets[self.any_key()]
        if outlet.session_id is None:
            self.sessions += 1
            outlet.session_id = f"s{self.sessions}"
            outlet.session_limit = None

    def report_start(self) -> None:
        key = self.any_key()
        session_id = self.outlets[key].session_id
        if key.charger_id not in self.sockets or session_id is None:
            return
        older = self.known_sessions.get(key)
        if older is not None and older != session_id:
            self.keep(self.ledger.end_session(key, older))
        self.known_sessions[key] = session_id

    def unplug(self) -> None:
        outlet = self.outlets[self.any_key()]
        outlet.session_id = None
        outlet.session_limit = None

    def report_end(self) -> None:
        key = self.any_key()
        session_id = self.known_sessions.get(key)
        over = session_id is not None and self.outlets[key].session_id != session_id
        if key.charger_id in self.sockets and session_id is not None and over:
            self.keep(self.ledger.end_session(key, session_id))
            del self.known_sessions[key]

    def reboot(self) -> None:
        built = self.any_charger()
        self.lose(built.charger_id)
        for connector in built.connectors:
            if self.chance(0.5):
                self.outlets[connector.key].session_limit = None
        self.keep(self.ledger.doubt(built.charger_id))

    # ------------------------------------------------------------------ the law

    def potential_w(self) -> int:
        """What flows, or will with cars plugged in everywhere.

        The frames on the wire arrive in the worst order.
        """
        on_the_wire: dict[ConnectorKey, int] = {}
        for socket in self.sockets.values():
            for entry in socket.down:
                outlet = self.outlets[entry.connector]
                if entry.scope is Scope.DEFAULT or outlet.session_id == entry.session_id:
                    least_w = on_the_wire.get(entry.connector, 0)
                    says_w = outlet.says_w(entry, self.now)
                    on_the_wire[entry.connector] = max(least_w, says_w)
        return sum(
            max(outlet.fallback_w, outlet.lets_through(self.now), on_the_wire.get(key, 0))
            for key, outlet in self.outlets.items()
        )

    def hold_the_law(self) -> None:
        """Every connector counts for at least what it lets through, and the sum fits.

        After a cut of the grid limit what flows or is on the wire may go on, but nothing may be
        added to it.
        """
        for key, outlet in self.outlets.items():
            assert outlet.lets_through(self.now) <= self.ledger.worst_case_w(key), str(key)
        assert self.potential_w() <= self.allowed_w
        self.allowed_w = max(self.station.available_w, self.potential_w())


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_the_law_holds_whatever_happens(seed: int) -> None:
    world = World(Random(seed))
    world.walk(600)
    assert len(list(world.ledger.entries())) < 200


def test_the_walk_gets_far_enough_to_matter() -> None:
    worlds = [World(Random(seed)) for seed in range(20)]
    for world in worlds:
        world.walk(600)
    assert sum(world.raises for world in worlds) > 100
    assert sum(world.sessions for world in worlds) > 150


# ---------------------------------------------------------------------- mutants: a rule removed


class RefusalFrees(Ledger):
    """A refused limit is taken for one that is not in force."""

    def settle(self, token: int, state: EntryState, at: float) -> list[Entry]:
        changed = super().settle(token, state, at)
        return changed + (self.unsend(token) if state is EntryState.REFUSED else [])


class SilenceFrees(Ledger):
    """An unanswered limit is taken for one that never arrived."""

    def settle(self, token: int, state: EntryState, at: float) -> list[Entry]:
        changed = super().settle(token, state, at)
        return changed + (self.unsend(token) if state is EntryState.UNANSWERED else [])


class OnlyTheNewestCounts(Ledger):
    """What was sent last is taken for what is in force."""

    def send(self, entry: Entry) -> list[Entry]:
        changed = super().send(entry)
        for old in list(self.entries()):
            if old.connector == entry.connector and old.scope is entry.scope and old != entry:
                changed += self.unsend(old.token)
        return changed


class NothingIsKept(Ledger):
    """A restart starts from an empty ledger."""

    def __init__(
        self, station: Station, entries: Iterable[Entry] = (), seen: Iterable[str] = ()
    ) -> None:
        super().__init__(station, (), ())


class RoomIsNotChecked(Ledger):
    """The station looks empty to the planner."""

    def total_w(self) -> int:
        return 0

    def charger_w(self, charger_id: str) -> int:
        return 0


class ClocksAreRight(Ledger):
    """A lease counts no longer than the charger was told."""

    def expire(self, now: float) -> list[Entry]:
        return super().expire(now + SKEW_S)


class NewMaximumIsObeyed(Ledger):
    """A lowered maximum counts from when it is configured."""

    def worst_case_w(self, key: ConnectorKey) -> int:
        return min(super().worst_case_w(key), self.station.connector(key).max_power_w)


@pytest.mark.parametrize(
    "mutant",
    [
        RefusalFrees,
        SilenceFrees,
        OnlyTheNewestCounts,
        NothingIsKept,
        RoomIsNotChecked,
        ClocksAreRight,
        NewMaximumIsObeyed,
    ],
)
def test_a_ledger_without_one_of_its_rules_breaks_the_law(mutant: type[Ledger]) -> None:
    def walks() -> None:
        for seed in range(200):
            World(Random(seed), mutant).walk(600)

    with pytest.raises(AssertionError):
        walks()
