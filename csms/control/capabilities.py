"""What is known of how chargers take limits, and where it is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog

from csms.dispatch.capability import Capability, Proof, document, merge, over, parse
from csms.dispatch.commissioning import Lessons, taught
from csms.errors import StorageError
from csms.ports import ModelKey, StationStore
from csms.station.model import Charger
from csms.station.state import ChargerState

log = structlog.get_logger(__name__)

NOTHING = Capability()
PROVED_ON = "provedOn"
"""In what is kept of a charger: the firmware on which its proofs were shown."""


class CapabilityBook:
    """What was learned of every charger, and of its model for chargers that come after it.

    That a charger keeps to the end of its limits, or keeps them, is believed of the very charger
    and the very firmware that were tested only: what others count on is proved, not guessed. That
    it does not is believed of its model too.
    """

    def __init__(self, store: StationStore) -> None:
        self._store = store
        self._chargers: dict[str, Capability] = {}
        self._models: dict[ModelKey, Capability] = {}
        self._hints: dict[str, Capability] = {}
        self._proved_on: dict[str, str] = {}
        self._merged: dict[str, tuple[tuple[Charger, Capability, Capability, str], Capability]] = {}

    async def load(self) -> None:
        """Read what was kept."""
        stored = await self._store.load_capabilities()
        self._chargers = {charger_id: parse(kept) for charger_id, kept in stored.items()}
        self._proved_on = {
            charger_id: str(kept[PROVED_ON])
            for charger_id, kept in stored.items()
            if PROVED_ON in kept
        }
        self._models = {
            model: _unproved(parse(kept))
            for model, kept in (await self._store.load_model_capabilities()).items()
        }

    def of(self, charger: Charger, state: ChargerState) -> Capability:
        """All that is known of this charger: configured, learned of it, said by it.

        What was learned of its model is the first guess for a charger of which nothing was: one
        that works must not be changed for what another one refused.
        """
        learned = self._kept(charger.charger_id, state)
        said = self._hints.get(charger.charger_id, NOTHING)
        known = self._merged.get(charger.charger_id)
        # Asked for in every cycle; none of the four changes often.
        if known is None or not _same(known[0], (charger, learned, said, state.firmware)):
            merged = merge(charger, self._learned(charger.charger_id, state), said)
            known = (charger, learned, said, state.firmware), merged
            self._merged[charger.charger_id] = known
        return known[1]

    def _learned(self, charger_id: str, state: ChargerState) -> Capability:
        """What is kept for it; without the proofs when it showed them with another firmware."""
        kept = self._kept(charger_id, state)
        return kept if self._proved_on.get(charger_id) == state.firmware else _unproved(kept)

    def _kept(self, charger_id: str, state: ChargerState) -> Capability:
        """What was learned of it, or else of its model (which never has proofs)."""
        own = self._chargers.get(charger_id)
        return self._models.get(_model(state), NOTHING) if own is None else own

    def hinted(self, charger_id: str, hints: Capability) -> None:
        """What the charger says of itself; what was learned counts more. Not kept."""
        self._hints[charger_id] = over(hints, self._hints.get(charger_id, Capability()))

    def learned(self, charger: Charger, state: ChargerState, capability: Capability) -> bool:
        """Take over what an answer taught; whether it is news and must be kept (see `keep`).

        What is configured is not learned: it goes when the configuration does.
        """
        own = self._chargers.get(charger.charger_id)
        before = self._learned(charger.charger_id, state)
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
            self._take(charger.charger_id, state, learned)
        return news

    def _take(self, charger_id: str, state: ChargerState, learned: Capability) -> None:
        self._chargers[charger_id] = learned
        self._proved_on[charger_id] = state.firmware
        if any(_model(state)):
            self._models[_model(state)] = _unproved(learned)

    def commissioned(self, charger: Charger, state: ChargerState, lessons: Lessons) -> Capability:
        """Take over what a commissioning test has shown; returns all that is known then."""
        before = self._learned(charger.charger_id, state)
        self._take(charger.charger_id, state, taught(before, lessons))
        return self.of(charger, state)

    async def keep(self, charger_id: str, state: ChargerState) -> None:
        """Write what is known of a charger and its model. A failure loses a lesson, not safety."""
        try:
            known = self._chargers[charger_id]
            kept = document(known) | self._proofs(charger_id)
            await self._store.save_capability(charger_id, kept)
            if any(_model(state)):
                await self._store.save_model_capability(_model(state), document(_unproved(known)))
        except StorageError as error:
            log.warning("capability_not_kept", charger=charger_id, error=str(error))

    def _proofs(self, charger_id: str) -> dict[str, Any]:
        known = self._chargers[charger_id]
        return {} if _unproved(known) == known else {PROVED_ON: self._proved_on[charger_id]}


def _same(
    one: tuple[Charger, Capability, Capability, str],
    other: tuple[Charger, Capability, Capability, str],
) -> bool:
    return one[0] == other[0] and one[1] is other[1] and one[2] is other[2] and one[3] == other[3]


def _unproved(known: Capability) -> Capability:
    """What is known, without what has to be shown of each charger and of each firmware anew."""
    return replace(
        known,
        lease=_doubted(known.lease),
        survives_reconnect=_doubted(known.survives_reconnect),
        survives_reboot=_doubted(known.survives_reboot),
    )


def _doubted(proof: Proof) -> Proof:
    return Proof.UNKNOWN if proof is Proof.YES else proof


def _model(state: ChargerState) -> ModelKey:
    return state.vendor, state.model, state.firmware
