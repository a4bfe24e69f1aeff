"""Which socket is which charger: serves each from its first frame to its end.

Whoever accepts sockets hands them over here; nothing is known of how they came. A connection serves
a socket (`connection`); the registry says which connection is the charger.
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from csms.ports import Clock, FrameLog, Gate, Recorder
from csms.protocol.connection import Connection, ConnectionSettings, Socket, Surroundings
from csms.protocol.pace import Pace
from csms.protocol.registry import Registry
from csms.protocol.rpc import ReplyCache

ServeAction = Callable[[Recorder, str, str, Any], Awaitable[dict[str, Any]]]
"""Serves one request: recorder, charger id, action, payload to the payload of the answer."""


@dataclass(frozen=True, slots=True)
class SwitchboardSettings:
    """Bounds of all connections together.

    `rival_ping_s`: how long the live connection has to show life when another one has come.
    `caches_kept`: of so many chargers, those seen last, the newest answers and the pace are kept.
    """

    connection: ConnectionSettings = field(default_factory=ConnectionSettings)
    rival_ping_s: float = 5.0
    caches_kept: int = 4000


@dataclass(frozen=True, slots=True)
class _Kept:
    """What of a charger outlives its sockets."""

    cache: ReplyCache
    pace: Pace


def random_id() -> str:
    """An id for a CALL that nobody can guess."""
    return str(uuid.uuid4())


class Switchboard:
    """The connections of all chargers."""

    def __init__(
        self,
        settings: SwitchboardSettings,
        *,
        clock: Clock,
        gate: Gate,
        recorder: Recorder,
        frames: FrameLog,
        serve_action: ServeAction,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._gate = gate
        self._recorder = recorder
        self._frames = frames
        self._serve_action = serve_action
        self._new_id = new_id
        self._registry: Registry[Connection] = Registry(recorder.record, clock)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._connections: set[Connection] = set()

    def connection(self, charger_id: str) -> Connection | None:
        """The charger's live, proven connection; None when there is none that can be used."""
        connection = self._registry.live(charger_id)
        return connection if connection is not None and connection.usable else None

    def connections(self) -> list[Connection]:
        """Every connection that is being served, proven or not."""
        return list(self._connections)

    async def serve(self, socket: Socket, charger_id: str) -> None:
        """Serve one socket of a charger that may connect; returns when it is over."""
        kept = self._kept_of(charger_id)
        connection = Connection(
            charger_id,
            socket,
            self._surroundings(charger_id),
            cache=kept.cache,
            settings=self._settings.connection,
            pace=kept.pace,
        )
        self._connections.add(connection)
        rival = self._registry.arrived(connection)
        async with asyncio.TaskGroup() as tasks:
            claim = tasks.create_task(self._claim(connection, rival))
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)
                self._registry.left(connection)
                claim.cancel()

    async def _claim(self, connection: Connection, rival: Connection | None) -> None:
        """Make a connection the live one without a request of its own to prove it.

        That is: when there is no other after a while (a charger that reconnects need not send
        anything, OCPP-J 1.6 §5.4), or when the live one does not answer a ping.
        """
        if rival is None:
            await asyncio.sleep(self._settings.connection.no_boot_wait_s)
            if self._registry.live(connection.charger_id) is None:
                self._registry.promote(connection, "no other connection")
            return
        asked_at = self._clock.monotonic()
        rival.ping()
        await asyncio.sleep(self._settings.rival_ping_s)
        still_live = self._registry.live(connection.charger_id) is rival
        if still_live and rival.heard_at <= asked_at:
            self._registry.promote(connection, "the old connection is silent")

    def _surroundings(self, charger_id: str) -> Surroundings:
        async def handle(action: str, payload: Any) -> dict[str, Any]:
            return await self._serve_action(self._recorder, charger_id, action, payload)

        return Surroundings(
            handle=handle,
            registered=functools.partial(self._gate.registered, charger_id),
            on_first_call=functools.partial(self._registry.promote, why="it sent a request"),
            on_end=self._registry.left,
            clock=self._clock,
            frames=self._frames,
            new_id=self._new_id,
        )

    def _kept_of(self, charger_id: str) -> _Kept:
        """What is kept of the charger across its sockets; of the chargers seen last."""
        kept = self._kept.get(charger_id)
        if kept is None:
            pace = Pace(self._settings.connection.pace, self._clock.monotonic())
            kept = self._kept[charger_id] = _Kept(ReplyCache(), pace)
        self._kept.move_to_end(charger_id)
        if len(self._kept) > self._settings.caches_kept:
            self._kept.popitem(last=False)
        return kept
