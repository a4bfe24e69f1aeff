"""How the process itself is: the loop's lag, the database, the disk, memory; and what follows.

A ticker measures how late the loop is. Whether csms is ready is another question than whether it
lives: liveness is never tied to the database, or a slow disk would become a storm of restarts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from csms.errors import StorageError
from csms.ports import Clock, Store

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VitalsPolicy:
    """When to worry (safety.md §3.2, §3.3).

    The loop is looked at each `tick_s`; later than `warn_lag_s` is logged, later than
    `ready_lag_s` within the last `seen_s` is not ready. Less than `warn_disk` of the disk free is
    logged; with less than `least_disk` csms is not ready, and keeps no meter values but those at
    the boundaries of transactions; on a disk that is fuller still the store itself keeps what room
    there is for limits. A probe is written at most once in `probe_every_s`, and has
    failed after `probe_timeout_s`.

    `memory_bytes` is what the process may take beyond what it started with: from `soft_memory` of
    it meter values are shed as with a full disk, from `hard_memory` handshakes are refused, those
    of chargers with a session from `last_memory`. 0: any.
    """

    tick_s: float = 0.1
    warn_lag_s: float = 0.25
    ready_lag_s: float = 1.0
    seen_s: float = 10.0
    look_s: float = 1.0
    probe_every_s: float = 1.0
    probe_timeout_s: float = 2.0
    warn_disk: float = 0.10
    least_disk: float = 0.05
    memory_bytes: int = 0
    soft_memory: float = 0.70
    hard_memory: float = 0.85
    last_memory: float = 0.95


def _nothing(_now: float) -> None:
    """Nobody watches."""


class Vitals:
    """The state of this process.

    `replayed` tells whether the ledger has been read and the stations are run; `resident` how many
    bytes of memory the process has, None where that cannot be told; `on_beat` hears of each tick.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        replayed: Callable[[], bool],
        resident: Callable[[], int | None],
        policy: VitalsPolicy | None = None,
        on_beat: Callable[[float], None] = _nothing,
    ) -> None:
        self._store = store
        self._clock = clock
        self._replayed = replayed
        self._resident = resident
        self._policy = policy or VitalsPolicy()
        self._on_beat = on_beat
        self._lags: deque[tuple[float, float]] = deque()
        self._started_with = resident() or 0
        self._memory = 0.0
        self._disk: float | None = None
        self._warned: dict[str, float] = {}
        self._look_at = clock.monotonic()
        self._probed: tuple[float, str] | None = None
        self._probing = asyncio.Lock()
        self.draining = False
        """Whether csms is about to end."""

    # ------------------------------------------------------------------ the ticker

    async def run(self) -> None:
        """Look at everything for ever, until cancelled."""
        while True:
            due = self._clock.monotonic() + self._policy.tick_s
            await asyncio.sleep(self._policy.tick_s)
            self.beat(due)

    def beat(self, due: float) -> None:
        """A tick that was to come at `due` has come now."""
        now = self._clock.monotonic()
        self._on_beat(now)
        lag_s = max(0.0, now - due)
        self._lags.append((now, lag_s))
        while self._lags[0][0] < now - self._policy.seen_s:
            self._lags.popleft()
        if lag_s > self._policy.warn_lag_s:
            self._warn("loop_lag", now, lag_s=round(lag_s, 3))
        if now >= self._look_at:
            self._look_at = now + self._policy.look_s
            self._look(now)

    def _look(self, now: float) -> None:
        policy = self._policy
        self._disk = self._store.free_share()
        if self._disk is not None and self._disk < policy.warn_disk:
            self._warn("disk_nearly_full", now, free_pct=round(100 * self._disk, 1))
        resident = self._resident()
        if policy.memory_bytes and resident is not None:
            self._memory = (resident - self._started_with) / policy.memory_bytes
        if self._memory >= policy.soft_memory:
            self._warn("memory_short", now, used_pct=round(100 * self._memory))

    def _warn(self, what: str, now: float, **about: float) -> None:
        """Say it, but of each thing not more often than once in a while."""
        if now - self._warned.get(what, float("-inf")) >= self._policy.seen_s:
            self._warned[what] = now
            log.warning(what, **about)

    # ------------------------------------------------------------------ what others ask

    def lag_s(self) -> float:
        """How late the loop was, at worst, in the last moments."""
        return max((lag_s for _, lag_s in self._lags), default=0.0)

    def sheds(self) -> bool:
        """Whether what is worth least is to be let go (safety.md §3.1, classes 7 and 8)."""
        full = self._disk is not None and self._disk < self._policy.least_disk
        return full or self._memory >= self._policy.soft_memory

    def takes_more(self, *, charging: bool = False) -> bool:
        """Whether there is memory for another connection; `charging`: of one with a session."""
        policy = self._policy
        return self._memory < (policy.last_memory if charging else policy.hard_memory)

    async def unready(self) -> list[str]:
        """Why csms is not ready for chargers; empty when it is."""
        reasons = []
        if self.draining:
            reasons.append("it is about to end")
        if not self._replayed():
            reasons.append("the stations are not run")
        if self.lag_s() > self._policy.ready_lag_s:
            reasons.append(f"the loop was {self.lag_s():.1f} s late")
        disk = self._store.free_share()
        if disk is not None and disk < self._policy.least_disk:
            reasons.append(f"{100 * disk:.1f} % of the disk is free")
        if not self.takes_more():
            reasons.append("it has no more memory")
        failed = await self._probe()
        if failed:
            reasons.append(failed)
        return reasons

    async def _probe(self) -> str:
        """What is wrong with the database, shown by a write; empty for nothing."""
        async with self._probing:
            now = self._clock.monotonic()
            if self._probed is not None and now - self._probed[0] < self._policy.probe_every_s:
                return self._probed[1]
            failed = ""
            try:
                async with asyncio.timeout(self._policy.probe_timeout_s):
                    await self._store.probe(self._clock.now())
            except TimeoutError:
                failed = "the database does not answer"
            except StorageError as error:
                failed = f"the database takes nothing: {error}"
            self._probed = (self._clock.monotonic(), failed)
            return failed
