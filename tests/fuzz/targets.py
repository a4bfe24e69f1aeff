"""What is fuzzed: the decoder, the handlers, a whole csms behind a socket.

A target counts what it did by name. It raises AssertionError when a rule does not hold, and lets
every other exception through: none is allowed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from collections import Counter
from pathlib import Path

from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from csms.control.recorder import RecorderSettings
from csms.errors import ProtocolError
from csms.protocol import rpc
from csms.protocol.framing import Broken, Call, CallFailure, CallResult, Skipped, read_frame
from csms.protocol.ocpp16 import routes
from tests.e2e.dialogue import UNHURRIED, Csms, csms_of, station
from tests.fuzz.mutation import Mutator
from tests.stations import charger
from tests.stations import station as small_station
from tests.unit.csms.control.fakes import FaultyStore, Site, site

BATCH = 500
SOCKET_BATCH = 50
LAST = '[2,"last","Heartbeat",{}]'
ANSWER_S = 60.0
TASK_BOUNDARIES = frozenset(
    {"request_failed", "fact_failed", "cycle_failed", "registration_failed"}
)
"""What csms logs when an exception reached a boundary: nothing a charger says may do that."""


def decode(frames: int, seed: int) -> Counter[str]:
    """Frames through the reader and the peer; every call that can be read is answered once."""
    mutator, done = Mutator(seed), Counter[str]()
    peer, ids = _peer(), itertools.count()
    for number in range(frames):
        frame = mutator.frame()
        found = read_frame(frame)
        assert isinstance(found, Call | CallResult | CallFailure | Broken | Skipped)
        done[type(found).__name__] += 1
        events = peer.receive(frame, float(number))
        if number % 4 == 0:
            events += peer.call("ClearCache", {}, float(number), message_id=f"c{next(ids) % 4}")
        events += peer.tick(float(number))
        if _deal_with(peer, events, float(number), done):
            peer.close()
            peer = _peer()
            done["connections"] += 1
    return done


def _peer() -> rpc.Peer:
    ids = itertools.count()
    peer = rpc.Peer(lambda: f"x{next(ids)}", limits=rpc.Limits(), cache=rpc.ReplyCache())
    peer.release(0.0)
    return peer


def _deal_with(peer: rpc.Peer, events: list[rpc.Event], now: float, done: Counter[str]) -> bool:
    """Answer what was asked; whether the connection is over."""
    closes = False
    for event in events:
        match event:
            case rpc.CallReceived():
                answers = peer.reply(event, {}, now)
                assert [type(a) for a in answers] == [rpc.Send], (event, answers)
            case rpc.Send(text):
                json.loads(text)
            case rpc.CloseWanted():
                closes = True
            case _:
                pass
        done[type(event).__name__] += 1
    return closes


async def handle(frames: int, seed: int) -> Counter[str]:
    """Calls through the handlers into a running station; every one is answered, none fails."""
    mutator, done = Mutator(seed), Counter[str]()
    settings = RecorderSettings()
    while sum(done.values()) < frames:
        # A new station now and then: sessions pile up, and time is not what is tested.
        store = FaultyStore()
        built = small_station(charger("A"), charger("B"))
        async with site(built, store=store, recorder=settings) as it:
            await it.connect("A")
            for _ in range(min(BATCH, frames - sum(done.values()))):
                done[await _serve(it, mutator)] += 1
            await it.quiet()
            assert 0 <= it.loop().ledger.total_w() <= built.grid_limit_w
    return done


async def _serve(it: Site, mutator: Mutator) -> str:
    action, payload = mutator.call()
    it.clock.advance(1.0)
    try:
        answer = await routes.serve(it.supervisor.recorder, "A", action, payload)
    except ProtocolError as error:
        return error.code
    json.dumps(answer, allow_nan=False)
    return action


async def over_a_socket(frames: int, seed: int) -> Counter[str]:
    """Frames to a csms with its database; it stays up, and another charger never notices."""
    mutator, done = Mutator(seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="csms-fuzz-") as folder, capture_logs() as logs:
        async with (
            csms_of(Path(folder), station("A", "B"), **UNHURRIED) as csms,
            csms.dial("B") as other,
        ):
            await other.boot()
            while done["frames"] < frames:
                async with _dial(csms) as socket:
                    await _pester(socket, mutator, frames, done)
                done["connections"] += 1
                assert await other.told("Heartbeat", {})
                failed = [e for e in logs if e["event"] in TASK_BOUNDARIES]
                assert failed == [], failed[:3]
                logs.clear()
            await csms.healthy("A")
    return done


def _dial(csms: Csms) -> connect:
    return connect(
        f"{csms.app.ocpp_url}/A",
        subprotocols=[Subprotocol("ocpp1.6")],
        compression=None,
        proxy=None,
        max_queue=None,
    )


async def _pester(
    socket: ClientConnection, mutator: Mutator, frames: int, done: Counter[str]
) -> None:
    """Send until csms has enough of it, reading all it answers."""
    try:
        while done["frames"] < frames:
            for _ in range(SOCKET_BATCH):
                frame = mutator.frame()
                await socket.send(frame if isinstance(frame, bytes) else _sendable(frame))
                done["frames"] += 1
            await socket.send(LAST)
            async with asyncio.timeout(ANSWER_S):
                while await _hear(socket, done) != "last":
                    pass
    except ConnectionClosed:
        done[f"closed {socket.close_code}"] += 1


async def _hear(socket: ClientConnection, done: Counter[str]) -> str:
    """The message id of the next frame."""
    kind, message_id, *_ = json.loads(await socket.recv())
    done[{2: "asked", 3: "answered", 4: "refused"}[kind]] += 1
    return str(message_id)


def _sendable(text: str) -> str:
    """A lone surrogate cannot be in a text frame: the client would refuse to send it."""
    return text.encode("utf-8", "replace").decode()
