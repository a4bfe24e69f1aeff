"""An OCPP-J 1.6 peer without I/O, clock or tasks (OCPP-J 1.6 §4).

The shell feeds it frames and the time (`receive`, `tick`), asks it to send (`call`, `reply`,
`reply_error`) and does what the returned events say, in order. Times are monotonic seconds.

A call outward. One at a time is on the wire (§4.1.1); the others wait, lower priority number first,
oldest first within a number:

    state     event                             next       events
    --------  --------------------------------  ---------  -----------------------------------
    (new)     call()                            queued
    (new)     call(), queue full                queued     Settled TimedOut(sent=False), the last
    (new)     call(), its slot taken            queued     Settled TimedOut(sent=False), the older
    queued    wire free, released, gap over     sent       Send
    queued    timeout_s in the queue            gone       Settled TimedOut(sent=False)
    sent      answer with its id                gone       Settled Result or CallError
    sent      timeout_s on the wire             late       Settled TimedOut(sent=True)
    sent      doubt()                           sent       its time-out is nearer
    late      answer with its id                gone       LateReply
    late      late_s, or too many               gone
    any       close()                           gone       Settled Disconnected (queued and sent)

A call inward. Always taken, whatever is pending outward (crossing calls are legal, errata 3.4):

    state     event                             next       events
    --------  --------------------------------  ---------  -----------------------------------
    (new)     frame                             in work    CallReceived
    (new)     frame, `max_inward` in work       gone       Send CALLERROR
    in work   the same frame again              in work    CallRepeated
    in work   reply(), reply_error()            answered   Send, once for each copy that came
    in work   withhold()                        gone
    answered  the same frame again              answered   CallRepeated, Send of the same answer
    answered  newer answers, keep_s             gone

What has a slot waits beside the queue's bound and is never the last that goes: there is one of it
for each slot at most. Limits have slots, so that no lower is ever lost to a full queue.

"The same frame" is the same id with the same content; the same id with other content is a new call.
BootNotification and Heartbeat are served again instead: that is harmless, and their answers carry
the time. A BootNotification also forgets the answers: some chargers count their ids from 1 again.

A request that cannot be read, but for its head, is answered so that the charger goes on to its next
one: a report whose answer says nothing gets that answer, BootNotification and Heartbeat are served
without their payload, all others get a CALLERROR.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from csms.errors import ProtocolError
from csms.protocol import framing
from csms.protocol.framing import Broken, Call, CallFailure, CallResult

SERVED_AGAIN = frozenset({"BootNotification", "Heartbeat"})
SERVED_UNREAD = SERVED_AGAIN
"""What these say of a charger is worth less than the time their answers carry."""

ACKNOWLEDGED_UNREAD = frozenset(
    {
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignedFirmwareStatusNotification",
        "StatusNotification",
    }
)
"""Their answers have no fields; a charger that is refused one may send it for ever."""

CLOSE_POLICY = 1008
CLOSE_UNRESPONSIVE = 1011


# ---------------------------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True)
class Result:
    """The other side answered with a CALLRESULT."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallError:
    """The other side answered with a CALLERROR, or with something that cannot be read."""

    code: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer in time. `sent` False: it never left the queue, so it cannot have been acted on."""

    sent: bool = True


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended first. `sent` False: it never left the queue."""

    sent: bool = True


Reply = Result | CallError | TimedOut | Disconnected


# ---------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Send:
    """Write this text frame. `handle` is that of the call of ours that goes with it, if any."""

    text: str
    handle: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CallReceived:
    """A request to serve. Hand this very object back to `reply` or `reply_error`."""

    message_id: str
    action: str
    payload: Any
    key: tuple[str, int]
    size_chars: int


@dataclass(frozen=True, slots=True)
class CallRepeated:
    """A request that came before. Nothing is to be done: it has had or will get the one answer."""

    message_id: str
    action: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A call outward is over. `handle` is what the caller gave."""

    handle: object
    action: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class LateReply:
    """An answer to a call that had been settled as timed out."""

    handle: object
    action: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Ignored:
    """A frame that led to nothing (a CALLERROR at most). Never quotes the frame."""

    reason: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class CloseWanted:
    """The connection is of no more use: close it with this WebSocket code. Comes once."""

    code: int
    reason: str


Event = Send | CallReceived | CallRepeated | Settled | LateReply | Ignored | CloseWanted


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that is bounded. Sizes in characters, times in seconds.

    From safety.md: `max_inward` and `max_queued` (§3.2), `max_strays` (A15), `max_timeouts` (§3.2),
    `max_depth` (A9).
    """

    max_chars: int = 1 << 20
    max_depth: int = 16
    max_inward: int = 16
    max_queued: int = 8
    max_late: int = 64
    late_s: float = 600.0
    max_strays: int = 100
    max_unreadable: int = 1000
    max_timeouts: int = 3
    gap_s: float = 0.0


class ReplyCache:
    """The newest answers given to one charger; outlives its sockets.

    Chargers repeat a request with its old id within a connection and after a reconnect.
    """

    def __init__(self, size: int = 32, keep_s: float = 600.0) -> None:
        self._size = size
        self._keep_s = keep_s
        self._answers: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: tuple[str, int], now: float) -> str | None:
        """The answer frame given to this request, or None."""
        at, text = self._answers.get(key, (now - self._keep_s, None))
        return text if now - at < self._keep_s else None

    def keep(self, key: tuple[str, int], text: str, now: float) -> None:
        """Remember an answer, and forget the oldest beyond the bound."""
        self._answers[key] = (now, text)
        self._answers.move_to_end(key)
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget every answer."""
        self._answers.clear()


@dataclass(slots=True)
class _Outward:
    """A call of ours. `deadline` is for the state it is in: queued or sent."""

    message_id: str
    action: str
    text: str
    handle: object
    priority: int
    timeout_s: float
    deadline: float
    slot: Hashable | None = None
    sent_at: float = 0.0


@dataclass(slots=True)
class _Silence:
    """Calls of ours that timed out one after the other."""

    count: int = 0
    since: float = 0.0


@dataclass(slots=True)
class _Counts:
    """What the other side did that it should not have."""

    strays: int = 0
    unreadable: int = 0
    silence: _Silence = field(default_factory=_Silence)


class Peer:
    """One side of one OCPP-J connection. No method raises for what the other side does."""

    def __init__(
        self,
        new_id: Callable[[], str],
        *,
        limits: Limits | None = None,
        cache: ReplyCache | None = None,
    ) -> None:
        self._new_id = new_id
        self._limits = limits or Limits()
        self._cache = cache if cache is not None else ReplyCache()
        self._in_work: dict[tuple[str, int], int] = {}
        self._queue: list[_Outward] = []
        self._sent: _Outward | None = None
        self._late: OrderedDict[str, _Outward] = OrderedDict()
        self._released_at: float | None = None
        self._pauses = 0
        self._gap_until = float("-inf")
        self._excused_at = float("-inf")
        self._counts = _Counts()
        self._heard_at = float("-inf")
        self._close_wanted = False
        self._closed = False

    # ------------------------------------------------------------------ what comes in

    def receive(self, data: str | bytes, now: float) -> list[Event]:
        """Take one frame, text or binary."""
        if self._closed:
            return []
        self._heard_at = now
        events = self._take(data, now)
        if self._counts.silence.count >= self._limits.max_timeouts:
            events += self._want_close(CLOSE_UNRESPONSIVE, "calls are not answered")
        return events + self._pump(now)

    def _take(self, data: str | bytes, now: float) -> list[Event]:
        limits = self._limits
        message = framing.read_frame(data, max_chars=limits.max_chars, max_depth=limits.max_depth)
        match message:
            case Call():
                return self._take_call(message, data, now)
            case CallResult(message_id, payload):
                return self._take_answer(message_id, Result(payload), now)
            case CallFailure(message_id, code, description):
                return self._take_answer(message_id, CallError(code, description), now)
            case Broken():
                return self._take_broken(message, data, now)
            case _:
                return [Ignored(message.reason)]

    def _take_call(self, call: Call, data: str | bytes, now: float) -> list[Event]:
        key = (call.message_id, hash(data))
        if call.action == "BootNotification":
            self._cache.clear()
        if key in self._in_work:
            self._in_work[key] = min(self._in_work[key] + 1, self._limits.max_inward)
            return [CallRepeated(call.message_id, call.action)]
        answer = self._cache.find(key, now)
        if answer is not None:
            return [CallRepeated(call.message_id, call.action), Send(answer)]
        if len(self._in_work) >= self._limits.max_inward:
            text = framing.write_error(call.message_id, "GenericError", "too many calls at once")
            return [Ignored("too many calls at once", call.message_id), Send(text)]
        self._in_work[key] = 1
        return [CallReceived(call.message_id, call.action, call.payload, key, len(data))]

    def _take_answer(self, message_id: str, reply: Reply, now: float) -> list[Event]:
        if self._sent is not None and self._sent.message_id == message_id:
            call, self._sent = self._sent, None
            self._counts.silence.count = 0
            return [Settled(call.handle, call.action, reply)]
        late = self._late.pop(message_id, None)
        if late is not None and now < late.deadline:
            self._counts.silence.count = 0
            return [LateReply(late.handle, late.action, reply)]
        self._counts.strays += 1
        events: list[Event] = [Ignored("answer to nothing")]
        if self._counts.strays > self._limits.max_strays:
            events += self._want_close(CLOSE_POLICY, "too many unsolicited answers")
        return events

    def _take_broken(self, frame: Broken, data: str | bytes, now: float) -> list[Event]:
        """A broken request is answered; a broken answer ends the call it belongs to at once."""
        self._counts.unreadable += 1
        events: list[Event] = [Ignored(frame.reason, frame.message_id)]
        if frame.message_id is not None and frame.kind == framing.CALL:
            events += self._take_unread(frame.message_id, frame, data, now)
        elif frame.message_id is not None:
            error = CallError("FormationViolation", f"unreadable answer: {frame.reason}")
            events += self._take_answer(frame.message_id, error, now)
        if self._counts.unreadable > self._limits.max_unreadable:
            events += self._want_close(CLOSE_POLICY, "too many unreadable frames")
        return events

    def _take_unread(
        self, message_id: str, frame: Broken, data: str | bytes, now: float
    ) -> list[Event]:
        if frame.action in SERVED_UNREAD:
            return self._take_call(Call(message_id, frame.action, {}), data, now)
        if frame.action in ACKNOWLEDGED_UNREAD:
            return [Send(framing.write_result(message_id, {}))]
        return [Send(framing.write_error(message_id, "FormationViolation", frame.reason))]

    def reply(self, call: CallReceived, payload: Mapping[str, Any], now: float) -> list[Event]:
        """Answer with a CALLRESULT. A payload that is not JSON becomes an InternalError."""
        try:
            text = framing.write_result(call.message_id, payload)
        except ValueError:
            return self.reply_error(call, ProtocolError("InternalError"))
        if call.action not in SERVED_AGAIN:
            self._cache.keep(call.key, text, now)
        return self._answer(call, text)

    def reply_error(self, call: CallReceived, error: ProtocolError) -> list[Event]:
        """Answer with a CALLERROR. It is not kept: the same request may succeed next time."""
        text = framing.write_error(call.message_id, error.code, error.description)
        return self._answer(call, text)

    def withhold(self, call: CallReceived) -> None:
        """Give no answer: the other side will ask again. The same frame is then a new request."""
        self._in_work.pop(call.key, None)

    def _answer(self, call: CallReceived, text: str) -> list[Event]:
        copies = self._in_work.pop(call.key, 0)
        return [] if self._closed else [Send(text)] * copies

    # ------------------------------------------------------------------ what goes out

    def call(
        self,
        action: str,
        payload: Mapping[str, Any],
        now: float,
        *,
        timeout_s: float = 30.0,
        priority: int = 5,
        handle: object = None,
        message_id: str | None = None,
        slot: Hashable | None = None,
    ) -> list[Event]:
        """Queue a CALL. It waits at most `timeout_s`, then has `timeout_s` to be answered.

        `message_id` must be unique, None takes a new one. `slot`: see above. Ends in exactly one
        `Settled` with this handle. Raises ValueError for a payload that is not JSON.
        """
        message_id = message_id or self._new_id()
        text = framing.write_call(message_id, action, payload)
        if self._closed:
            return [Settled(handle, action, Disconnected(sent=False))]
        wanted = _Outward(
            message_id, action, text, handle, priority, timeout_s, now + timeout_s, slot
        )
        superfluous = [c for c in self._queue if slot is not None and c.slot == slot]
        bisect.insort_right(self._queue, wanted, key=_urgency)
        plain = [c for c in self._queue if c.slot is None]
        superfluous += plain[self._limits.max_queued :]
        self._queue = [c for c in self._queue if c not in superfluous]
        gone: list[Event] = [Settled(c.handle, c.action, TimedOut(sent=False)) for c in superfluous]
        return gone + self._pump(now)

    def withdraw(self, handle: object) -> None:
        """Forget the queued call of this handle; one already sent still settles."""
        self._queue = [c for c in self._queue if c.handle is not handle]

    def has_urgent(self, priority: int) -> bool:
        """Whether a call of ours of this priority, or a more urgent one, is not over."""
        calls = self._queue if self._sent is None else [*self._queue, self._sent]
        return any(call.priority <= priority for call in calls)

    def hold(self) -> None:
        """Send no CALL until released: a charger that is booting drops what it is asked."""
        self._released_at = None

    def release(self, at: float) -> None:
        """Send CALLs from this moment on, or from an earlier one already set."""
        self._released_at = at if self._released_at is None else min(at, self._released_at)

    def pause(self) -> None:
        """Send no CALL until resumed as often as paused: what was asked must be answered first."""
        self._pauses += 1

    def resume(self) -> None:
        """Undo one `pause`. Whatever waits goes with the next `tick`."""
        self._pauses -= 1

    def excuse(self, now: float) -> None:
        """What was sent until now may go unanswered: that is no sign of a deaf charger."""
        self._excused_at = now

    def doubt(self, now: float, until: float) -> None:
        """The call on the wire may be lost: it is waited for until then at most, and excused."""
        self.excuse(now)
        if self._sent is not None:
            self._sent.deadline = min(self._sent.deadline, until)

    def _pump(self, now: float) -> list[Event]:
        """Put the most urgent waiting call on the wire, if it may go."""
        at = self._sendable_at()
        if at is None or now < at:
            return []
        call = self._queue.pop(0)
        call.sent_at = now
        call.deadline = now + call.timeout_s
        self._gap_until = now + self._limits.gap_s
        self._sent = call
        return [Send(call.text, call.handle)]

    def _sendable_at(self) -> float | None:
        """When the next waiting call may go; None when it waits for something else than time."""
        if not self._queue or self._sent or self._close_wanted or self._pauses:
            return None
        return None if self._released_at is None else max(self._released_at, self._gap_until)

    # ------------------------------------------------------------------ time and end

    def tick(self, now: float) -> list[Event]:
        """Let time pass: time-outs, and calls that waited for a moment."""
        events: list[Event] = []
        expired = [c for c in self._queue if c.deadline <= now]
        if expired:
            self._queue = [c for c in self._queue if c.deadline > now]
            events += [Settled(c.handle, c.action, TimedOut(sent=False)) for c in expired]
        if self._sent is not None and self._sent.deadline <= now:
            call, self._sent = self._sent, None
            events += self._time_out(call, now)
        return events + self._pump(now)

    def _time_out(self, call: _Outward, now: float) -> list[Event]:
        """A sent call had no answer. The next may go (§4.1.1); this one may be answered late."""
        call.deadline = now + self._limits.late_s
        self._late[call.message_id] = call
        if len(self._late) > self._limits.max_late:
            self._late.popitem(last=False)
        events: list[Event] = [Settled(call.handle, call.action, TimedOut())]
        if call.sent_at <= self._excused_at:
            return events
        silence = self._counts.silence
        if silence.count == 0:
            silence.since = call.sent_at
        silence.count += 1
        # Only a charger that still talks is deaf; one that does not is perhaps just gone.
        if silence.count >= self._limits.max_timeouts and self._heard_at > silence.since:
            events += self._want_close(CLOSE_UNRESPONSIVE, "calls are not answered")
        return events

    def next_deadline(self) -> float | None:
        """When `tick` is next worth calling; None when only events can change anything."""
        times = [c.deadline for c in self._queue]
        if self._sent is not None:
            times.append(self._sent.deadline)
        at = self._sendable_at()
        if at is not None:
            times.append(at)
        return min(times, default=None)

    def close(self) -> list[Event]:
        """The connection is gone: every call of ours ends as disconnected. Idempotent.

        Requests still in work may be answered: the answers are kept for when they are repeated.
        """
        self._closed = True
        waiting, self._queue = self._queue, []
        sent, self._sent = self._sent, None
        self._late.clear()
        events: list[Event] = []
        if sent is not None:
            events.append(Settled(sent.handle, sent.action, Disconnected()))
        events += [Settled(c.handle, c.action, Disconnected(sent=False)) for c in waiting]
        return events

    def _want_close(self, code: int, reason: str) -> list[Event]:
        if self._close_wanted:
            return []
        self._close_wanted = True
        return [CloseWanted(code, reason)]


def _urgency(call: _Outward) -> int:
    return call.priority
