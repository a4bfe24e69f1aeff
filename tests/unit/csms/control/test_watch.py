"""The closed loop: what is drawn, against what was told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from csms.control.balancer import Standing
from csms.control.watch import TRIAL_S, Watch
from csms.dispatch.capability import AtZero, Capability, Proof
from csms.dispatch.commands import Scope
from csms.dispatch.compliance import Cause, Compliance, CompliancePolicy, Step
from csms.dispatch.conviction import Conviction, recorded
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.station.facts import (
    ConnectorStatusReported,
    LimitConfirmed,
    MeterSample,
    SessionEnded,
    SessionStarted,
)
from csms.station.model import ConnectorKey, Limit, LimitSource
from csms.station.register import Register
from csms.station.state import ConnectorStatus, StationState
from csms.station.update import apply
from tests.stations import charger, station

A1, A2, B1 = ConnectorKey("A", 1), ConnectorKey("A", 2), ConnectorKey("B", 1)
BOTH = station(charger("A", max_power_w=100_000), charger("B", max_power_w=100_000))
NEW = Capability()
OBEYS = Capability(lease=Proof.YES)


@dataclass
class Scene:
    """A station whose connectors are watched; every fallback of 0 W is confirmed."""

    capability: Capability = NEW
    now: float = 0.0
    tokens: int = 100

    def __post_init__(self) -> None:
        self.state = StationState.of(BOTH)
        self.ledger = Ledger(BOTH, seen=["A", "B"])
        self.watch = Watch(CompliancePolicy(), 10.0)
        self.tested: set[ConnectorKey] = set()
        for connector in BOTH.connectors():
            self.limit(connector.key, 0, None)

    def limit(
        self,
        key: ConnectorKey,
        value_w: int,
        session_id: str | None,
        state: EntryState = EntryState.CONFIRMED,
        source: LimitSource | None = None,
    ) -> None:
        self.tokens += 1
        scope = Scope.DEFAULT if session_id is None else Scope.SESSION
        usual = LimitSource.FALLBACK if session_id is None else LimitSource.GRID
        limit = Limit(value_w, source or usual)
        entry = Entry(
            self.tokens, key, scope, limit, EntryState.SENT, self.now, session_id=session_id
        )
        self.ledger.send(entry)
        self.ledger.settle(self.tokens, state, self.now)
        if session_id is not None and state is EntryState.CONFIRMED:
            apply(self.state, LimitConfirmed(key, self.now, session_id, value_w))

    def start(self, key: ConnectorKey, value_w: int) -> None:
        apply(self.state, SessionStarted(self.now, str(key), 7, key, "TAG", self.now, Register(0)))
        self.limit(key, value_w, str(key))
        self.look()

    def end(self, key: ConnectorKey) -> None:
        apply(self.state, SessionEnded(self.now, str(key), key))
        self.ledger.end_session(key, str(key))
        self.look()

    def draws(self, key: ConnectorKey, power_w: int, times: int = 1) -> list[tuple[str, Step]]:
        """Readings every 10 s; the steps they give rise to."""
        steps = []
        for _ in range(times):
            self.now += 10.0
            apply(self.state, MeterSample(key, self.now, power_w=power_w))
            steps += self.look()
        return steps

    def says(self, key: ConnectorKey, status: ConnectorStatus) -> None:
        apply(self.state, ConnectorStatusReported(key, self.now, status))

    def look(self) -> list[tuple[str, Step]]:
        standing = {
            name: Standing(connected=True, settling=False, capability=self.capability)
            for name in ("A", "B")
        }
        looked = self.watch.look(self.state, self.ledger, standing, self.now, self.tested)
        return [(str(key), step) for key, step in looked]


def test_nothing_is_known_of_a_connector_that_was_never_looked_at() -> None:
    watch = Watch(CompliancePolicy(), 10.0)
    assert watch.of(A1) == Compliance()
    assert (list(watch.watched().paused), list(watch.watched().on_probation)) == ([], [])


def test_a_connector_that_keeps_to_its_limit_is_left_alone() -> None:
    scene = Scene()
    scene.start(A1, 40_000)
    assert scene.draws(A1, 40_000, 6) == []
    assert scene.watch.watched().on_probation == frozenset()
    assert scene.ledger.worst_case_w(A1) == 40_000


def test_a_connector_that_draws_too_much_counts_at_its_maximum_and_every_step_is_told_once() -> (
    None
):
    scene = Scene()
    scene.start(A1, 40_000)
    steps = scene.draws(A1, 70_000, 20)
    assert steps == [("A/1", Step.RESEND), ("A/1", Step.STOP), ("A/1", Step.UNAVAILABLE)]
    assert scene.watch.of(A1).cause is Cause.LIMIT
    assert scene.watch.watched().on_probation == {A1}
    assert scene.ledger.worst_case_w(A1) == 100_000
    assert scene.ledger.worst_case_w(A2) == 0


def test_more_than_the_maximum_counts_as_it_was_seen() -> None:
    scene = Scene()
    scene.start(A1, 40_000)
    scene.draws(A1, 120_000, 3)
    assert scene.ledger.worst_case_w(A1) == 120_000


def test_power_without_a_session_counts_at_once() -> None:
    scene = Scene()
    scene.draws(B1, 0, 2)
    assert scene.draws(B1, 30_000) == [("B/1", Step.RESEND)]
    assert scene.watch.of(B1).cause is Cause.NO_SESSION
    assert scene.ledger.worst_case_w(B1) == 100_000
    scene.draws(B1, 0)
    assert scene.ledger.worst_case_w(B1) == 0
    assert scene.watch.watched().on_probation == frozenset()


def test_what_is_feared_is_no_limit_the_next_reading_is_held_against() -> None:
    scene = Scene()
    scene.start(A1, 40_000)
    scene.draws(A1, 70_000, 3)
    # It counts at 100 kW now; 70 kW is too much all the same.
    assert scene.watch.of(A1).observed_w == 70_000
    scene.draws(A1, 90_000)
    assert scene.watch.of(A1).observed_w == 90_000


# ------------------------------------------------------------------------------- pauses


def paused(capability: Capability = NEW) -> Scene:
    scene = Scene(capability)
    scene.start(A1, 40_000)
    scene.draws(A1, 40_000, 3)
    scene.limit(A1, 0, "A/1")
    scene.draws(A1, 0, 3)
    return scene


def test_a_paused_connector_is_told_apart_and_counts_at_its_limit() -> None:
    scene = paused()
    assert scene.watch.watched().paused == {A1}
    assert scene.ledger.worst_case_w(A1) == 0


def started(key: ConnectorKey) -> SessionStarted:
    return SessionStarted(0.0, str(key), 7, key, "TAG", 0.0, Register(0))


def test_a_limit_that_was_refused_may_have_paused_a_session_that_has_no_other() -> None:
    scene = Scene()
    apply(scene.state, started(A1))
    scene.limit(A1, 0, "A/1", EntryState.REFUSED)
    scene.look()
    assert scene.watch.watched().paused == {A1}
    scene.limit(A1, 40_000, "A/1")
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_a_session_that_begins_on_its_fallback_is_not_paused() -> None:
    scene = Scene()
    apply(scene.state, started(A1))
    scene.limit(A1, 0, None, EntryState.UNANSWERED)
    scene.look()
    assert scene.watch.watched().paused == frozenset()


@pytest.mark.parametrize("state", [EntryState.REFUSED, EntryState.UNANSWERED])
def test_a_pause_in_the_place_of_the_fallback_may_be_in_force_though_nothing_was_confirmed(
    state: EntryState,
) -> None:
    scene = Scene()
    apply(scene.state, started(A1))
    scene.limit(A1, 0, None, state, LimitSource.GRID)
    scene.look()
    assert scene.watch.watched().paused == {A1}
    scene.limit(A1, 40_000, None, source=LimitSource.GRID)
    apply(scene.state, LimitConfirmed(A1, scene.now, "A/1", 40_000))
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_a_charger_shown_to_obey_is_trusted_to_resume() -> None:
    scene = paused(OBEYS)
    assert scene.watch.watched().paused == frozenset()
    scene.limit(A1, 40_000, "A/1")
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 40_000


def test_a_connector_that_resumes_is_on_probation_until_it_was_seen_to_obey() -> None:
    scene = paused()
    scene.limit(A1, 40_000, "A/1")
    scene.look()
    assert scene.watch.watched() == replace(
        scene.watch.watched(), paused=frozenset(), on_probation=frozenset({A1})
    )
    assert scene.ledger.worst_case_w(A1) == 100_000
    scene.draws(A1, 39_000, 4)
    assert scene.watch.watched().on_probation == frozenset()
    assert scene.ledger.worst_case_w(A1) == 40_000


def resumed() -> Scene:
    scene = paused()
    scene.limit(A1, 40_000, "A/1")
    scene.look()
    return scene


def test_a_connector_that_resumes_and_is_seen_to_draw_nothing_is_believed_after_a_while() -> None:
    scene = resumed()
    scene.says(A1, ConnectorStatus.SUSPENDED_EV)
    readings = int(TRIAL_S / 10.0)
    scene.draws(A1, 0, readings)
    assert scene.ledger.worst_case_w(A1) == 100_000
    scene.draws(A1, 0)
    assert scene.ledger.worst_case_w(A1) == 40_000
    assert scene.watch.watched().on_probation == frozenset()
    # It stays believed when its charger falls silent.
    scene.now += 1_000.0
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 40_000
    # Another pause, another trial.
    scene.limit(A1, 0, "A/1")
    scene.look()
    scene.limit(A1, 40_000, "A/1")
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000


@pytest.mark.parametrize("status", [ConnectorStatus.CHARGING, ConnectorStatus.UNKNOWN])
def test_a_meter_that_shows_nothing_is_not_believed_alone(status: ConnectorStatus) -> None:
    scene = resumed()
    scene.says(A1, status)
    scene.draws(A1, 0, 2 * int(TRIAL_S / 10.0))
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_a_connector_that_resumes_and_is_not_seen_counts_at_its_maximum() -> None:
    scene = resumed()
    scene.now += TRIAL_S - 1.0
    scene.look()
    assert scene.watch.watched().overdue == frozenset()
    scene.now += 1.0
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000
    # Nobody else waits for it.
    assert scene.watch.watched().overdue == {A1}
    # One reading before and one after a silence are no row.
    scene.draws(A1, 0)
    scene.now += TRIAL_S
    scene.look()
    scene.draws(A1, 0)
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_a_connector_that_resumes_and_draws_a_little_has_not_drawn_nothing() -> None:
    scene = resumed()
    scene.draws(A1, 0, 10)
    scene.draws(A1, 96_000)
    scene.draws(A1, 0, 10)
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_the_end_of_a_session_ends_its_pause_and_its_trial() -> None:
    scene = paused()
    scene.end(A1)
    assert scene.watch.watched().paused == frozenset()
    assert scene.ledger.worst_case_w(A1) == 0


# ------------------------------------------------------------------------ forgetful chargers


@pytest.mark.parametrize(
    "forgets", [Capability(survives_reconnect=Proof.NO), Capability(survives_reboot=Proof.NO)]
)
def test_a_charger_that_forgets_its_limits_always_counts_at_its_maximum(
    forgets: Capability,
) -> None:
    scene = Scene(forgets)
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000
    scene.start(A1, 40_000)
    scene.draws(A1, 40_000, 3)
    assert scene.ledger.worst_case_w(A1) == 100_000
    assert scene.watch.watched().on_probation == frozenset()
    scene.draws(A1, 120_000, 3)
    assert scene.ledger.worst_case_w(A1) == 120_000


# ------------------------------------------------------------------------------ under test


def test_a_connector_under_test_counts_at_its_maximum_and_no_step_is_taken() -> None:
    scene = Scene()
    scene.start(A1, 40_000)
    scene.tested = {A1}
    assert scene.look() == []
    assert scene.watch.watched().under_test == {A1}
    assert scene.ledger.worst_case_w(A1) == 100_000
    assert scene.draws(A1, 120_000, 20) == []
    assert scene.ledger.worst_case_w(A1) == 120_000
    scene.tested = set()
    scene.look()
    # What it did meanwhile is not forgotten, and what is done about it begins now.
    assert scene.watch.watched().under_test == frozenset()
    assert scene.watch.of(A1).cause is Cause.LIMIT
    assert scene.watch.of(A1).step < Step.RESEND
    assert scene.draws(A1, 120_000) == [("A/1", Step.ALARM)]


def test_a_judgement_that_fails_forgets_no_conviction(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.start(B1, 40_000)
    scene.draws(B1, 70_000, 3)

    def failing(*_: object) -> Compliance:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("csms.control.watch.next_compliance", failing)
        with pytest.raises(ZeroDivisionError):
            scene.look()
    assert scene.watch.of(B1).cause is Cause.LIMIT
    scene.look()
    assert scene.ledger.worst_case_w(B1) == 100_000


def test_it_counts_so_as_soon_as_there_is_room_and_from_then_on() -> None:
    scene = Scene()
    scene.start(A1, 40_000)
    scene.ledger.rebuild(replace(BOTH, grid_limit_w=130_000))
    scene.start(B1, 50_000)
    scene.tested = {A1}
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 40_000
    assert scene.ledger.suspected() == set()
    scene.limit(B1, 30_000, "B/1")
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000
    # A cut of the grid limit takes nothing back.
    scene.ledger.rebuild(replace(BOTH, grid_limit_w=50_000))
    scene.look()
    assert scene.ledger.worst_case_w(A1) == 100_000


# --------------------------------------------------------------------- after a restart


def test_what_is_on_record_counts_before_anything_is_read() -> None:
    scene = Scene()
    idle = Conviction(A2, None, 0, 0, 0, Step.UNAVAILABLE, 0.0)
    guilty = Conviction(A1, Cause.LIMIT, 120_000, 120_000, 50_000, Step.STOP, 0.0)
    scene.watch.restore([guilty, idle], scene.state)
    assert scene.look() == []
    assert scene.ledger.worst_case_w(A1) == 120_000
    assert scene.ledger.worst_case_w(A2) == 0


def test_one_that_resumed_is_on_probation_after_a_restart_too() -> None:
    scene = paused()
    scene.limit(A1, 40_000, "A/1")
    # Nobody has looked since: what was kept is that it was paused.
    kept = recorded(A1, scene.watch.of(A1), out_of_service=False)
    assert kept is not None
    scene.watch = Watch(CompliancePolicy(), 10.0)
    scene.watch.restore([kept], scene.state)
    scene.look()
    assert scene.watch.watched().on_probation == {A1}
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_one_that_is_paused_still_is_after_a_restart_too() -> None:
    scene = paused()
    kept = recorded(A1, scene.watch.of(A1), out_of_service=False)
    assert kept is not None
    scene.watch = Watch(CompliancePolicy(), 10.0)
    scene.watch.restore([kept], scene.state)
    scene.look()
    assert scene.watch.watched().paused == {A1}
    assert scene.ledger.worst_case_w(A1) == 0


def test_a_pardon_begins_the_steps_anew() -> None:
    scene = Scene()
    scene.draws(A1, 30_000, 8)
    assert scene.watch.of(A1).step is Step.UNAVAILABLE
    scene.watch.pardon(A1, scene.now)
    assert scene.watch.of(A1).step is Step.ALARM
    assert scene.ledger.worst_case_w(A1) == 100_000


def test_what_a_charger_goes_on_with_at_zero_counts_and_is_no_excess() -> None:
    scene = Scene(Capability(at_zero=AtZero.MINIMUM))
    scene.start(A1, 0)
    assert scene.ledger.worst_case_w(A1) == 10_000
    assert scene.draws(A1, 10_000, 6) == []
    assert scene.draws(A1, 20_000, 3) == [("A/1", Step.RESEND)]
    scene.capability = NEW
    scene.look()
    assert scene.ledger.worst_case_w(A2) == 0


def test_who_forgets_its_limits_counts_at_its_maximum_before_anything_is_read() -> None:
    scene = Scene(Capability(survives_reboot=Proof.NO))
    scene.look()
    assert [scene.ledger.worst_case_w(key) for key in (A1, A2)] == [100_000, 100_000]
