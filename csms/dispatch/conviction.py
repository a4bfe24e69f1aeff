"""What outlives a restart of how a connector stands to its limits (safety.md I9, I11).

A connector that does not obey counts at more than its limits. csms has seen that in readings; after
a restart it would take new ones to see it again, and until then the power would go to the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from csms.dispatch.compliance import Cause, Compliance, Step
from csms.station.model import ConnectorKey


@dataclass(frozen=True, slots=True)
class Conviction:
    """One connector's record. `cause` None: it only may still have to be put into service again.

    `observed_w`, `allowed_w`, `counted_w`, `step` and `since` are those of `Compliance`.
    `out_of_service`: its charger was told to take it out of service, or may have been.
    """

    connector: ConnectorKey
    cause: Cause | None
    counted_w: int
    observed_w: int
    allowed_w: int
    step: Step
    since: float
    out_of_service: bool = False


def recorded(key: ConnectorKey, known: Compliance, *, out_of_service: bool) -> Conviction | None:
    """What is to be kept of this connector, None for nothing."""
    if known.cause is None and known.step is not Step.UNAVAILABLE and not out_of_service:
        return None
    return Conviction(
        key,
        known.cause,
        (known.counted_w or 0) if known.cause is not None else 0,
        known.observed_w,
        known.allowed_w,
        known.step,
        known.since,
        out_of_service,
    )


def restored(kept: Conviction) -> Compliance:
    """How the connector stands after a restart, before anything was read of it."""
    return Compliance(
        counted_w=None if kept.cause is None else kept.counted_w,
        cause=kept.cause,
        observed_w=kept.observed_w,
        allowed_w=kept.allowed_w,
        step=kept.step,
        step_at=kept.since,
        since=kept.since,
    )
