"""Fakes for tests of connections: a socket without a network, and a loop whose time only jumps."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from csms.errors import ProtocolError, StorageError
from csms.ports import (
    Admission,
    Approach,
    BootReport,
    BootVerdict,
    ChargerReport,
    Clock,
    Frame,
    IdToken,
    Recorder,
    StartReport,
    StartVerdict,
    StopReport,
)
from csms.station.facts import Fact


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: when nothing is ready, the time of the next timer is now."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that will never happen")
        self.elapsed_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour takes no time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed_s


def virtual(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Run an asynchronous test in virtual time, an hour at most."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(3600):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(bounded())

    return run


async def pass_time(seconds: float = 0.001) -> None:
    """Let virtual time pass; whatever can happen before happens."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(seconds, passed.set_result, None)
    await passed


class LoopClock:
    """`ports.Clock` on the loop's time; epoch seconds begin at 1000."""

    def now(self) -> float:
        return 1000.0 + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class KeptFrames:
    """`ports.FrameLog` in memory."""

    def __init__(self) -> None:
        self.kept: deque[Frame] = deque(maxlen=1000)

    def frame(self, frame: Frame) -> None:
        self.kept.append(frame)

    async def frames(self, charger_id: str, *, limit: int = 200) -> list[Frame]:
        return [f for f in self.kept if f.charger_id == charger_id][-limit:]


class FakeSocket:
    """A WebSocket whose charger is the test: it says frames and reads what was written."""

    def __init__(self) -> None:
        self.heard_at = 0.0
        self.pong_seen = False
        self.open = True
        self.on_closing: Callable[[], None] = lambda: None
        self.written: list[str] = []
        self.written_at: list[float] = []
        self.pings_at: list[float] = []
        self.closes: list[tuple[int, str]] = []
        self.aborted_at: float | None = None
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    @property
    def unread(self) -> int:
        return self._frames.qsize()

    # What the charger does.

    def say(self, *frames: str | bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        for frame in frames:
            self._frames.put_nowait(frame)

    def hang_up(self) -> None:
        self.open = False
        self._frames.put_nowait(None)

    def begin_to_close(self) -> None:
        self.open = False
        self.on_closing()

    # What the connection does.

    async def receive(self) -> str | bytes | None:
        return await self._frames.get()

    def write(self, text: str) -> None:
        if self.open:
            self.written.append(text)
            self.written_at.append(asyncio.get_running_loop().time())

    def write_ping(self) -> None:
        self.pings_at.append(asyncio.get_running_loop().time())

    def start_close(self, code: int, reason: str) -> None:
        if self.open:
            self.open = False
            self.closes.append((code, reason))

    def abort(self) -> None:
        self.aborted_at = asyncio.get_running_loop().time()
        self._frames.put_nowait(None)


class OpenGate:
    """`ports.Gate` that lets everybody in but the strangers, and knows some from before."""

    def __init__(self, *, registered: frozenset[str] = frozenset()) -> None:
        self.known = registered
        self.knocked: list[tuple[str, str]] = []
        self.broken = False
        self.charging: set[str] = set()

    def known_as(self, names: Sequence[str]) -> str | None:
        return None

    async def admit(self, charger_id: str, address: str) -> bool:
        if self.broken:
            raise StorageError("the database is down")
        self.knocked.append((charger_id, address))
        return not charger_id.startswith("STRANGER")

    def turned_away(self, charger_id: str, address: str) -> None:
        self.knocked.append((charger_id, address))

    def has_session(self, charger_id: str) -> bool:
        return charger_id in self.charging

    def registered(self, charger_id: str) -> bool:
        return charger_id in self.known


class OpenDoor:
    """`ports.Doorkeeper` that believes everybody, and keeps how they came."""

    def __init__(self, gate: OpenGate) -> None:
        self.gate = gate
        self.seen: list[Approach] = []
        self.away: list[tuple[str, str, str]] = []
        self.came_in: list[tuple[str, str]] = []
        self.closed_for_us: list[tuple[str, str]] = []

    def known_as(self, names: Sequence[str]) -> str | None:
        return self.gate.known_as(names)

    async def judge(self, approach: Approach) -> Admission:
        self.seen.append(approach)
        name = approach.charger_id
        if name is not None and await self.gate.admit(name, approach.address):
            return Admission.ADMITTED
        return Admission.REFUSED

    def turned_away(self, kind: str, address: str, text: str) -> None:
        self.away.append((kind, address, text))

    def came(self, charger_id: str, address: str) -> None:
        self.came_in.append((charger_id, address))

    def sent_away(self, charger_id: str, address: str) -> None:
        self.closed_for_us.append((charger_id, address))


class KeptFacts:
    """`ports.Recorder` that keeps facts and accepts everything."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.facts: list[Fact] = []
        self.served: list[tuple[str, str, Any]] = []

    def now(self) -> float:
        return self.clock.now()

    async def boot(self, report: BootReport) -> BootVerdict:
        assert report.charger_id
        return BootVerdict(accepted=True, interval_s=300)

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        assert charger_id
        return IdToken(id_token)

    async def start_session(self, report: StartReport) -> StartVerdict:
        return StartVerdict(1, IdToken(report.id_token))

    async def stop_session(self, report: StopReport) -> IdToken | None:
        assert report.charger_id
        return None

    def record(self, fact: Fact) -> None:
        self.facts.append(fact)

    async def sign(self, charger_id: str, request_pem: str) -> bool:
        return False

    async def report(self, report: ChargerReport) -> None:
        assert report.charger_id

    def note(self, charger_id: str, action: str, detail: Any) -> None:
        self.served.append((charger_id, action, detail))


async def serve_action(
    recorder: Recorder, charger_id: str, action: str, payload: Any
) -> dict[str, Any]:
    """Answer a few actions; every answer says how many were served before."""
    assert isinstance(recorder, KeptFacts)
    count = len(recorder.served)
    if action == "BootNotification":
        recorder.note(charger_id, action, payload)
        return {"status": "Accepted", "interval": 300, "currentTime": "2026-01-01T00:00:00Z"}
    if action in ("Heartbeat", "StatusNotification", "StartTransaction"):
        recorder.note(charger_id, action, payload)
        return {"count": count}
    raise ProtocolError("NotImplemented")
