"""What is worth least is not kept while csms sheds (safety.md §3.1); all else is."""

from __future__ import annotations

import pytest

from csms.ports import ChargerReport, Topic
from csms.station.facts import MeterSample
from tests.unit.csms.control.desk import A1, Desk, desk
from tests.unit.csms.control.fakes import START


async def told(it: Desk) -> tuple[list[str], list[str]]:
    """What is kept of all a charger can say: the samples' contexts, and the kinds of events."""
    stored = await it.start(A1)
    await it.rig.quiet()
    before = len(it.rig.kinds())
    for context in ("Sample.Periodic", "Transaction.Begin", "Sample.Clock", "Transaction.End"):
        it.recorder.record(
            MeterSample(A1, START, power_w=9, context=context, transaction_id=stored.transaction_id)
        )
    it.recorder.note("A", "DataTransfer", {"vendorId": "V"})
    it.recorder.note("A", "StatusNotification", {"vendorErrorCode": "7"})
    for topic in Topic:
        await it.recorder.report(ChargerReport("A", topic, "Idle", START))
    samples = await it.rig.store.samples(stored.session_id)
    return [str(sample.context) for sample in samples], it.rig.kinds()[before:]


async def test_nothing_is_shed_by_itself() -> None:
    async with desk() as it:
        samples, events = await told(it)
    assert len(samples) == 4
    assert events.count("charger_said") == 2
    assert events.count("charger_reported") == 3
    assert events.count("security_event") == 1


async def test_samples_within_a_session_vendors_messages_and_diagnostics_are_shed() -> None:
    async with desk(sheds=lambda: True) as it:
        samples, events = await told(it)
        assert it.recorder.reports.of("A", Topic.LOG) == []
        assert it.recorder.reports.of("A", Topic.DIAGNOSTICS) == []
        assert len(it.recorder.reports.of("A", Topic.FIRMWARE)) == 1
    assert samples == ["Transaction.Begin", "Sample.Clock", "Transaction.End"]
    assert events.count("charger_said") == 1
    assert events.count("charger_reported") == 1
    assert events.count("security_event") == 1


@pytest.mark.parametrize("sheds", [False, True])
async def test_what_is_not_kept_is_balanced_by_all_the_same(sheds: bool) -> None:
    async with desk(sheds=lambda: sheds) as it:
        await it.start(A1)
        it.recorder.record(MeterSample(A1, START, power_w=4_321, context="Sample.Periodic"))
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.measured_w == 4_321
