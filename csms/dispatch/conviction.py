"""What outlives a restart of how a connector stands to its limits (safety.md I9, I11).

A connector that does not obey counts at more than its limits. csms has seen that in readings; after
a restart it would take new ones to see it again, and until then the power would go to the others.
One that was paused may not obey when it resumes: that counts until it is seen to, restart or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from csms.dispatch.compliance import Cause, Compliance, Memory, Step
from csms.station.model import ConnectorKey


@dataclass(frozen=True, slots=True)
class Conviction:
    """One connector's record. `cause` None: it is kept for one of the last three alone.

    `observed_w`, `allowed_w`, `counted_w`, `step` and `since` are those of `Compliance`.
    `out_of_service`: its charger was told to take it out of service, or may have been.
    `by_hand`: an operator has taken it out of service, and nobody else puts it back. `resumes`: its
    session was paused, and it has not been seen to obey since.
    """

    connector: ConnectorKey
    cause: Cause | None
    counted_w: int
    observed_w: int
    allowed_w: int
    step: Step
    since: float
    out_of_service: bool = False
    by_hand: bool = False
    resumes: bool = False


def recorded(
    key: ConnectorKey, known: Compliance, *, out_of_service: bool, by_hand: bool = False
) -> Conviction | None:
    """What is to be kept of this connector, None for nothing."""
    resumes = known.paused or known.resumed
    guilty = known.cause is not None
    if not (guilty or known.step is Step.UNAVAILABLE or out_of_service or by_hand or resumes):
        return None
    return Conviction(
        key,
        known.cause,
        (known.counted_w or 0) if guilty else 0,
        known.observed_w if guilty else 0,
        known.allowed_w if guilty else 0,
        known.step,
        known.since,
        out_of_service,
        by_hand,
        resumes,
    )


def restored(kept: Conviction, session_id: str | None) -> Compliance:
    """How the connector stands after a restart, before anything was read of it.

    `session_id` is the session that runs there, if one does. Whether it is still paused is seen
    from its limits.
    """
    resumed = kept.resumes and session_id is not None
    return Compliance(
        counted_w=None if kept.cause is None else kept.counted_w,
        cause=kept.cause,
        observed_w=kept.observed_w,
        allowed_w=kept.allowed_w,
        step=kept.step,
        step_at=kept.since,
        since=kept.since,
        resumed=resumed,
        memory=Memory(session_id=session_id if resumed else None),
    )
