"""ChangeAvailability by hand. What the operator says stays: csms puts nothing back.

It is an item of the station's loop, which takes connectors out of service too (`Enforcement`): what
one says, the other does not undo unseen. One that is out of service for not obeying is pardoned
before it is put back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from csms.control.by_hand import ByHand, Loop
from csms.dispatch.by_hand import Availability
from csms.errors import ChargerSilentError, NotPardonedError, UnknownChargerError
from csms.ports import Clock, Exchange, Outcome
from csms.station.model import ConnectorKey

log = structlog.get_logger(__name__)

NOT_DONE = frozenset({Outcome.REJECTED, Outcome.UNSUPPORTED, Outcome.NOT_SENT})


@dataclass(frozen=True, slots=True)
class AvailabilitySent(ByHand):
    """A request by hand. `done` gets its end, or the reason why it was not sent."""

    clock: Clock
    charger_id: str
    said: Availability
    call: Callable[[], Awaitable[Exchange]]
    done: asyncio.Future[Exchange]

    def act(self, loop: Loop, tasks: asyncio.TaskGroup) -> None:
        """Remember what the operator says and send it, or refuse it."""
        charger = loop.state.station.charger(self.charger_id)
        if charger is None:
            self._refuse(UnknownChargerError(f"no station has a charger {self.charger_id!r}"))
            return
        keys = self.said.concerns(charger)
        unpardoned = loop.enforcement.unpardoned(keys) if self.said.operative else []
        if unpardoned:
            names = ", ".join(map(str, unpardoned))
            self._refuse(
                NotPardonedError(f"{names}: out of service for not obeying limits; pardon it first")
            )
            return
        new = loop.enforcement.said_by_hand(keys, operative=self.said.operative)
        tasks.create_task(self._deliver(loop, frozenset(new)))

    def _refuse(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    async def _deliver(self, loop: Loop, new: frozenset[ConnectorKey]) -> None:
        try:
            exchange = await self.call()
        except asyncio.CancelledError:
            self._refuse(ChargerSilentError("csms is being stopped"))
            raise
        except Exception:  # boundary: whatever happened, it may be as the operator said
            log.exception("call_by_hand_failed", charger=self.charger_id)
            now = self.clock.now()
            exchange = Exchange("", now, now, Outcome.TIMEOUT)
        loop.post(AvailabilityEnded(self, new, exchange))


@dataclass(frozen=True, slots=True)
class AvailabilityEnded(ByHand):
    """How such a request ended. `new`: the connectors for which it said something new."""

    sent: AvailabilitySent
    new: frozenset[ConnectorKey]
    exchange: Exchange

    def act(self, loop: Loop, tasks: asyncio.TaskGroup) -> None:
        """What is certain not to have been done was not said."""
        del tasks
        if self.exchange.outcome in NOT_DONE:
            loop.enforcement.said_by_hand(self.new, operative=not self.sent.said.operative)
        if not self.sent.done.done():
            self.sent.done.set_result(self.exchange)
