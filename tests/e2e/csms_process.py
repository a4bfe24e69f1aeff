"""csms as a process of its own, as an operator runs it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

START_S = 40.0
STOP_S = 20.0


# Below those that systems give to connections, or another test may have it before it is used;
# every process of tests begins elsewhere.
_PORTS = range(10_000, 32_000)
_candidates = itertools.islice(itertools.cycle(_PORTS), os.getpid() * 997 % len(_PORTS), None)


def free_port() -> int:
    """A port nobody listens on, and that nobody is given by chance."""
    for port in _candidates:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


class CsmsProcess:
    """`csms serve` in a folder. Can be killed and started again on the same ports and database."""

    def __init__(
        self, folder: Path, station: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.ocpp_port, self.api_port = free_port(), free_port()
        self.ocpp_url = f"ws://127.0.0.1:{self.ocpp_port}/ocpp"
        self.api_url = f"http://127.0.0.1:{self.api_port}"
        (folder / "station.json").write_text(json.dumps(station))
        effective = {
            "ocpp_port": self.ocpp_port,
            "api_port": self.api_port,
            "stations": "station.json",
            "database_url": f"sqlite:///{folder / 'csms.db'}",
            "boot_quiet_s": 0.0,
            "call_gap_s": 0.0,
            "meter_interval_s": 1,
            "stall_abort_s": 60.0,
            "drain_work_s": 2.0,
            "reserve_mb": 0,
            "reconnects_per_min": 100_000,
            "reconnects_per_h": 100_000,
            **settings,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in effective.items()]
        (folder / "csms.toml").write_text("\n".join(lines))
        self._process: asyncio.subprocess.Process | None = None
        self.api = httpx.AsyncClient(base_url=self.api_url, timeout=30.0, trust_env=False)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start, and return when the API answers."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CSMS_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "csms",
            "serve",
            "--config",
            str(self.folder / "csms.toml"),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_S):
            while True:
                assert self._process.returncode is None, "csms ended while starting"
                try:
                    (await self.api.get("/health")).raise_for_status()
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def kill(self) -> None:
        """Kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended; returns the exit code."""
        assert self._process is not None
        async with asyncio.timeout(STOP_S):
            return await self._process.wait()

    async def status(self) -> dict[str, Any]:
        """GET /station/status."""
        answer = await self.api.get("/station/status")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()
        await self.api.aclose()


@asynccontextmanager
async def csms_process(
    folder: Path, station: Mapping[str, Any], **settings: Any
) -> AsyncIterator[CsmsProcess]:
    """A running csms; killed at the end if it still runs."""
    async with CsmsProcess(folder, station, settings) as process:
        yield process
