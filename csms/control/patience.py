"""Questions to a charger's settings that are asked again when they could not be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from csms.ports import Answer, ChargerLink, Outcome


class PatientLink:
    """What of `ports.ChargerLink` reads and writes settings.

    Behind limits that a charger is slow to answer, a request may time out in the queue. It is put
    there again `again_s` later, as long as the charger is connected: it has not seen it yet.
    """

    def __init__(self, link: ChargerLink, again_s: float) -> None:
        self._link = link
        self._again_s = again_s

    async def get_configuration(self, charger_id: str, keys: Sequence[str]) -> Answer:
        """GetConfiguration (OCPP 1.6 §5.8)."""
        return await self._sent(charger_id, lambda: self._link.get_configuration(charger_id, keys))

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """ChangeConfiguration (§5.3)."""
        return await self._sent(
            charger_id,
            lambda: self._link.change_configuration(charger_id, key, value, on_sent=on_sent),
        )

    async def _sent(self, charger_id: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            answer = await ask()
            if answer.outcome is not Outcome.NOT_SENT or not self._link.is_connected(charger_id):
                return answer
            await asyncio.sleep(self._again_s)
