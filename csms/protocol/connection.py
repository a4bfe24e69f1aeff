"""One charger on one WebSocket: the asyncio shell around `rpc.Peer`.

    reader   takes every frame, settles answers at once, hands requests to the worker
    worker   serves requests one at a time, in the order they came
    watch    time-outs, pings, giving up

The reader waits when too many requests are in work, or when the charger sends faster than it may
(`pace`); it then stops reading, and the charger is slowed by TCP. Nothing here waits for a write:
the socket drops a client that does not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from csms.errors import ProtocolError, StorageError
from csms.ports import Clock, Frame, FrameLog
from csms.protocol import rpc
from csms.protocol.framing import printable
from csms.protocol.liveness import Liveness, LivenessSettings, Signs
from csms.protocol.pace import Pace, PacePolicy
from csms.protocol.redaction import redacted
from csms.protocol.rpc import CallReceived, Event, Reply

log = structlog.get_logger(__name__)

Handler = Callable[[str, Any], Awaitable[dict[str, Any]]]
"""Serves one request: action and payload to the payload of the answer, or raises ProtocolError."""

ANSWER_FIRST = "StartTransaction"
"""Its answer carries the transaction id. A limit that names this id must not overtake it."""

NEVER_LIED_TO = frozenset({"StartTransaction", "StopTransaction"})
"""What cannot be kept is not answered (law 5): a charger that hears nothing asks again.

A CALLERROR would count as an attempt, and chargers give up after a few (safety.md §3.3).
"""

CLOSE_TRY_AGAIN = 1013

PENDING_INTERVALS = 2
"""A charger that was told to wait and has not booted again after so many intervals may be asked.

Some never boot again. The standard allows it of one that is `Pending` (OCPP 1.6 §4.2).
"""

LOST_AT_BOOT_S = 1.0
"""What was on the wire at a boot is waited for no longer than this, or than the pause after it.

A charger that has booted has lost it, or answers at once.
"""

URGENT_PRIORITY = 2
"""Calls up to this priority lower something (`link`): they are waited for before csms ends."""

FRAMES_BETWEEN_YIELDS = 16
LOGGED_CHARS = 65536
MESSAGES = (CallReceived, rpc.CallRepeated, rpc.Settled, rpc.LateReply)


class Socket(Protocol):
    """What a connection needs of a WebSocket. Nothing raises when the other side is gone."""

    heard_at: float
    pong_seen: bool
    on_closing: Callable[[], None]

    @property
    def open(self) -> bool:
        """Whether frames can still be written."""
        ...

    async def receive(self) -> str | bytes | None:
        """The next message; None when the connection has ended."""
        ...

    def write(self, text: str) -> None:
        """Write a text frame without waiting."""
        ...

    def write_ping(self) -> None:
        """Write a ping without waiting."""
        ...

    def start_close(self, code: int, reason: str) -> None:
        """Write a close frame without waiting."""
        ...

    def abort(self) -> None:
        """Drop the connection."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Times in seconds.

    CALLs are held until `boot_quiet_s` after an accepted BootNotification was answered, because
    chargers drop what comes before; until the first other request of a charger that booted on an
    earlier connection was answered; or for `no_boot_wait_s` when nothing comes. The server sets
    `max_frame_chars` from its own bound.

    `inward_calls` may be in work before reading stops, `outward_calls` of ours may wait beside the
    limits (safety.md §3.2: 16 and 8). More than `stray_answers` to nothing close (A15: 100), and so
    do `silent_calls` of ours without an answer from a charger that still sends (§3.2: 3). A charger
    whose transaction could not be kept is closed `unkept_close_s` later (§3.3: 30 s), unless one
    has been kept since.
    """

    call_timeout_s: float = 30.0
    call_gap_s: float = 0.0
    boot_quiet_s: float = 1.0
    no_boot_wait_s: float = 5.0
    close_timeout_s: float = 5.0
    drain_s: float = 10.0
    inward_calls: int = 16
    inward_chars: int = 1 << 20
    outward_calls: int = 8
    stray_answers: int = 100
    silent_calls: int = 3
    unkept_close_s: float = 30.0
    max_frame_chars: int = 1 << 20
    liveness: LivenessSettings = field(default_factory=LivenessSettings)
    pace: PacePolicy = field(default_factory=PacePolicy)

    def limits(self) -> rpc.Limits:
        """The same, for the peer."""
        return rpc.Limits(
            max_chars=self.max_frame_chars,
            max_inward=self.inward_calls,
            max_queued=self.outward_calls,
            max_strays=self.stray_answers,
            max_timeouts=self.silent_calls,
            gap_s=self.call_gap_s,
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connection is given by whoever owns it.

    `on_first_call` runs once, before the first request is served; `on_end` runs once, as soon as
    the connection is of no more use.
    """

    handle: Handler
    registered: Callable[[], bool]
    on_first_call: Callable[[Connection], None]
    on_end: Callable[[Connection], None]
    clock: Clock
    frames: FrameLog
    new_id: Callable[[], str]


@dataclass(slots=True, eq=False)
class _Waiter:
    """Who waits for the answer to one CALL."""

    future: asyncio.Future[Reply]
    on_late: Callable[[Reply], None] | None
    on_sent: Callable[[], None] | None


class Connection:
    """A charger's connection. `call` may be used from any task while `run` runs."""

    def __init__(
        self,
        charger_id: str,
        socket: Socket,
        around: Surroundings,
        *,
        cache: rpc.ReplyCache,
        settings: ConnectionSettings,
        pace: Pace | None = None,
    ) -> None:
        self.charger_id = charger_id
        self._socket = socket
        self._around = around
        self._settings = settings
        self._peer = rpc.Peer(around.new_id, limits=settings.limits(), cache=cache)
        now = around.clock.monotonic()
        self._peer.release(now + settings.no_boot_wait_s)
        self._liveness = Liveness(settings.liveness, now)
        self._pace = Pace(settings.pace, now) if pace is None else pace
        self._slowed = False
        self._unread_at = now
        self._called = False
        self._spoke = False
        self._booted = False
        self._usable = True
        self._abort_at = now
        self._unkept_since: float | None = None
        self._lost = False
        self._ignored = 0
        self._inbox: deque[CallReceived] = deque()
        self._in_work = 0
        self._in_work_chars = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._over = asyncio.Event()
        self._stir = asyncio.Event()
        socket.on_closing = self._stir.set

    # ------------------------------------------------------------------ for others

    @property
    def usable(self) -> bool:
        """Whether calls can still reach the charger."""
        return self._usable and self._socket.open

    @property
    def busy(self) -> bool:
        """Whether the charger has a request in work, or a lower on its way to it."""
        return self.usable and (self._in_work > 0 or self._peer.has_urgent(URGENT_PRIORITY))

    @property
    def heard_at(self) -> float:
        """When any frame last came, monotonic seconds.

        Whom nobody reads cannot be heard: as long as that is so, it may have been just now.
        """
        if self._slowed:
            return self._around.clock.monotonic()
        return max(self._socket.heard_at, self._unread_at)

    def ping(self) -> None:
        """Ask for a sign of life: see `heard_at`."""
        self._socket.write_ping()

    def close(self, code: int, reason: str) -> None:
        """Close without waiting. Calls end as Disconnected; later frames are not looked at."""
        if self._usable:
            log.info("connection_closing", charger_id=self.charger_id, code=code, reason=reason)
        self._end()
        self._socket.start_close(code, reason)

    def new_message_id(self) -> str:
        """An id for a CALL of which one wants to know the id."""
        return self._around.new_id()

    async def call(
        self,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float | None = None,
        priority: int = 5,
        on_late: Callable[[Reply], None] | None = None,
        on_sent: Callable[[], None] | None = None,
        message_id: str | None = None,
        slot: Hashable | None = None,
    ) -> Reply:
        """Send a CALL and wait for its end: at most `timeout_s` in the queue and as long again.

        Lower `priority` goes first. `message_id` is one of `new_message_id`, None takes one. What
        waits in the same `slot` is taken back: this takes its place.
        `on_late` gets an answer that comes after the time-out, or after this coroutine was
        cancelled. `on_sent` is called when the CALL leaves the queue. Never raises for what the
        charger does; raises ValueError for a payload that is not JSON.
        """
        waiter = _Waiter(asyncio.get_running_loop().create_future(), on_late, on_sent)
        events = self._peer.call(
            action,
            payload,
            self._around.clock.monotonic(),
            timeout_s=self._settings.call_timeout_s if timeout_s is None else timeout_s,
            priority=priority,
            handle=waiter,
            message_id=message_id,
            slot=slot,
        )
        self._apply(events)
        self._stir.set()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._peer.withdraw(waiter)
            raise

    async def run(self) -> None:
        """Serve the charger until its socket is gone and what it asked has been dealt with."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            worker = tasks.create_task(self._work())
            try:
                await self._read()
            finally:
                self._lost = True
                self._end()
                self._arrived.set()
                self._stir.set()
            try:
                async with asyncio.timeout(self._settings.drain_s):
                    await asyncio.wait([worker])
            except TimeoutError:
                log.warning("requests_abandoned", charger_id=self.charger_id, count=self._in_work)
                worker.cancel()

    # ------------------------------------------------------------------ reader

    async def _read(self) -> None:
        count = 0
        while (data := await self._socket.receive()) is not None:
            if self._usable:
                self._log_frame(data, inbound=True)
                events = self._peer.receive(data, self._around.clock.monotonic())
                self._spoke = self._spoke or any(isinstance(e, MESSAGES) for e in events)
                self._apply(events)
                self._stir.set()
                await self._keep_pace(len(data))
            await self._wait_for_room()
            count += 1
            if count % FRAMES_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)  # frames already buffered come without a wait

    async def _keep_pace(self, chars: int) -> None:
        """Leave what comes next unread for as long as the charger has sent too fast."""
        wait_s = self._pace.take(chars, self._around.clock.monotonic())
        if wait_s > 0:
            with self._not_reading():
                await _within(wait_s, self._over)

    async def _wait_for_room(self) -> None:
        while self._usable and (
            self._in_work >= self._settings.inward_calls
            or self._in_work_chars > self._settings.inward_chars
        ):
            self._room.clear()
            with self._not_reading():
                await self._room.wait()

    @contextmanager
    def _not_reading(self) -> Iterator[None]:
        """While what the charger sends lies unread, its silence proves nothing."""
        self._slowed = True
        try:
            yield
        finally:
            self._slowed = False
            self._unread_at = self._around.clock.monotonic()
            self._peer.excuse(self._unread_at)

    def _apply(self, events: Sequence[Event]) -> None:
        """Do what the peer says, in order."""
        for event in events:
            match event:
                case rpc.Send(text, handle):
                    self._log_frame(text, inbound=False)
                    self._socket.write(text)
                    if isinstance(handle, _Waiter) and handle.on_sent is not None:
                        handle.on_sent()
                case CallReceived():
                    self._enqueue(event)
                case rpc.CallRepeated():
                    self._note_call()
                case rpc.Settled(_Waiter() as waiter, _, reply):
                    _settle(waiter, reply)
                case rpc.LateReply(_Waiter() as waiter, action, reply):
                    log.info("late_answer", charger_id=self.charger_id, action=action)
                    _tell_late(waiter, reply)
                case rpc.Ignored(reason, message_id):
                    self._note_ignored(reason, message_id)
                case rpc.CloseWanted(code, reason):
                    self.close(code, reason)

    def _note_call(self) -> None:
        if not self._called:
            self._called = True
            self._around.on_first_call(self)

    def _enqueue(self, call: CallReceived) -> None:
        if call.action == "BootNotification":
            self._booted = True
            self._peer.hold()
        if call.action == ANSWER_FIRST:
            self._peer.pause()
        self._note_call()
        self._in_work += 1
        self._in_work_chars += call.size_chars
        self._inbox.append(call)
        self._arrived.set()

    def _note_ignored(self, reason: str, message_id: str | None) -> None:
        """Log the first, second, fourth, eighth … so that a flood cannot fill the log."""
        self._ignored += 1
        if self._ignored & (self._ignored - 1) == 0:
            log.info(
                "frame_ignored",
                charger_id=self.charger_id,
                reason=reason,
                message_id=None if message_id is None else printable(message_id, 40),
                count=self._ignored,
            )

    def _log_frame(self, data: str | bytes, *, inbound: bool) -> None:
        """Every frame passes here on its way to the frame log: the one place to redact."""
        text = data if isinstance(data, str) else data.decode(errors="replace")
        at = self._around.clock.now()
        shown = redacted(text[:LOGGED_CHARS])
        self._around.frames.frame(Frame(self.charger_id, at, inbound, shown))

    # ------------------------------------------------------------------ worker

    async def _work(self) -> None:
        """Serve in order. What was received before the socket was lost is served all the same."""
        while True:
            while self._inbox:
                call = self._inbox.popleft()
                await self._serve(call)
                if call.action == ANSWER_FIRST:
                    self._peer.resume()
                    self._stir.set()
                self._in_work -= 1
                self._in_work_chars -= call.size_chars
                self._room.set()
            if self._lost:
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def _serve(self, call: CallReceived) -> None:
        try:
            payload = await self._around.handle(call.action, call.payload)
        except ProtocolError as error:
            log.info(
                "request_refused",
                charger_id=self.charger_id,
                action=printable(call.action, 64),
                error=printable(str(error)),
            )
            self._apply(self._peer.reply_error(call, error))
        except StorageError as error:
            self._not_kept(call, error)
        except Exception:  # boundary: one request never costs the connection
            log.exception(
                "request_failed", charger_id=self.charger_id, action=printable(call.action, 64)
            )
            self._apply(self._peer.reply_error(call, ProtocolError("InternalError")))
        else:
            now = self._around.clock.monotonic()
            if call.action in NEVER_LIED_TO:
                self._unkept_since = None
            self._apply(self._peer.reply(call, payload, now))
            self._release(call.action, payload, now)

    def _not_kept(self, call: CallReceived, error: StorageError) -> None:
        log.warning(
            "not_kept",
            charger_id=self.charger_id,
            action=printable(call.action, 64),
            error=printable(str(error)),
        )
        if call.action not in NEVER_LIED_TO:
            self._apply(self._peer.reply_error(call, ProtocolError("InternalError")))
            return
        self._peer.withhold(call)
        if self._unkept_since is None:
            self._unkept_since = self._around.clock.monotonic()
        self._stir.set()

    def _release(self, action: str, payload: Mapping[str, Any], now: float) -> None:
        """Let CALLs go, when the request just answered is a reason to."""
        if action == "BootNotification":
            quiet_s = self._settings.boot_quiet_s
            if payload.get("status") == "Accepted":
                self._peer.doubt(now, now + max(quiet_s, LOST_AT_BOOT_S))
                self._peer.release(now + quiet_s)
            elif payload.get("status") == "Pending":
                wait_s = float(payload["interval"])
                self._peer.release(now + PENDING_INTERVALS * wait_s + quiet_s)
        elif not self._booted and self._around.registered():
            self._peer.release(now)
        self._stir.set()

    # ------------------------------------------------------------------ watch

    async def _watch(self) -> None:
        """Wake for whatever is due next, or for a change of what is due."""
        while not self._lost:
            now = self._around.clock.monotonic()
            if self._usable and not self._socket.open:
                self._end()
            self._stir.clear()
            await _within(self._attend(now) - now, self._stir)

    def _attend(self, now: float) -> float:
        """Do what is due; returns when something is next due."""
        if not self._usable:
            if now >= self._abort_at:
                self._socket.abort()
                return now + self._settings.close_timeout_s
            return self._abort_at
        if self._slowed:
            self._peer.excuse(now)
        self._apply(self._peer.tick(now))
        signs = Signs(self.heard_at, self._socket.pong_seen, self._spoke)
        reason = self._liveness.dead(signs, now)
        if reason is not None:
            self.close(rpc.CLOSE_UNRESPONSIVE, reason)
            return self._abort_at
        close_at = self._unkept_close_at()
        if close_at is not None and now >= close_at:
            self.close(CLOSE_TRY_AGAIN, "the database does not take its transactions")
            return self._abort_at
        if self._liveness.ping_due(now):
            self._socket.write_ping()
        times = [self._peer.next_deadline(), close_at, self._liveness.next_at(signs)]
        return min(at for at in times if at is not None)

    def _unkept_close_at(self) -> float | None:
        """When to close because a transaction was not kept; None for not at all."""
        if self._unkept_since is None:
            return None
        return self._unkept_since + self._settings.unkept_close_s

    def _end(self) -> None:
        """The connection is of no more use. Answers still owed are kept for a repeated request."""
        if not self._usable:
            return
        self._usable = False
        self._abort_at = self._around.clock.monotonic() + self._settings.close_timeout_s
        self._apply(self._peer.close())
        self._around.on_end(self)
        self._room.set()
        self._over.set()
        self._stir.set()


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer than this."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return


def _settle(waiter: _Waiter, reply: Reply) -> None:
    if waiter.future.done():
        _tell_late(waiter, reply)  # whoever asked no longer waits
    else:
        waiter.future.set_result(reply)


def _tell_late(waiter: _Waiter, reply: Reply) -> None:
    if waiter.on_late is not None and isinstance(reply, (rpc.Result, rpc.CallError)):
        waiter.on_late(reply)
