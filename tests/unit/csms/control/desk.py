"""A recorder at work: one charger, its loop, and what is reported to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from csms.control.access import Access
from csms.control.recorder import RecorderSettings, StationRecorder
from csms.control.remote import RemoteRequests
from csms.control.station_loop import StationLoop
from csms.ports import IdToken, Recorder, StopReport, StoredSession
from csms.station.model import ConnectorKey
from csms.station.state import Session
from tests.stations import charger, station
from tests.unit.csms.control.fakes import START, TAG, Rig, rig, security_of, start_report

A1 = ConnectorKey("A", 1)


@dataclass
class Desk:
    """A recorder and the loop it tells, for the charger A."""

    rig: Rig
    recorder: StationRecorder
    remote: RemoteRequests
    access: Access

    def session(self, key: ConnectorKey = A1) -> Session | None:
        return self.rig.loop.state.connectors[key].session

    async def start(
        self, key: ConnectorKey = A1, id_token: str = TAG, meter_wh: int = 0
    ) -> StoredSession:
        """The charger reports a start."""
        self.rig.clock.advance(1.0)
        report = start_report(key, id_token, meter_wh, self.rig.clock.now())
        verdict = await self.recorder.start_session(report)
        await self.rig.quiet()
        stored = await self.rig.store.find(key.charger_id, verdict.transaction_id)
        assert stored is not None
        return stored

    async def stop(
        self,
        transaction_id: int | None,
        *,
        meter_stop_wh: int | None = 5_000,
        id_token: str | None = None,
        charger_id: str = "A",
    ) -> IdToken | None:
        """The charger reports a stop."""
        verdict = await self.recorder.stop_session(
            StopReport(
                charger_id, transaction_id, meter_stop_wh, START + 60, "EVDisconnected", id_token
            )
        )
        await self.rig.quiet()
        return verdict


@asynccontextmanager
async def desk(
    settings: RecorderSettings | None = None,
    connectors: int = 2,
    sheds: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Desk]:
    async with rig(station(charger("A", connectors=connectors)), "A") as site:
        remote = RemoteRequests(site.link, 60.0)

        def loop_of(charger_id: str) -> StationLoop | None:
            return site.loop if charger_id == "A" else None

        used = RecorderSettings() if settings is None else settings
        access = Access(
            store=site.store,
            link=site.link,
            clock=site.clock,
            events=site.events,
            asked_for=remote.asked_for,
            policy=used,
            loop_of=loop_of,
        )
        recorder = StationRecorder(
            site.store,
            site.clock,
            site.events,
            remote,
            loop_of,
            used,
            access,
            security_of(site.store, site.link, site.clock),
            sheds,
        )
        as_port: Recorder = recorder
        assert as_port.now() == START
        yield Desk(site, recorder, remote, access)
