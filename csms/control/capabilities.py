"""What is known of how chargers take limits, and where it is kept."""

from __future__ import annotations

from dataclasses import replace

import structlog

from csms.dispatch.capability import Capability, document, merge, over, parse
from csms.dispatch.commissioning import Lessons, taught
from csms.errors import StorageError
from csms.ports import ModelKey, StationStore
from csms.station.model import Charger
from csms.station.state import ChargerState

log = structlog.get_logger(__name__)

NOTHING = Capability()


class CapabilityBook:
    """What was learned of every charger, and of its model for chargers that come after it."""

    def __init__(self, store: StationStore) -> None:
        self._store = store
        self._chargers: dict[str, Capability] = {}
        self._models: dict[ModelKey, Capability] = {}
        self._hints: dict[str, Capability] = {}
        self._merged: dict[str, tuple[Charger, Capability, Capability, Capability]] = {}

    async def load(self) -> None:
        """Read what was kept."""
        self._chargers = {
            charger_id: parse(kept)
            for charger_id, kept in (await self._store.load_capabilities()).items()
        }
        self._models = {
            model: parse(kept)
            for model, kept in (await self._store.load_model_capabilities()).items()
        }

    def of(self, charger: Charger, state: ChargerState) -> Capability:
        """All that is known of this charger: configured, learned of it, said by it.

        What was learned of its model is the first guess for a charger of which nothing was: one
        that works must not be changed for what another one refused.
        """
        learned = self._chargers.get(charger.charger_id)
        if learned is None:
            learned = self._models.get(_model(state), NOTHING)
        said = self._hints.get(charger.charger_id, NOTHING)
        known = self._merged.get(charger.charger_id)
        # Asked for in every cycle; none of the three changes often.
        if known is None or known[0] != charger or known[1] is not learned or known[2] is not said:
            known = (charger, learned, said, merge(charger, learned, said))
            self._merged[charger.charger_id] = known
        return known[3]

    def hinted(self, charger_id: str, hints: Capability) -> None:
        """What the charger says of itself; what was learned counts more. Not kept."""
        self._hints[charger_id] = over(hints, self._hints.get(charger_id, Capability()))

    def learned(self, charger: Charger, state: ChargerState, capability: Capability) -> bool:
        """Take over what an answer taught; whether it is news and must be kept (see `keep`).

        What is configured is not learned: it goes when the configuration does.
        """
        own = self._chargers.get(charger.charger_id)
        before = own or self._models.get(_model(state), Capability())
        told = charger.capabilities.lease is not None
        learned = replace(
            before,
            unit=capability.unit,
            session_form=capability.session_form,
            default_form=capability.default_form,
            lacks=capability.lacks,
            answers=capability.answers,
            lease=before.lease if told else capability.lease,
        )
        news = own is None or document(own) != document(learned)
        if news:
            self._chargers[charger.charger_id] = learned
            if any(_model(state)):
                self._models[_model(state)] = learned
        return news

    def commissioned(self, charger: Charger, state: ChargerState, lessons: Lessons) -> Capability:
        """Take over what a commissioning test has shown; returns all that is known then."""
        before = self._chargers.get(charger.charger_id)
        if before is None:
            before = self._models.get(_model(state), NOTHING)
        self._chargers[charger.charger_id] = taught(before, lessons)
        if any(_model(state)):
            self._models[_model(state)] = self._chargers[charger.charger_id]
        return self.of(charger, state)

    async def keep(self, charger_id: str, state: ChargerState) -> None:
        """Write what is known of a charger and its model. A failure loses a lesson, not safety."""
        try:
            known = document(self._chargers[charger_id])
            await self._store.save_capability(charger_id, known)
            if any(_model(state)):
                await self._store.save_model_capability(_model(state), known)
        except StorageError as error:
            log.warning("capability_not_kept", charger=charger_id, error=str(error))


def _model(state: ChargerState) -> ModelKey:
    return state.vendor, state.model, state.firmware
