"""The closed loop: holds what chargers draw against what they were told, connector by connector."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from csms.control.balancer import Standing, Watched
from csms.control.restored import limits_session
from csms.dispatch.capability import Capability, Proof, floor_of, trusts_resume, unit_of
from csms.dispatch.commands import Scope
from csms.dispatch.compliance import (
    FRESH_INTERVALS,
    Compliance,
    CompliancePolicy,
    Step,
    Terms,
    next_compliance,
    pardon,
)
from csms.dispatch.conviction import Conviction, restored
from csms.dispatch.ledger import Ledger
from csms.station.model import Connector, ConnectorKey, Station
from csms.station.state import ConnectorStatus, Session, StationState

TRIAL_S = 180.0
OBEYS = Compliance()
CHARGES = frozenset({ConnectorStatus.CHARGING, ConnectorStatus.UNKNOWN})


class Watch:
    """How every connector of a station stands to its limits, from one cycle to the next."""

    def __init__(self, policy: CompliancePolicy, meter_interval_s: float) -> None:
        self._policy = policy
        self._meter_interval_s = meter_interval_s
        self._known: dict[ConnectorKey, Compliance] = {}
        self._resumed_at: dict[ConnectorKey, float] = {}
        self._idle: dict[ConnectorKey, tuple[float, float]] = {}
        self._paused: set[ConnectorKey] = set()
        self._on_probation: set[ConnectorKey] = set()
        self._under_test: set[ConnectorKey] = set()
        self._overdue: set[ConnectorKey] = set()

    def of(self, key: ConnectorKey) -> Compliance:
        """How this connector stands to its limits."""
        return self._known.get(key, OBEYS)

    def restore(self, kept: Iterable[Conviction], state: StationState) -> None:
        """Take over what is on record: the next `look` counts it (I9)."""
        for conviction in kept:
            session = state.session_on(conviction.connector)
            session_id = None if session is None else session.session_id
            self._known[conviction.connector] = restored(conviction, session_id)

    def pardon(self, key: ConnectorKey, now: float) -> None:
        """What is done about this connector begins anew."""
        self._known[key] = pardon(self.of(key), now)

    def watched(self) -> Watched:
        """The connectors that may not keep to their limits."""
        return Watched(
            frozenset(self._paused),
            frozenset(self._on_probation),
            frozenset(self._under_test),
            frozenset(self._overdue),
        )

    def look(
        self,
        state: StationState,
        ledger: Ledger,
        standing: Mapping[str, Standing],
        now: float,
        under_test: Collection[ConnectorKey] = (),
    ) -> list[tuple[ConnectorKey, Step]]:
        """Judge every connector, tell the ledger what counts beyond the limits given out.

        Returns the connectors against which a new step is to be taken: none `under_test`, where
        anything may happen. Such a connector counts at its hardware maximum as soon as there is
        room for that.
        """
        _set_floors(state.station, ledger, standing)
        self._under_test = set(under_test)
        self._paused.clear()
        self._on_probation.clear()
        self._overdue.clear()
        steps: list[tuple[ConnectorKey, Step]] = []
        for charger in state.station.chargers:
            capability = standing[charger.charger_id].capability
            for connector in charger.connectors:
                key = connector.key
                known = self.of(key)
                session = state.session_on(key)
                terms = Terms(
                    ledger.permitted_w(key),
                    unit_of(connector, capability),
                    self._meter_interval_s,
                    trusts_resume=trusts_resume(capability),
                    sent_w=() if session is None else _sent_w(ledger, session),
                )
                after = next_compliance(
                    known, connector, state.connectors[key], terms, self._policy, now
                )
                if key in self._under_test:
                    # What is done about it begins when the test is over.
                    after = replace(after, step=known.step, step_at=known.step_at)
                self._known[key] = after
                if after.paused and not (terms.trusts_resume and after.cause is None):
                    self._paused.add(key)
                status = state.connectors[key].status
                doubtful = after.cause is not None or self._on_trial(key, after, status, now)
                if doubtful and after.counted_w is not None:
                    self._on_probation.add(key)
                    if now - self._resumed_at.get(key, now) >= TRIAL_S:
                        self._overdue.add(key)
                counts_w = self._counts_w(key, after, connector, capability)
                if key in self._under_test:
                    if not ledger.set_aside(key, _in_full(connector, counts_w)):
                        ledger.suspect(key, counts_w)
                    continue
                ledger.suspect(key, counts_w)
                if after.step > known.step:
                    steps.append((key, after.step))
        self._known = {k: known for k, known in self._known.items() if k in state.connectors}
        return steps

    def _on_trial(
        self, key: ConnectorKey, known: Compliance, status: ConnectorStatus, now: float
    ) -> bool:
        """Whether a connector that resumed must still show that it obeys.

        One that is seen to draw nothing for a while, and does not say that it charges, has shown
        that it does not run away: its limits count again. If it does draw too much then, that is
        seen as anywhere else. One that is not seen at all has shown nothing, and a meter alone that
        shows nothing may be broken (F12).
        """
        if not known.resumed:
            self._resumed_at.pop(key, None)
            self._idle.pop(key, None)
            return False
        self._resumed_at.setdefault(key, now)
        since, until = self._idle.get(key, (now, now))
        if until - since >= TRIAL_S:
            return False
        said_at = known.memory.said_at
        fresh_s = self._policy.settle_s + FRESH_INTERVALS * self._meter_interval_s
        nothing = (known.memory.same_w or 0) <= self._policy.idle_w
        idle = nothing and status not in CHARGES
        if said_at is None or now - said_at > fresh_s or not idle:
            self._idle.pop(key, None)
            return True
        if said_at <= self._resumed_at[key]:
            return True
        self._idle[key] = self._idle.get(key, (said_at, said_at))[0], said_at
        return said_at - self._idle[key][0] < TRIAL_S

    def _counts_w(
        self, key: ConnectorKey, known: Compliance, connector: Connector, capability: Capability
    ) -> int | None:
        """What counts at a connector beyond its limits, None when they count.

        A charger that forgets its limits with its socket, or at a reboot, may lose them at any
        moment, before anybody can react: it always counts at its hardware maximum.
        """
        feared_w = known.counted_w if key in self._on_probation else None
        if _forgets(capability):
            return _in_full(connector, feared_w)
        return feared_w


def _sent_w(ledger: Ledger, session: Session) -> tuple[int, ...]:
    """What was sent to it and may be in force, in watts; not the fallback on which it began.

    A charger with one place for both has its session's limit in that of the fallback.
    """
    key, session_id = session.connector, session.session_id
    newest = (ledger.newest(key, Scope.SESSION, session_id), ledger.newest(key, Scope.DEFAULT))
    told = session.limits or any(entry and limits_session(entry, session) for entry in newest)
    return ledger.sent_w(key, session_id) if told else ()


def _in_full(connector: Connector, feared_w: int | None) -> int:
    """All that its hardware can give, or what is feared of it if that is more, in watts."""
    return max(connector.max_power_w, feared_w or 0)


def _forgets(capability: Capability) -> bool:
    return Proof.NO in {capability.survives_reconnect, capability.survives_reboot}


def _set_floors(station: Station, ledger: Ledger, standing: Mapping[str, Standing]) -> None:
    """Tell the ledger what every connector gives at any lower limit, as far as known."""
    for charger in station.chargers:
        capability = standing[charger.charger_id].capability
        for connector in charger.connectors:
            ledger.set_floor(connector.key, floor_of(connector, capability))
