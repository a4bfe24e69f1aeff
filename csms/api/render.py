"""Plain values of the core, as the API's JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from csms.api import command_schemas, schemas
from csms.control.admission import Knock
from csms.control.events import Event
from csms.control.grid_limits import GridStatus
from csms.control.status import (
    ChargerView,
    ConnectorView,
    LimitStatus,
    SessionStatus,
    StationStatus,
)
from csms.control.trials import Progress, Report
from csms.dispatch.capability import Capability
from csms.dispatch.commissioning import Result, Verdict
from csms.ports import (
    ChargerReport,
    Exchange,
    Frame,
    Losses,
    Quarantined,
    StoredSession,
    Topic,
)
from csms.station.model import ConnectorKey
from csms.station.units import w_to_kw, wh_to_kwh


def clean(text: str) -> str:
    """Text a charger sent, fit for any reader: control, format and surrogate characters replaced.

    A lone surrogate cannot be written as UTF-8: it would make the answer fail for everybody.
    """
    return "".join("�" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text)


def iso(at: float) -> str:
    """UTC epoch seconds as ISO 8601."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _iso_or_none(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _kw_or_none(watts: int | None) -> float | None:
    return None if watts is None else w_to_kw(watts)


def _connector(key: ConnectorKey) -> schemas.ConnectorReference:
    # A stored session may come from before today's rules for charger ids: not judged again.
    return schemas.ConnectorReference.model_construct(
        charger_id=key.charger_id, idx=key.connector_id
    )


def session(status: SessionStatus) -> schemas.SessionJson:
    """A running session."""
    return schemas.SessionJson(
        session_id=status.session_id,
        connector_id=_connector(status.connector),
        allocated_power=w_to_kw(status.allocated_w),
        allocated_source=status.allocated_source.value,
        vehicle_max_power=_kw_or_none(status.vehicle_max_w),
        measured_power=_kw_or_none(status.measured_w),
        demanded_power=w_to_kw(status.demanded_w),
        energy=wh_to_kwh(status.energy_wh),
        soc=status.soc_pct,
        transaction_id=status.transaction_id,
        id_token=clean(status.id_token),
        started_at=iso(status.started_at),
        limit=None if status.limit is None else _limit(status.limit),
    )


def _limit(limit: LimitStatus) -> schemas.LimitJson:
    return schemas.LimitJson(
        value=w_to_kw(limit.value_w),
        source=limit.source.value,
        state=limit.state.value,
        sent_at=iso(limit.sent_at),
    )


def ended_session(stored: StoredSession) -> schemas.EndedSessionJson:
    """A past session."""
    return schemas.EndedSessionJson(
        session_id=stored.session_id,
        connector_id=_connector(stored.connector),
        transaction_id=stored.transaction_id,
        id_token=clean(stored.id_token),
        id_status=stored.id_status.value,
        vehicle_max_power=_kw_or_none(stored.vehicle_max_w),
        energy=wh_to_kwh(stored.energy_wh),
        meter_start=stored.meter_start_wh / 1_000,
        meter_stop=None if stored.meter_stop_wh is None else stored.meter_stop_wh / 1_000,
        started_at=iso(stored.started_at),
        estimated=stored.estimated,
        ended_at=_iso_or_none(stored.ended_at),
        provisional=stored.provisional,
        reason=None if stored.reason is None else clean(stored.reason),
    )


def status(station: StationStatus) -> schemas.StatusJson:
    """A station at one moment."""
    return schemas.StatusJson(
        station_id=station.station_id,
        at=iso(station.at),
        grid_capacity=w_to_kw(station.grid_limit_w),
        static_load=w_to_kw(station.static_load_w),
        reserve=w_to_kw(station.reserve_w),
        max_ramp_kw_per_min=_kw_or_none(station.ramp_w_per_min),
        available=w_to_kw(station.available_w),
        sum_allocated=w_to_kw(station.allocated_w),
        sum_measured=w_to_kw(station.measured_w),
        sum_worst_case=w_to_kw(station.worst_case_w),
        condition=station.condition.value,
        overcommitted=station.overcommitted,
        settled=station.settled,
        sessions={s.session_id: session(s) for s in station.sessions()},
        chargers=[_charger(c) for c in station.chargers],
    )


def _charger(charger: ChargerView) -> schemas.ChargerJson:
    return schemas.ChargerJson(
        id=charger.charger_id,
        connected=charger.connected,
        condition=charger.condition.value,
        vendor=clean(charger.vendor),
        model=clean(charger.model),
        firmware=clean(charger.firmware),
        last_seen_at=_iso_or_none(charger.last_seen_at),
        max_power=w_to_kw(charger.max_power_w),
        awaiting_reboot=list(charger.awaiting_reboot),
        unconfigured_connectors=list(charger.unconfigured),
        connectors=[connector(view) for view in charger.connectors],
    )


def connector(view: ConnectorView) -> schemas.ConnectorJson:
    """A connector at one moment."""
    return schemas.ConnectorJson(
        idx=view.key.connector_id,
        type=view.current_type.value,
        max_power=w_to_kw(view.max_power_w),
        status=view.status.value,
        error_code=clean(view.error_code),
        occupancy=view.occupancy.value,
        condition=view.condition.value,
        reason=view.reason,
        worst_case=w_to_kw(view.worst_case_w),
        session_id=None if view.session is None else view.session.session_id,
    )


def charger_detail(
    station_id: str, charger: ChargerView, reports: Mapping[Topic, Sequence[ChargerReport]]
) -> command_schemas.ChargerDetailJson:
    """A charger with what it said beside charging."""

    def newest(topic: Topic) -> command_schemas.ChargerReportJson | None:
        return next((_report(r) for r in reports[topic]), None)

    return command_schemas.ChargerDetailJson(
        **_charger(charger).model_dump(),
        station_id=station_id,
        diagnostics_status=newest(Topic.DIAGNOSTICS),
        firmware_status=newest(Topic.FIRMWARE),
        log_status=newest(Topic.LOG),
    )


def _report(report: ChargerReport) -> command_schemas.ChargerReportJson:
    return command_schemas.ChargerReportJson(
        what=clean(report.what),
        at=iso(report.at),
        told_at=_iso_or_none(report.told_at),
        request_id=report.request_id,
        info=clean(report.info),
    )


def command_answer(
    charger_id: str, action: str, exchange: Exchange
) -> command_schemas.CommandAnswer:
    """A request to a charger and how it was answered."""
    code = exchange.error_code
    error = None
    if code is not None:
        error = command_schemas.CallErrorJson(
            code=clean(code), description=clean(exchange.error_text)
        )
    return command_schemas.CommandAnswer(
        charger_id=charger_id,
        action=action,
        message_id=exchange.message_id,
        asked_at=iso(exchange.asked_at),
        answered_at=iso(exchange.ended_at),
        outcome=exchange.outcome,
        answer=None if exchange.answer is None else _cleaned(dict(exchange.answer)),
        error=error,
    )


def _cleaned(value: Any) -> Any:
    """A JSON value with every text cleaned; frames have a bounded depth."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(each) for key, each in value.items()}
    return value


def grid_limit(station_id: str, status: GridStatus) -> schemas.GridLimitJson:
    """The grid limit of a station."""
    given = status.given
    return schemas.GridLimitJson(
        station_id=station_id,
        limit=w_to_kw(status.limit.limit_w),
        source=status.limit.source.value,
        since=iso(status.limit.since),
        next_change_at=_iso_or_none(status.next_change_at),
        configured=w_to_kw(status.configured_w),
        failsafe=w_to_kw(status.failsafe_w),
        given=None
        if given is None
        else schemas.GivenLimitJson(
            limit=w_to_kw(given.limit_w),
            given_at=iso(given.at),
            valid_until=_iso_or_none(given.valid_until),
        ),
        awaited=[sign.value for sign in status.awaited],
        last_sign_at=_iso_or_none(status.last_sign_at),
        silent_at=_iso_or_none(status.silent_at),
        steps=[
            schemas.GridStepJson.model_validate(
                {"from": iso(step.start_at), "limit": w_to_kw(step.limit_w)}
            )
            for step in status.schedule
        ],
        warnings=list(status.warnings),
    )


def health(losses: Losses, *, well: bool, dropped_facts: int) -> schemas.Health:
    """Whether the process does its work."""
    return schemas.Health(
        status="ok" if well else "failing",
        dropped_facts=dropped_facts,
        dropped_samples=losses.samples,
        dropped_frames=losses.frames,
        lost_rows=losses.rows,
    )


def summary(station: StationStatus, *, is_default: bool) -> schemas.StationSummary:
    """One line of the list of stations."""
    return schemas.StationSummary(
        station_id=station.station_id,
        is_default=is_default,
        grid_capacity=w_to_kw(station.grid_limit_w),
        sum_allocated=w_to_kw(station.allocated_w),
        sum_worst_case=w_to_kw(station.worst_case_w),
        sessions=len(station.sessions()),
        chargers=len(station.chargers),
        chargers_connected=sum(c.connected for c in station.chargers),
    )


def knock(knocked: Knock) -> schemas.KnockJson:
    """A refused charger."""
    return schemas.KnockJson(
        charger_id=clean(knocked.charger_id),
        address=clean(knocked.address),
        first_at=iso(knocked.first_at),
        last_at=iso(knocked.last_at),
        count=knocked.count,
    )


def frame(kept: Frame) -> schemas.FrameJson:
    """A frame of the log."""
    return schemas.FrameJson(
        at=iso(kept.at), direction="in" if kept.inbound else "out", text=clean(kept.text)
    )


def quarantined(item: Quarantined) -> schemas.QuarantinedJson:
    """A message that could not be used."""
    return schemas.QuarantinedJson(
        at=iso(item.at),
        action=clean(item.action),
        reason=clean(item.reason),
        payload=clean(item.payload),
    )


def event(happened: Event) -> schemas.EventJson:
    """Something that happened."""
    return schemas.EventJson(
        number=happened.number,
        at=iso(happened.at),
        station_id=happened.station_id,
        kind=happened.kind,
        text=clean(happened.text),
    )


def commission_report(report: Report) -> schemas.CommissionReportJson:
    """A commissioning test."""
    done = report.progress is Progress.DONE
    failed = any(r.finding.verdict is Verdict.FAILED for r in report.results)
    return schemas.CommissionReportJson(
        charger_id=report.connector.charger_id,
        connector=report.connector.connector_id,
        lease_s=report.lease_s,
        state=report.progress,
        started_at=iso(report.started_at),
        ended_at=_iso_or_none(report.ended_at),
        running=report.trial,
        passed=done and not failed,
        trials=[_trial(result) for result in report.results],
        capability=_capability(report.capability) if done else None,
    )


def _trial(result: Result) -> schemas.TrialJson:
    finding = result.finding
    return schemas.TrialJson(
        trial=result.trial,
        verdict=finding.verdict,
        why=clean(finding.why),
        limit=_kw_or_none(finding.limit_w),
        measured=_kw_or_none(finding.measured_w),
        energy=None if finding.energy_wh is None else wh_to_kwh(finding.energy_wh),
    )


def _capability(known: Capability) -> schemas.CapabilityJson:
    form = known.session_form
    return schemas.CapabilityJson(
        lease=known.lease,
        survives_reconnect=known.survives_reconnect,
        survives_reboot=known.survives_reboot,
        answers=known.answers,
        at_zero=known.at_zero,
        step_a=known.step_a,
        unit=known.unit,
        purpose=None if form is None else form.purpose,
        stack_level=None if form is None else form.stack_level,
        periods=None if form is None else form.periods,
        kind=None if form is None else form.kind,
    )
