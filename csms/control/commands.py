"""Requests that people and programs send to chargers by hand, in OCPP's own words."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from csms.control.availability import AvailabilitySent
from csms.control.by_hand import Desk, HandSent
from csms.control.charger_security import SecurityDesk
from csms.control.events import EventLog
from csms.control.reports import ReportBook
from csms.control.station_loop import StationLoop
from csms.dispatch.by_hand import Availability, NewKey, Reach
from csms.errors import (
    ChargerOfflineError,
    ChargerSilentError,
    LimitRefusedError,
    UnknownChargerError,
)
from csms.ports import (
    Answer,
    ChargerLink,
    ChargerReport,
    Clock,
    Exchange,
    LedgerStore,
    Outcome,
    Topic,
)

LARGEST_REQUEST_ID = 2**31 - 1


class ChargerCommands:
    """What may be asked of any charger of any station, and what chargers said of it."""

    def __init__(
        self,
        *,
        link: ChargerLink,
        clock: Clock,
        events: EventLog,
        store: LedgerStore,
        token: Callable[[], int],
        reports: ReportBook,
        loop_of: Callable[[str], StationLoop | None],
        keys: SecurityDesk,
    ) -> None:
        self._link = link
        self._events = events
        self._desk = Desk(store, clock, events, token)
        self._reports = reports
        self._loop_of = loop_of
        self._keys = keys
        # From the clock, so that an id does not come again soon after a restart.
        self._request_ids = itertools.count(int(clock.now()))

    def new_request_id(self) -> int:
        """A requestId for GetLog and SignedUpdateFirmware (white paper §5): not used lately."""
        return 1 + next(self._request_ids) % LARGEST_REQUEST_ID

    def reports(self, charger_id: str, topic: Topic) -> Sequence[ChargerReport]:
        """What the charger said on this topic, newest first. Raises UnknownChargerError."""
        self._loop(charger_id)
        return self._reports.of(charger_id, topic)

    async def call(
        self, charger_id: str, action: str, payload: Mapping[str, Any], *, force: bool = False
    ) -> Exchange:
        """Send a request and return its end: the charger's answer, or its CALLERROR.

        `force` sends also what is not as the standard has it. What may change limits is in the
        ledger before it is sent.

        Raises UnknownChargerError, UnknownActionError, PayloadRefusedError, ChargerOfflineError,
        LimitRefusedError, NotPardonedError, KeyRefusedError, StorageError; ChargerSilentError when
        no answer came.
        """
        loop = self._loop(charger_id)
        about = self._link.examine(action, payload, force=force)
        if not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")
        self._events.add(loop.station_id, "command", f"{charger_id} {action}")
        match about:
            case None:
                exchange = await self._link.call(charger_id, action, payload)
            case Availability():
                exchange = await self._change_availability(loop, about, charger_id, action, payload)
            case NewKey(key):
                exchange = await self._change_key(key, charger_id, action, payload)
            case Reach():
                exchange = await self._change_limits(loop, about, charger_id, action, payload)
        return self._answered(charger_id, action, exchange)

    async def _change_availability(
        self,
        loop: StationLoop,
        said: Availability,
        charger_id: str,
        action: str,
        payload: Mapping[str, Any],
    ) -> Exchange:
        done: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

        async def call() -> Exchange:
            return await self._link.call(charger_id, action, payload)

        loop.post(AvailabilitySent(self._desk.clock, charger_id, said, call, done))
        return await loop.result(done)

    async def _change_key(
        self, key: str, charger_id: str, action: str, payload: Mapping[str, Any]
    ) -> Exchange:
        """Csms must know a key before the charger does, or would not let it in again."""
        exchanges: list[Exchange] = []

        async def tell(told: str) -> Answer:
            exchange = await self._link.call(charger_id, action, {**payload, "value": told})
            exchanges.append(exchange)
            return exchange.verdict

        await self._keys.tell_key(charger_id, key, tell)
        return exchanges[0]

    async def _change_limits(
        self,
        loop: StationLoop,
        reach: Reach,
        charger_id: str,
        action: str,
        payload: Mapping[str, Any],
    ) -> Exchange:
        if any(key.charger_id == charger_id for key in loop.under_test.keys()):  # noqa: SIM118
            raise LimitRefusedError(f"charger {charger_id} is being commissioned")
        done: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

        async def call(on_late: Callable[[Exchange], None]) -> Exchange:
            return await self._link.call(charger_id, action, payload, on_late=on_late)

        loop.post(HandSent(self._desk, charger_id, reach, call, done))
        return await loop.result(done)

    def _loop(self, charger_id: str) -> StationLoop:
        loop = self._loop_of(charger_id)
        if loop is None:
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        return loop

    def _answered(self, charger_id: str, action: str, exchange: Exchange) -> Exchange:
        if exchange.answer is not None or exchange.error_code is not None:
            return exchange
        waited_s = exchange.ended_at - exchange.asked_at
        about = f"{action}, message {exchange.message_id}, after {waited_s:.1f} s"
        if exchange.outcome is not Outcome.NOT_SENT:
            lost = exchange.outcome is Outcome.DISCONNECTED
            what = "lost its connection" if lost else "did not answer"
            raise ChargerSilentError(
                f"charger {charger_id} {what}: {about}; whether it acted is not known"
            )
        if self._link.is_connected(charger_id):
            raise ChargerSilentError(
                f"charger {charger_id} was busy with other requests: {about} was not sent"
            )
        raise ChargerOfflineError(f"charger {charger_id} is not connected: {about} was not sent")
