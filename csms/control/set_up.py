"""Setting a charger up: read first, write only what differs, and never so often that it hurts.

Chargers were seen that reboot at every ChangeConfiguration, also of an unchanged key, or that take
a value and then reboot whenever it is read. So every key is written at most once a day; a charger
that was away after it was written to is left alone for a day; and one that boots again and again is
asked nothing until it has calmed down.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from csms.control.registration import Reader
from csms.control.wanted_settings import Setting
from csms.ports import Answer, Clock, Outcome

DAY_S = 86_400.0
AFTER_WRITE_S = 300.0
"""A charger that comes back so soon after a write has probably rebooted for it."""

LOOP_BOOTS = 3
LOOP_S = 600.0
"""So many boots within this time are a loop."""

REBOOT_REQUIRED = "rebootrequired"
UNANSWERED = frozenset({Outcome.TIMEOUT, Outcome.DISCONNECTED, Outcome.NOT_SENT})


@dataclass(slots=True)
class _Known:
    """One charger."""

    boots: deque[float] = field(default_factory=lambda: deque(maxlen=LOOP_BOOTS))
    written_at: dict[str, float] = field(default_factory=dict)
    rests_until: float | None = None
    awaiting_reboot: list[str] = field(default_factory=list)


class Editor(Reader, Protocol):
    """What of `ports.ChargerLink` reads and writes settings."""

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """ChangeConfiguration (OCPP 1.6 §5.3)."""
        ...


class SetUpBook:
    """What was written to the chargers of a station, and when they booted. Not kept on disk.

    `event` puts something among the station's events.
    """

    def __init__(self, clock: Clock, event: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._event = event
        self._known: dict[str, _Known] = {}

    def _of(self, charger_id: str) -> _Known:
        return self._known.setdefault(charger_id, _Known())

    def keep_only(self, charger_ids: Collection[str]) -> None:
        """Forget all others."""
        self._known = {c: known for c, known in self._known.items() if c in charger_ids}

    # ------------------------------------------------------------------ what happened

    def connected(self, charger_id: str) -> None:
        """It has a new connection. Some chargers do not tell of a boot."""
        known, now = self._of(charger_id), self._clock.now()
        newest = max(known.written_at.values(), default=None)
        if newest is None or now - newest > AFTER_WRITE_S or self._rests(known):
            return
        known.rests_until = now + DAY_S
        self._event("away_after_write", f"{charger_id}: its settings are left alone for a day")

    def booted(self, charger_id: str, *, pending: bool) -> None:
        """It has booted, or has said so again as it was told to (`pending`): that is no loop."""
        known = self._of(charger_id)
        self.connected(charger_id)
        known.awaiting_reboot.clear()
        if pending:
            return
        known.boots.append(self._clock.now())
        if self.loop_ends_in_s(charger_id) > 0:
            self._event("boot_loop", f"{charger_id}: {LOOP_BOOTS} boots in {LOOP_S:g} s")

    # ------------------------------------------------------------------ what may be done

    def loop_ends_in_s(self, charger_id: str) -> float:
        """How long a charger that boots again and again must be left alone; 0 when it does not."""
        boots = self._of(charger_id).boots
        if len(boots) < LOOP_BOOTS:
            return 0.0
        return max(0.0, boots[0] + LOOP_S - self._clock.now())

    def awaiting_reboot(self, charger_id: str) -> tuple[str, ...]:
        """The keys whose new values count after the charger's next boot, as it says."""
        known = self._known.get(charger_id)
        return () if known is None else tuple(known.awaiting_reboot)

    def _rests(self, known: _Known) -> bool:
        return known.rests_until is not None and self._clock.now() < known.rests_until

    def _may_write(self, known: _Known, key: str) -> bool:
        at = known.written_at.get(key)
        recent = at is not None and self._clock.now() - at < DAY_S
        return not recent and not self._rests(known)

    async def set_up(self, charger_id: str, link: Editor, wanted: Sequence[Setting]) -> None:
        """Give a charger the settings that are wanted, as far as it takes them.

        Key by key: some chargers refuse a whole request for one key they do not have. One that does
        not answer is asked no more; a key that may not be written now is not read either.
        """
        known = self._of(charger_id)
        for setting in wanted:
            if not self._may_write(known, setting.key):
                continue
            answer = await link.get_configuration(charger_id, [setting.key])
            if answer.outcome in UNANSWERED:
                return
            if not answer.accepted or setting.key not in answer.payload:
                continue
            has = str(answer.payload[setting.key])
            if not await self._climb(charger_id, link, setting, has):
                return

    async def _climb(self, charger_id: str, link: Editor, setting: Setting, has: str) -> bool:
        """Try one value after the other until one is taken. False: there is no answer any more."""
        known, refused = self._of(charger_id), Answer(Outcome.ACCEPTED)

        def sent() -> None:
            # Whatever becomes of it now, also when nobody waits any more, it may be written.
            known.written_at[setting.key] = self._clock.now()

        for value in setting.ladder(has):
            answer = await link.change_configuration(charger_id, setting.key, value, on_sent=sent)
            if answer.outcome in UNANSWERED:
                return False
            if answer.accepted:
                self._taken(charger_id, setting.key, f"{has!r} -> {value!r}", answer)
                return True
            refused = answer
            if answer.outcome is Outcome.UNSUPPORTED:
                break
        if not refused.accepted:
            words = refused.detail or refused.outcome.value
            self._event("setting_refused", f"{charger_id} {setting.key} stays {has!r}: {words}")
        return True

    def _taken(self, charger_id: str, key: str, change: str, answer: Answer) -> None:
        self._event("setting_changed", f"{charger_id} {key}: {change}")
        if answer.detail.casefold() == REBOOT_REQUIRED:
            self._of(charger_id).awaiting_reboot.append(key)
            self._event("reboot_required", f"{charger_id} {key} counts after its next boot")
