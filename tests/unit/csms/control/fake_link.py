"""A clock that stands still, and chargers that answer by script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from csms.dispatch.by_hand import Availability, NewKey, Reach
from csms.dispatch.commands import Scope, SetLimit
from csms.ports import Answer, Exchange, LocalListUpdate, Outcome
from csms.protocol.link import OcppLink
from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation

START = 1_000.0
YES = Answer(Outcome.ACCEPTED, "Accepted")
NO = Answer(Outcome.REJECTED, "Rejected")
SILENCE = Answer(Outcome.TIMEOUT, "no answer in time")
GONE = Answer(Outcome.DISCONNECTED, "connection lost before the answer")


class FakeClock:
    """`ports.Clock` that stands still until it is moved."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds


def exchange(
    outcome: Outcome = Outcome.ACCEPTED, *, code: str | None = None, message_id: str = "m1"
) -> Exchange:
    """How a request sent by hand ended; a CALLERROR when there is a code."""
    answered = outcome not in {Outcome.TIMEOUT, Outcome.DISCONNECTED, Outcome.NOT_SENT}
    said = {"status": "Accepted" if outcome is Outcome.ACCEPTED else "Rejected"}
    answer = said if answered and code is None else None
    return Exchange(message_id, START, START + 1, outcome, answer, code)


class NobodyLate:
    """`ports.LateAnswers` that hears nothing."""

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        raise AssertionError(command)


class FakeLink:
    """`ports.ChargerLink`: records every request and answers by script.

    A limit is answered by `script`, which may return None to keep the answer back until `release`.
    `wire` tells, in order, what left (`"A/1 150000"`) and what was answered (`"A/1 150000 ok"`);
    fallbacks are marked `"A/1 default 0"`. `peak_w` is the most that was ever let through: a
    connector counts at the largest limit not yet replaced by an accepted one.
    """

    def __init__(self) -> None:
        self.connected: set[str] = set()
        self.limits: list[SetLimit] = []
        self.wire: list[str] = []
        self.requests: list[tuple[object, ...]] = []
        self.script: Callable[[SetLimit], Answer | None] = lambda _: YES
        self.before_limit: Callable[[SetLimit], None] = lambda _: None
        self.configuration: dict[str, str] = {"MeterValueSampleInterval": "10"}
        self.answers: dict[str, Answer] = {}
        self.breaks: set[str] = set()
        self.held: set[str] = set()
        self.let_go = asyncio.Event()
        self.on_remote_start: Callable[[ConnectorKey, str], Awaitable[None]] | None = None
        self.on_remote_stop: Callable[[str, int], Awaitable[None]] | None = None
        self.on_reset: Callable[[str], Awaitable[None]] | None = None
        self.on_disconnect: Callable[[str], None] = lambda _: None
        self.configuration_ready = asyncio.Event()
        self.configuration_ready.set()
        self.list_version = 0
        self.list_answers: list[Answer] = []
        self.peak_w = 0
        self.now: Callable[[], float] = lambda: START
        self.calls: Callable[[str], Exchange | None] = lambda _: exchange()
        self.held_call: asyncio.Future[Exchange] | None = None
        self.late_calls: list[Callable[[Exchange], None] | None] = []
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._may_draw: dict[ConnectorKey, set[int]] = {}

    # ------------------------------------------------------------------ the port

    def is_connected(self, charger_id: str) -> bool:
        return charger_id in self.connected

    def disconnect(self, charger_id: str, reason: str) -> None:
        self._asked("disconnect", charger_id, reason)
        self.on_disconnect(charger_id)
        self.connected.discard(charger_id)

    def examine(
        self, action: str, payload: Mapping[str, Any], *, force: bool
    ) -> Reach | Availability | NewKey | None:
        known = OcppLink(lambda _: None, NobodyLate(), FakeClock(self.now()))
        return known.examine(action, payload, force=force)

    async def call(
        self,
        charger_id: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        on_late: Callable[[Exchange], None] | None = None,
    ) -> Exchange:
        self.requests.append(("call", charger_id, action, payload))
        self.late_calls.append(on_late)
        answer = self.calls(action)
        if answer is None:
            self.held_call = asyncio.get_running_loop().create_future()
            return await self.held_call
        return answer

    async def set_limit(self, command: SetLimit) -> Answer:
        self.before_limit(command)
        self.limits.append(command)
        self.wire.append(_words(command))
        self._left(command)
        answer = self.script(command)
        await asyncio.sleep(0)  # no answer comes before the frames of the same cycle have left
        if answer is None:
            held: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting[command.token] = held
            answer = await held
        if answer.accepted:
            self._may_draw[command.connector] = {command.limit.value_w}
        self.wire.append(f"{_words(command)} {'ok' if answer.accepted else answer.outcome.value}")
        return answer

    async def clear_limits(self, charger_id: str, connector_id: int | None = None) -> Answer:
        return self._asked("clear_limits", charger_id, connector_id)

    async def composite_schedule(self, connector: ConnectorKey, duration_s: int) -> Answer:
        return self._asked("composite_schedule", connector, duration_s)

    async def remote_start(self, connector: ConnectorKey, id_token: str) -> Answer:
        answer = self._asked("remote_start", connector, id_token)
        if self.on_remote_start is not None:
            await self.on_remote_start(connector, id_token)
        return answer

    async def remote_stop(self, charger_id: str, transaction_id: int) -> Answer:
        answer = self._asked("remote_stop", charger_id, transaction_id)
        if self.on_remote_stop is not None:
            await self.on_remote_stop(charger_id, transaction_id)
        return answer

    async def change_availability(
        self, charger_id: str, connector_id: int, *, operative: bool
    ) -> Answer:
        answer = self._asked("change_availability", charger_id, connector_id, operative)
        if "change_availability" in self.breaks:
            raise RuntimeError("bug")
        if "change_availability" in self.held:
            await self.let_go.wait()
        return answer

    async def reset(self, charger_id: str, *, hard: bool) -> Answer:
        answer = self._asked("reset", charger_id, hard)
        if self.on_reset is not None:
            await self.on_reset(charger_id)
        return answer

    async def trigger(self, charger_id: str, message: str, connector_id: int | None) -> Answer:
        return self._asked("trigger", charger_id, message, connector_id)

    async def get_configuration(self, charger_id: str, keys: Sequence[str]) -> Answer:
        answer = self._asked("get_configuration", charger_id, *keys)
        await self.configuration_ready.wait()
        found = {key: self.configuration[key] for key in keys if key in self.configuration}
        return Answer(answer.outcome, answer.detail, found)

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        answer = self._asked("change_configuration", charger_id, key, value)
        if answer.outcome is not Outcome.NOT_SENT and on_sent is not None:
            on_sent()
        return answer

    async def local_list_version(self, charger_id: str) -> Answer:
        answer = self._asked("local_list_version", charger_id)
        return Answer(answer.outcome, answer.detail, {"version": self.list_version})

    async def send_local_list(self, charger_id: str, update: LocalListUpdate) -> Answer:
        self.requests.append(("send_local_list", charger_id, update))
        answer = self.list_answers.pop(0) if self.list_answers else YES
        if answer.accepted:
            self.list_version = update.version
        return answer

    async def reserve(self, reservation: Reservation) -> Answer:
        return self._asked("reserve", reservation)

    async def cancel_reservation(self, charger_id: str, reservation_id: int) -> Answer:
        return self._asked("cancel_reservation", charger_id, reservation_id)

    # ------------------------------------------------------------------ the script

    def release(self, answer: Answer = YES, *, connector: ConnectorKey | None = None) -> None:
        """Give the answers kept back, of one connector or of all."""
        waiting = {c.token: c.connector for c in self.limits if c.token in self._waiting}
        for token, key in waiting.items():
            if connector in {None, key}:
                kept_back = self._waiting.pop(token)
                if not kept_back.done():  # nobody waits for it any more
                    kept_back.set_result(answer)

    def unplugged(self, connector: ConnectorKey) -> None:
        """The session is over, and its limits went with it."""
        self._may_draw.pop(connector, None)

    def named(self, request: str) -> list[tuple[object, ...]]:
        """The arguments of every request of this name."""
        return [asked[1:] for asked in self.requests if asked[0] == request]

    def last(self, connector: ConnectorKey) -> SetLimit:
        """The limit of a session sent last to this connector."""
        mine = [c for c in self.limits if c.connector == connector and c.scope is Scope.SESSION]
        return mine[-1]

    def _asked(self, *request: object) -> Answer:
        self.requests.append(request)
        return self.answers.get(str(request[0]), YES)

    def _left(self, command: SetLimit) -> None:
        if command.scope is Scope.SESSION:
            self._may_draw.setdefault(command.connector, {0}).add(command.limit.value_w)
            self.peak_w = max(self.peak_w, sum(max(v) for v in self._may_draw.values()))


def _words(command: SetLimit) -> str:
    scope = "default " if command.scope is Scope.DEFAULT else ""
    return f"{command.connector} {scope}{command.limit.value_w}"


def keeping_back(*connectors: ConnectorKey) -> Callable[[SetLimit], Answer | None]:
    """A script that accepts, but keeps the answers of these connectors' sessions back."""
    return lambda c: None if c.connector in connectors and c.scope is Scope.SESSION else YES


def answering(
    answer: Answer, *connectors: ConnectorKey, scope: Scope = Scope.SESSION
) -> Callable[[SetLimit], Answer | None]:
    """A script that answers these connectors' limits of one scope so, and accepts all others."""
    return lambda c: answer if c.connector in connectors and c.scope is scope else YES


def refusing(answer: Answer, *connectors: ConnectorKey) -> Callable[[SetLimit], Answer | None]:
    """A script that answers every limit on these connectors so, in whatever form, but 0 W."""
    return lambda c: answer if c.connector in connectors and c.limit.value_w > 0 else YES
