"""The story of every habit: the plain one, or what is different."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from csms.control.status import ConnectorView
from csms.station.model import ConnectorKey
from simulators.charge_point.habits.catalogue import FAMILIES
from simulators.charge_point.quirks import Quirks
from tests.e2e.habits.story import CHARGER, STATION, TAG, Check, Story, World, limited

CONNECTOR = ConnectorKey(CHARGER, 1)


def habits(*names: str, **switches: Any) -> Quirks:
    """Quirks with these habits and switches."""
    return Quirks(habits=frozenset(names), **switches)


# ------------------------------------------------------------------------------ checks


async def knows_its_clock(it: World) -> None:
    """The times it writes are read as what they are."""
    loop = it.csms.supervisor.loop_of(CHARGER)
    assert loop is not None
    contact = loop.contacts.get(CHARGER)
    assert contact is not None
    assert contact.clock_ahead_s is not None
    assert abs(contact.clock_ahead_s) < 10
    reading = loop.state.connectors[CONNECTOR].reading
    assert reading is not None
    assert reading.measured_at is not None
    assert abs(reading.measured_at - time.time()) < 10
    assert abs(it.session.started_at - time.time()) < 10


async def redials(it: World) -> None:
    """Its link is lost and comes back; limits hold as before."""
    connections = it.heard("charger_connected")
    it.point.go_offline()
    it.point.go_online()
    await it.until("a new link", lambda: it.heard("charger_connected") > connections)
    await it.until("limits again", lambda: it.point.booted.is_set() and limited(it))


async def redials_without_boot(it: World) -> None:
    """It does not boot again, as the standard has it."""
    told = len(await it.asked("SetChargingProfile"))
    await redials(it)
    for _ in range(200):
        if len(await it.asked("SetChargingProfile")) >= told + 2:
            break
        await asyncio.sleep(0.005)
    else:
        raise AssertionError("its limits were not told again")
    assert it.point.boots == 1


async def outlasts_pings(_it: World) -> None:
    """More pings go unanswered than a charger that answers any may miss."""
    await asyncio.sleep(0.3)


async def has_a_clean_vendor(it: World) -> None:
    """Texts are kept without control characters."""
    assert it.csms.supervisor.status(STATION).chargers[0].vendor == "Simulated"


async def has_a_short_model(it: World) -> None:
    """Texts are cut for storage."""
    assert len(it.csms.supervisor.status(STATION).chargers[0].model) == 255


def has_error(code: str) -> Check:
    """The error is shown, and nothing else follows from it."""

    async def check(it: World) -> None:
        view: ConnectorView = it.view
        assert view.error_code == code

    return check


async def is_told_in_watts(it: World) -> None:
    """No limit was tried in amperes: it had said what it takes."""
    profiles = [p["csChargingProfiles"] for p in await it.asked("SetChargingProfile")]
    assert {p["chargingSchedule"]["chargingRateUnit"] for p in profiles} == {"W"}


async def is_not_told_again(it: World) -> None:
    """A setting that is right already is not written."""
    await it.until("settings asked for", lambda: limited(it))
    assert await it.asked("ChangeConfiguration") == []


async def said_it_once(it: World) -> None:
    """What came three times was taken once."""
    assert it.heard("charger_said", "status=CHARGING") + it.heard("charger_said", "Charging") <= 1
    notes = [e.text for e in it.csms.supervisor.events() if e.kind == "charger_said"]
    assert len(notes) == len(set(notes)), notes


async def tried_once(it: World) -> None:
    """A purpose it does not support is not tried in other forms."""
    profiles = [p["csChargingProfiles"] for p in await it.asked("SetChargingProfile")]
    assert [p["chargingProfilePurpose"] for p in profiles].count("TxProfile") == 1


async def is_asked_everything(it: World) -> None:
    """A refusal does not end what it is asked when it connects."""
    last = "MaxChargingProfilesInstalled"
    for _ in range(200):
        asked = [key for call in await it.asked("GetConfiguration") for key in call["key"]]
        if last in asked:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(asked)


async def is_taken_at_once(it: World) -> None:
    """Nothing it was told was refused."""
    assert it.heard("limit_refused") == 0, it.tale()


async def redials_and_is_taken(it: World) -> None:
    """Told again, its limits take the places they had."""
    await redials_without_boot(it)
    await is_taken_at_once(it)


async def starts_remotely(it: World) -> None:
    """An operator starts the session."""
    await it.csms.supervisor.sessions().start(STATION, CONNECTOR, id_token=TAG)


async def starts_when_all_was_refused(it: World) -> None:
    """The driver comes when every way to give the idle charger its fallback has been refused."""
    refused = -1
    while refused < it.heard("limit_refused"):
        refused = it.heard("limit_refused")
        await asyncio.sleep(0.1)
    it.point.present_token(1, TAG)


async def draws_nothing(it: World) -> None:
    """What it says after the end is not of now."""
    loop = it.csms.supervisor.loop_of(CHARGER)
    assert loop is not None
    reading = loop.state.connectors[CONNECTOR].reading
    assert reading is None or reading.power_w != 7_000


# ------------------------------------------------------------------------------ stories

CLOCKS = (
    "times_without_zone",
    "times_with_offset",
    "times_with_short_offset",
    "times_with_fraction",
    "times_with_space",
)

_DIFFERENT: Mapping[str, Story] = {
    "leaves_sockets_open": Story(during=redials),
    "no_pongs": Story(config={"ping_interval_s": 0.02}, during=outlasts_pings),
    "control_characters": Story(during=has_a_clean_vendor),
    "long_texts": Story(during=has_a_short_model),
    "long_tags": Story(tag=TAG.ljust(20, "X")),
    "no_tag": Story(tag=""),
    "typed_settings": Story(config={"meter_interval_s": 60}, during=is_not_told_again),
    "settings_in_lower_case": Story(
        quirks=habits("unit_in_own_words", only_watts=True), during=is_told_in_watts
    ),
    "unit_in_own_words": Story(quirks=habits(only_watts=True), during=is_told_in_watts),
    "own_words": Story(reason="PulledOut", during=has_error("Error")),
    "statuses_with_errors": Story(during=has_error("OtherError")),
    **{name: Story(during=knows_its_clock) for name in CLOCKS},
    "repeats_calls": Story(quirks=habits("statuses_with_errors"), during=said_it_once),
    "unsupported_as_error": Story(quirks=habits(tx_default_only=True), during=tried_once),
    "late_values": Story(after=draws_nothing),
    "deaf_before_boot": Story(slow_store=True),
    "meter_on_connector_zero": Story(quirks=habits("no_transaction_id")),
    "needs_number": Story(during=is_taken_at_once),
    "needs_past_start": Story(during=is_taken_at_once),
    "few_slots": Story(during=redials_and_is_taken, lost=1),
    "hates_haste": Story(config={"call_gap_s": 0.1}),
    "start_needs_connector": Story(starts=starts_remotely),
    "settings_read_only": Story(during=is_asked_everything),
    "features_unsaid": Story(during=is_asked_everything),
    "gone_before_answer": Story(lost=1),
    "busy_only": Story(governed_idle=False, starts=starts_when_all_was_refused),
}

SWITCHES: Mapping[str, tuple[str, Story]] = {
    "no_boot_on_reconnect": ("C1", Story(during=redials_without_boot, lost=1)),
    "no_meter_values": ("F12", Story(quirks=habits(no_meter_values=True), measured=False)),
}
"""Stories of switches of `Quirks` that are no habits, with their rows."""


def _with(name: str, story: Story) -> Story:
    quirks = replace(story.quirks, habits=story.quirks.habits | {name})
    return replace(story, quirks=quirks)


def stories(family: str) -> dict[str, Story]:
    """The story of every habit of a family."""
    return {name: _with(name, _DIFFERENT.get(name, Story())) for name in FAMILIES[family]}
