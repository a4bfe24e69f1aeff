from __future__ import annotations

from csms.control.boots import BootPolicy, Boots, has_session
from csms.station.state import StationState
from tests.unit.csms.control.desk import A1, desk
from tests.unit.csms.control.fakes import start_report

FEW = BootPolicy(per_s=10.0, burst=3.0)


def test_the_defaults_are_those_of_the_reference() -> None:
    assert BootPolicy() == BootPolicy(200.0, 400.0, 30.0)


def test_beyond_the_rate_a_charger_waits_at_least_half_a_minute() -> None:
    boots = Boots(FEW)
    found = [boots.wait_s(f"CP{n}", 0.0, charging=False) for n in range(5)]
    assert found[:3] == [None] * 3
    assert all(wait_s is not None and wait_s in {30, 31} for wait_s in found[3:])
    assert boots.wait_s("CP3", 0.1, charging=False) is None


def test_one_that_is_charging_never_waits() -> None:
    boots = Boots(FEW)
    for number in range(10):
        boots.wait_s(f"CP{number}", 0.0, charging=False)
    assert boots.wait_s("BUSY", 0.0, charging=True) is None


def test_a_storm_is_spread_over_the_time_its_boots_take() -> None:
    boots = Boots(BootPolicy(per_s=10.0, burst=1.0))
    waits = [boots.wait_s(f"CP{n}", 0.0, charging=False) for n in range(1_001)]
    told = [wait_s for wait_s in waits if wait_s is not None]
    assert len(told) == 1_000
    assert min(told) >= 30
    # A thousand take a hundred seconds, and the last ones know it.
    late = told[-200:]
    assert max(late) <= 131
    assert max(late) - min(late) > 60
    assert max(late.count(wait_s) for wait_s in set(late)) < 12


def test_those_who_never_come_again_are_forgotten() -> None:
    boots = Boots(BootPolicy(per_s=0.001, burst=1.0, least_wait_s=10.0))
    for number in range(4):
        boots.wait_s(f"CP{number}", 0.0, charging=False)
    assert boots.wait_s("NEW", 1e5, charging=False) is None
    # It waits somewhere in the time that its own boot takes, not in that of all who came before.
    wait_s = boots.wait_s("NEWER", 1e5, charging=False)
    assert wait_s is not None
    assert 900 < wait_s <= 1_010


async def test_a_session_is_seen_at_its_charger() -> None:
    async with desk() as it:
        state: StationState = it.rig.loop.state
        assert not has_session(state, "A")
        await it.recorder.start_session(start_report(A1))
        await it.rig.quiet()
        assert has_session(state, "A")
        assert not has_session(state, "NOBODY")
