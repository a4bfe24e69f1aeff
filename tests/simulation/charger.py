"""A simulated charger on a line: the pure behaviour of `simulators`, driven by calls and timers.

There are no tasks here. Frames come as calls of `heard`; time comes as a timer at the next moment
at which anything may change by itself. After everything that may have changed what it could draw,
`changed` is called.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from simulators.charge_point.answers import Answers
from simulators.charge_point.behaviour import Behaviour
from simulators.charge_point.configuration import Configuration
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.messages import (
    BootDue,
    HeartbeatDue,
    Message,
    StatusChanged,
    TokenPresented,
    TransactionBegun,
)
from simulators.charge_point.outbox import Outbox
from simulators.charge_point.profiles import (
    ChargingProfile,
    Installed,
    Kind,
    Period,
    Purpose,
    RateUnit,
)
from simulators.charge_point.quirks import Quirks
from simulators.moment import Moment
from simulators.vehicle.vehicle import AC_FLOOR_A
from tests.simulation.network import Line
from tests.simulation.settings import ChargerFaults
from tests.simulation.traits import Traits
from tests.simulation.virtual_time import EPOCH_S
from tests.simulation.wording import CALL, ERROR, RESULT, Liar, frame, request

CALL_TIMEOUT_S = 30.0
TIMEOUTS_BEFORE_REDIAL = 2
STEP_S = 30.0
LEAST_W = AC_FLOOR_A * 3 * 230.0
"""The least an AC vehicle charges with, on three phases."""
REDIAL_FIRST_S = 1.0
REDIAL_MOST_S = 30.0
FACTORY_LEVEL = -1
"""Below every level csms can use: what the installer set holds when no profile does."""


@dataclass(slots=True)
class Spells:
    """What passes. Times are seconds of the loop."""

    deaf_until: float = 0.0
    deaf_applies: bool = False
    slow_until: float = 0.0
    slow_s: float = 0.0
    skew_s: float = 0.0
    away_until: float = 0.0


@dataclass(slots=True)
class Counts:
    """What csms asked of this charger."""

    limits: int = 0
    limits_that_changed: int = 0
    last_limit: dict[tuple[int, str], object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a charger is given. `dial` None: nobody answers. `note` hears of injected faults."""

    loop: asyncio.AbstractEventLoop
    dial: Callable[[SimulatedCharger], Line | None]
    changed: Callable[[SimulatedCharger], None]
    note: Callable[[str, str], None]
    faults: ChargerFaults
    random: Random


class SimulatedCharger:
    """One charger. `fallback_w` is what its installer set, per connector."""

    def __init__(
        self,
        hardware: Hardware,
        traits: Traits,
        fallback_w: dict[int, int],
        around: Surroundings,
        *,
        meter_interval_s: int,
    ) -> None:
        self.hardware = hardware
        self.charger_id = hardware.charger_id
        self.traits = traits
        self.spells = Spells()
        self.counts = Counts()
        self.liar = Liar(around.random)
        self.booted_once_at: float | None = None
        self.physics_w: dict[int, float] = {}
        said = replace(hardware, rate_units=frozenset(RateUnit(u) for u in traits.units))
        configuration = Configuration(said, meter_interval_s=meter_interval_s)
        quirks = Quirks(ignore_profiles=traits.ignores_profiles)
        self.behaviour = Behaviour(hardware, configuration, quirks)
        self._configuration = configuration
        self._fallback_w = fallback_w
        self._paused: dict[int, float] = {}
        self._nameplate_w = hardware.connectors[0].max_w / traits.most_part - 1.0
        self._around = around
        self._loop = around.loop
        self._outbox = Outbox()
        self._answers = Answers(
            self.behaviour,
            moment=self.moment,
            changed=self.settle,
            send=lambda message: self._outbox.put([message]),
            reset=self._reset,
        )
        self._line: Line | None = None
        self._boot_needed = True
        self._booted = False
        self._serial = 0
        self._asked: tuple[str, Message, asyncio.TimerHandle] | None = None
        self._timeouts = 0
        self._redial_s = REDIAL_FIRST_S
        self._calls: deque[tuple[Line, list[Any]]] = deque()
        self._busy = False
        self._step: asyncio.TimerHandle | None = None
        self._off = False
        self._reset_factory()

    # ------------------------------------------------------------------ time

    def moment(self) -> Moment:
        """Now, on the charger's own clock."""
        now = self._loop.time()
        return Moment(EPOCH_S + now + self.spells.skew_s, now)

    @property
    def line(self) -> Line | None:
        """Its line at this moment."""
        return self._line

    @property
    def online(self) -> bool:
        """Whether csms has accepted it on a line that it thinks works."""
        return self._booted and self._line is not None

    @property
    def in_reach(self) -> bool:
        """Whether that line does work."""
        return self._booted and self._line is not None and self._line.works

    @property
    def starts_offline(self) -> bool:
        """Whether it lets people charge without csms. One that nothing holds then does not."""
        return not self.traits.full_power_without_profile

    def settle(self) -> None:
        """Let time pass up to now, send what there is to say, and set the next timer."""
        self.behaviour.advance(self.moment())
        self._outbox.put(self.behaviour.drain())
        self._set_timer()
        behaviour = self.behaviour
        # What ignores its limits is judged by what it draws: nothing else can be seen of it.
        seen = self.traits.overdraws or self.traits.resumes_unlimited
        physics_w = behaviour.powers_w() if seen else behaviour.limits_w()
        if physics_w != self.physics_w:
            self.physics_w = physics_w
            self._around.changed(self)
        self._pump()

    def set_clock(self, skew_s: float) -> None:
        """Its clock is set. It goes on sampling as before: intervals do not go by the clock."""
        self.behaviour.advance(self.moment())
        for connector in self.behaviour.connectors():
            connector.sample_at += skew_s - self.spells.skew_s
        self.spells.skew_s = skew_s
        self.settle()

    def _set_timer(self) -> None:
        now = self._loop.time()
        moment = self.moment()
        due_s = STEP_S if any(c.transaction for c in self.behaviour.connectors()) else 600.0
        for item in self.behaviour.profiles.installed:
            profile = item.profile
            if len(profile.periods) > 1 or profile.duration_s or profile.valid_to:
                for at in profile.changes(moment.utc_s, moment.utc_s + due_s, item.installed_at):
                    due_s = min(due_s, at - moment.utc_s + 1e-6)
        if self._step is not None:
            if self._step.when() <= now + due_s and not self._step.cancelled():
                return
            self._step.cancel()
        self._step = self._loop.call_later(due_s, self._stepped)

    def _stepped(self) -> None:
        self._step = None
        self.settle()

    # ------------------------------------------------------------------ what it holds

    def _reset_factory(self) -> None:
        """Lose every profile but what the installer set."""
        profiles = self.behaviour.profiles
        profiles.forget()
        if self.traits.full_power_without_profile:
            return
        for outlet in self.hardware.connectors:
            least_w = LEAST_W if self.traits.least_at_zero else 0.0
            watts = max(least_w, float(self._fallback_w[outlet.connector_id]))
            period = Period(0, watts, outlet.phases)
            profiles.install(
                outlet.connector_id,
                ChargingProfile(
                    -outlet.connector_id,
                    FACTORY_LEVEL,
                    Purpose.TX_DEFAULT,
                    Kind.ABSOLUTE,
                    RateUnit.WATTS,
                    (period,),
                    start_at=0.0,
                ),
                0.0,
            )

    def installed(self) -> tuple[Installed, ...]:
        """Its profiles."""
        return self.behaviour.profiles.installed

    def reboot(self, *, forget: bool, off_s: float) -> None:
        """Stop everything, and start again a while later."""
        self.behaviour.reboot(self.moment(), hard=True)
        if forget or self.traits.forgets_on_reboot:
            self._reset_factory()
        self._boot_needed = True
        self._calls.clear()
        self._lose_line(redial=False)
        self._off = True
        self._loop.call_later(off_s, self._switched_on)
        self.settle()

    def _switched_on(self) -> None:
        self._off = False
        self.dial()

    def _reset(self, hard: bool) -> None:
        self._loop.call_later(1.0, lambda: self.reboot(forget=False, off_s=30.0 if hard else 5.0))

    # ------------------------------------------------------------------ its line

    def dial(self) -> None:
        """Dial csms; again later when nobody answers."""
        if self._line is not None or self._off:
            return
        away_s = self.spells.away_until - self._loop.time()
        if away_s > 0:
            self._loop.call_later(away_s, self.dial)
            return
        line = self._around.dial(self)
        if line is None:
            self._redial()
            return
        self._line = line
        self._redial_s = REDIAL_FIRST_S
        if self._boot_needed:
            self._outbox.put_first([BootDue()])
        else:
            self._accepted()
        self._pump()

    def _redial(self) -> None:
        wait_s = self._redial_s * self._around.random.uniform(0.5, 1.5)
        self._redial_s = min(2 * self._redial_s, REDIAL_MOST_S)
        self._loop.call_later(wait_s, self.dial)

    def hung_up(self, line: Line) -> None:
        """The line is gone."""
        if line is self._line:
            self._lose_line(redial=True)

    def drop_line(self) -> None:
        """Give the line up and dial again."""
        if self._line is not None:
            self._line.hang_up()
            self._lose_line(redial=True)

    def _lose_line(self, *, redial: bool) -> None:
        if self._line is not None:
            self._line.hang_up()
        self._line = None
        self._booted = False
        self._timeouts = 0
        if self._asked is not None:
            self._asked[2].cancel()
            self._asked = None
        self._outbox.link_lost()
        self._boot_needed = self._boot_needed or self.traits.boots_on_reconnect
        if self.traits.forgets_on_reconnect:
            self._reset_factory()
            self.settle()
        if redial and not self._off:
            self._redial()

    def _accepted(self) -> None:
        self._booted = True
        self._boot_needed = False
        if self.booted_once_at is None:
            self.booted_once_at = self._loop.time()
        now = self.moment().utc_s
        self._outbox.put_first(
            [
                StatusChanged(c.hardware.connector_id, c.status(), now)
                for c in self.behaviour.connectors()
            ]
        )
        self._loop.call_later(300.0, self._beat, self._line)

    def _beat(self, line: Line | None) -> None:
        if line is self._line and line is not None:
            self._outbox.put([HeartbeatDue()])
            self._loop.call_later(300.0, self._beat, line)
            self._pump()

    # ------------------------------------------------------------------ what it says

    def _pump(self) -> None:
        if self._line is None or self._asked is not None:
            return
        now = self._loop.time()
        message = self._outbox.head(now)
        if message is None or (not self._booted and not isinstance(message, BootDue)):
            wait_s = self._outbox.wait_s(now)
            if wait_s:
                self._loop.call_later(wait_s + 1e-3, self._pump)
            return
        action, payload = request(message, self.hardware, self._configuration.measurands)
        if action == "MeterValues":
            self.liar.bend(payload)
        self._serial += 1
        message_id = f"{self.charger_id}-{self._serial}"
        timer = self._loop.call_later(CALL_TIMEOUT_S, self._timed_out, message_id)
        self._asked = (message_id, message, timer)
        self._line.send(frame(CALL, message_id, action, payload))

    def _timed_out(self, message_id: str) -> None:
        if self._asked is None or self._asked[0] != message_id:
            return
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS_BEFORE_REDIAL:
            self.drop_line()
            return
        self._failed()

    def _failed(self) -> None:
        assert self._asked is not None
        boot = isinstance(self._asked[1], BootDue)
        self._asked[2].cancel()
        self._asked = None
        self._outbox.failed(self._loop.time(), attempts=1000, retry_interval_s=5.0)
        if boot:
            self._outbox.put_first([BootDue()])
        self._pump()

    def _answered(self, message_id: str, payload: dict[str, Any] | None) -> None:
        if self._asked is None or self._asked[0] != message_id:
            return
        self._timeouts = 0
        if payload is None:
            self._failed()
            return
        _, message, timer = self._asked
        timer.cancel()
        self._asked = None
        self._outbox.delivered()
        self._take(message, payload)
        self._pump()

    def _take(self, message: Message, payload: dict[str, Any]) -> None:
        match message:
            case BootDue():
                if payload.get("status") == "Accepted":
                    self._accepted()
                else:
                    self._outbox.put_first([BootDue()])
                if self.traits.sets_clock:
                    self.set_clock(self._around.random.uniform(-2.0, 1.0))
            case TokenPresented(connector_id=number, id_tag=id_tag):
                if payload.get("idTagInfo", {}).get("status") == "Accepted":
                    self.behaviour.authorised(number, id_tag, self.moment())
                    self.settle()
            case TransactionBegun(transaction=begun):
                valid = payload.get("idTagInfo", {}).get("status") == "Accepted"
                self.behaviour.start_answered(
                    begun, int(payload["transactionId"]), valid=valid, moment=self.moment()
                )
                self.settle()
            case _:
                pass

    # ------------------------------------------------------------------ what it is told

    def heard(self, line: Line, text: str) -> None:
        """A frame of csms."""
        if line is not self._line or self._off:
            return
        message = json.loads(text)
        if message[0] == RESULT:
            self._answered(message[1], message[2])
        elif message[0] == ERROR:
            self._answered(message[1], None)
        else:
            self._calls.append((line, message))
            self._serve_next()

    def _serve_next(self) -> None:
        while self._calls and not self._busy:
            line, call = self._calls.popleft()
            now = self._loop.time()
            spells = self.spells
            if self.traits.always_deaf or now < spells.deaf_until:
                self._around.note(self.charger_id, "request not answered")
                if spells.deaf_applies and not self.traits.always_deaf:
                    self._do(call)
                continue
            if now < spells.slow_until:
                self._busy = True
                self._around.note(self.charger_id, "request answered slowly")
                if self._around.random.random() < 0.5:
                    answer = self._do(call)
                    self._loop.call_later(spells.slow_s, self._slowly, line, call, answer)
                else:
                    self._loop.call_later(spells.slow_s, self._slowly, line, call, None)
                return
            self._answer(line, self._do(call))

    def _slowly(self, line: Line, call: list[Any], answer: str | None) -> None:
        self._busy = False
        if not self._off:
            self._answer(line, self._do(call) if answer is None else answer)
        self._serve_next()

    @staticmethod
    def _answer(line: Line, text: str) -> None:
        line.send(text)

    def _do(self, call: list[Any]) -> str:
        """Act on a request; returns the frame that answers it."""
        _, message_id, action, payload = call
        if action == "SetChargingProfile":
            return self._set_profile(message_id, payload)
        answers = self._answers
        connector_id = payload.get("connectorId")
        match action:
            case "GetConfiguration":
                result = answers.configuration(payload.get("key", ()))
            case "ChangeConfiguration":
                status = answers.change_configuration(payload["key"], payload["value"])
                result = {"status": status}
            case "GetCompositeSchedule":
                result = self._composite(payload)
            case "TriggerMessage":
                result = {"status": answers.trigger(payload["requestedMessage"], connector_id)}
            case "ClearChargingProfile":
                status = answers.clear_profiles(
                    payload.get("id"),
                    connector_id,
                    payload.get("chargingProfilePurpose"),
                    payload.get("stackLevel"),
                )
                result = {"status": status}
            case _:
                status = self._operated(action, payload)
                if not status:
                    return frame(ERROR, message_id, "NotImplemented", "", {})
                result = {"status": status}
        return frame(RESULT, message_id, result)

    def _operated(self, action: str, payload: dict[str, Any]) -> str:
        """The status that answers what an operator could ask as well; empty: it does not know."""
        answers = self._answers
        match action:
            case "RemoteStartTransaction":
                return answers.remote_start(payload.get("connectorId"), payload["idTag"])
            case "RemoteStopTransaction":
                return answers.remote_stop(payload["transactionId"])
            case "ChangeAvailability":
                return answers.change_availability(payload["connectorId"], payload["type"])
            case "Reset":
                return answers.reset(payload["type"])
            case _:
                return ""

    def _composite(self, payload: dict[str, Any]) -> dict[str, Any]:
        schedule = self._answers.composite_schedule(
            payload["connectorId"], payload["duration"], payload.get("chargingRateUnit")
        )
        if schedule is None:
            return {"status": "Rejected"}
        return {
            "status": "Accepted",
            "connectorId": payload["connectorId"],
            "scheduleStart": schedule["startSchedule"],
            "chargingSchedule": schedule,
        }

    def _set_profile(self, message_id: str, payload: dict[str, Any]) -> str:
        self._count(payload)
        if self.traits.refuses(payload):
            return frame(RESULT, message_id, {"status": "Rejected"})
        fate = self._around.random.random()
        faults = self._around.faults
        if fate < faults.rejects:
            self._around.note(self.charger_id, "limit rejected")
            return frame(RESULT, message_id, {"status": "Rejected"})
        fate -= faults.rejects
        if fate < faults.errors:
            self._around.note(self.charger_id, "limit answered with an error")
            return frame(ERROR, message_id, "InternalError", "", {})
        fate -= faults.errors
        status = self._install(payload)
        if fate < faults.rejects_but_applies:
            self._around.note(self.charger_id, "limit rejected but applied")
            status = "Rejected"
        return frame(RESULT, message_id, {"status": status})

    def _install(self, payload: dict[str, Any]) -> str:
        profile = payload["csChargingProfiles"]
        periods = profile["chargingSchedule"]["chargingSchedulePeriod"]
        if self.traits.full_power_at_expiry:
            for period in periods[1:]:
                period["limit"] = self.hardware.max_w
        if self.traits.one_period_only:
            del periods[1:]
        number, pauses = payload["connectorId"], periods[0]["limit"] <= 0
        self._bend(number, profile)
        status = self._answers.set_profile(number, profile)
        running = self.behaviour.connector(number).transaction if number else None
        if status == "Accepted" and profile["chargingProfilePurpose"] == "TxProfile":
            self._paused.pop(number, None)
            if pauses and running is not None:
                self._paused[number] = running.started_at
        return status

    def _bend(self, number: int, profile: dict[str, Any]) -> None:
        """Make of a limit what this charger takes it for."""
        schedule, traits = profile["chargingSchedule"], self.traits
        periods = schedule["chargingSchedulePeriod"]
        amperes = schedule["chargingRateUnit"] == RateUnit.AMPERES.value
        if traits.resumes_unlimited and profile["chargingProfilePurpose"] == "TxProfile":
            running = self.behaviour.connector(number).transaction
            paused = running is not None and self._paused.get(number) == running.started_at
            if paused and periods[0]["limit"] > 0:
                periods[0]["limit"] = self.hardware.max_w
        for period in periods:
            if traits.least_at_zero:
                least = AC_FLOOR_A if amperes else LEAST_W
                period["limit"] = max(period["limit"], least)
            if traits.only_pauses and period["limit"] > 0:
                period["limit"] = self.hardware.max_w
            if traits.above_nameplate and period["limit"] >= self._nameplate_w:
                period["limit"] = self.hardware.max_w

    def _count(self, payload: dict[str, Any]) -> None:
        profile = payload["csChargingProfiles"]
        schedule = profile["chargingSchedule"]
        slot = (payload["connectorId"], profile["chargingProfilePurpose"])
        value = (
            profile.get("transactionId"),
            schedule["chargingRateUnit"],
            schedule["chargingSchedulePeriod"][0]["limit"],
        )
        self.counts.limits += 1
        if self.counts.last_limit.get(slot) != value:
            self.counts.last_limit[slot] = value
            self.counts.limits_that_changed += 1

    # ------------------------------------------------------------------ people

    def ready_for_cars(self) -> bool:
        """Whether it has been taken into service: csms has known it for a while."""
        return self.booted_once_at is not None and self._loop.time() - self.booted_once_at > 120.0

    def present_token(self, connector_id: int, id_tag: str) -> None:
        """A driver shows a token."""
        self.behaviour.present_token(connector_id, id_tag, online=self.online, moment=self.moment())
        self.settle()
