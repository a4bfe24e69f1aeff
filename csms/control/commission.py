"""Commissioning tests: who may be tested now, the reports, and what is learned of a charger.

However a test ends, the target of its connector is taken away with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from csms.control.capabilities import CapabilityBook
from csms.control.events import EventLog
from csms.control.remote import RemoteRequests
from csms.control.station_loop import LoopSettings, StationLoop
from csms.control.trials import Bench, Patience, Progress, Report, Run
from csms.control.under_test import Target
from csms.dispatch.commissioning import (
    lacking,
    lessons,
)
from csms.errors import (
    ChargerOfflineError,
    CommissioningRefusedError,
    NeverCommissionedError,
    UnknownChargerError,
    UnknownConnectorError,
)
from csms.ports import ChargerLink, Clock
from csms.station.model import ConnectorKey

log = structlog.get_logger(__name__)


class Commissioning:
    """The commissioning tests of all stations, one at a time at each, and their last reports."""

    def __init__(
        self,
        *,
        link: ChargerLink,
        clock: Clock,
        events: EventLog,
        capabilities: CapabilityBook,
        remote: RemoteRequests,
        loop_of: Callable[[str], StationLoop | None],
        settings: LoopSettings,
        patience: Patience,
    ) -> None:
        self._link = link
        self._clock = clock
        self._bench = Bench(link, clock, remote, settings, patience)
        self._events = events
        self._capabilities = capabilities
        self._loop_of = loop_of
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] | None = None

    def open(self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        """Tests may be begun from now on; `spawn` runs them."""
        self._spawn = spawn

    def stop(self) -> None:
        """End every test that is running, and begin no other."""
        self._spawn = None
        for task in self._tasks.values():
            task.cancel()

    def keeps_out(self, charger_id: str) -> bool:
        """Whether the charger is to be without a link for now."""
        return charger_id in self._bench.kept_out

    def report(self, charger_id: str) -> Report:
        """The test of this charger that is running, or the last one.

        Raises UnknownChargerError, NeverCommissionedError.
        """
        if self._loop_of(charger_id) is None:
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        run = self._runs.get(charger_id)
        if run is None:
            raise NeverCommissionedError(
                f"charger {charger_id} has not been commissioned since csms started"
            )
        return run.report

    def start(self, connector: ConnectorKey, lease_s: float) -> Report:
        """Begin a test with the vehicle that charges on this connector; returns at once.

        Raises UnknownChargerError, UnknownConnectorError, ChargerOfflineError, and
        CommissioningRefusedError with the reason why it cannot begin.
        """
        charger_id = connector.charger_id
        loop = self._loop_of(charger_id)
        if loop is None:
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        if connector not in loop.state.connectors:
            raise UnknownConnectorError(
                f"charger {charger_id} has no connector {connector.connector_id}"
            )
        if charger_id not in loop.contacts or not self._link.is_connected(charger_id):
            raise ChargerOfflineError(f"charger {charger_id} is not connected")
        self._require_fit(loop, connector)
        run = Run(self._bench, loop, connector, lease_s)
        assert self._spawn is not None
        # Held at once: another test might be begun before the task of this one runs.
        loop.under_test.hold(connector, Target())
        self._runs[charger_id] = run
        self._tasks[charger_id] = self._spawn(self._commission(run))
        return run.report

    def _require_fit(self, loop: StationLoop, connector: ConnectorKey) -> None:
        sessions = loop.state.sessions()
        if loop.state.session_on(connector) is None:
            raise CommissioningRefusedError(
                f"no session runs on connector {connector}: plug a vehicle in and start one first"
            )
        if any(
            s.connector.charger_id == connector.charger_id and s.connector != connector
            for s in sessions
        ):
            raise CommissioningRefusedError(
                f"another session runs on charger {connector.charger_id}, which is to be rebooted"
            )
        for key in list(loop.under_test.keys()):
            raise CommissioningRefusedError(
                f"connector {key} is being commissioned at this station"
            )
        earlier = self._tasks.get(connector.charger_id)
        if earlier is not None and not earlier.done():
            raise CommissioningRefusedError(
                f"what a test of charger {connector.charger_id} has taught is still being kept"
            )
        reasons = lacking(loop.ledger, connector, _least_w(loop))
        if reasons:
            raise CommissioningRefusedError(
                f"connector {connector} cannot be given its maximum beside the others: "
                + "; ".join(reasons)
            )

    async def _commission(self, run: Run) -> None:
        key, station_id = run.key, run.loop.station_id
        self._events.add(station_id, "commissioning", f"{key} begins")
        ended = Progress.STOPPED
        try:
            await run.go()
            ended = Progress.DONE
        except Exception:  # boundary: a test that fails must not stop the stations
            log.exception("commissioning_failed", connector=str(key))
        finally:
            run.release()
            charger = run.loop.state.station.charger(key.charger_id)
            state = run.loop.state.chargers.get(key.charger_id)
            shown = lessons(run.report.results)
            known = run.report.capability
            if charger is not None and state is not None:
                known = self._capabilities.commissioned(charger, state, shown)
            run.report = replace(
                run.report,
                progress=ended,
                ended_at=self._clock.now(),
                trial=None,
                lessons=shown,
                capability=known,
            )
            self._events.add(station_id, "commissioning", f"{key} {ended.value}")
        if state is not None:
            await self._capabilities.keep(key.charger_id, state)


def _least_w(loop: StationLoop) -> dict[ConnectorKey, int]:
    """What every connector can be brought down to."""
    ledger = loop.ledger
    least_w = {}
    for connector in loop.state.station.connectors():
        key = connector.key
        obeys = key.charger_id in loop.contacts and not ledger.uncontrolled(key)
        lowers = obeys and not ledger.doubtful(key)
        down_to_w = max(connector.fallback_w, ledger.floor_w(key))
        least_w[key] = down_to_w if lowers else ledger.worst_case_w(key)
    return least_w
