"""Id tokens at work: kept and changed by operators, asked for by chargers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from csms.control.authorization import Start, TokenPolicy, group_of, is_busy, judge
from csms.errors import StorageError, TokenExistsError, UnknownTokenError
from csms.ports import Clock, IdToken, StartReport, Store, TokenStatus
from csms.station.tokens import Concurrency

log = structlog.get_logger(__name__)

ANSWER_S = 5.0
"""How long a question of a charger waits for the database before it is answered from memory."""

REMEMBERED = 10_000
"""Tokens asked for or changed last that are answered without the database (safety.md §3.3)."""


class Tokens:
    """The tokens of the store, and what they are answered.

    `asked_for` tells whether an operator has just asked a charger to start with a token.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        policy: TokenPolicy,
        asked_for: Callable[[str, str], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._asked_for = asked_for
        self._one_at_a_time = asyncio.Lock()
        self._remembered: OrderedDict[str, IdToken | None] = OrderedDict()

    # ------------------------------------------------------------------ operators

    async def fill(self) -> None:
        """Put the tokens of the settings into the store; those that are there stay as they are.

        Those taken out of the settings since go, unless an operator has changed them.
        """
        listed = {name.casefold(): IdToken(name) for name in sorted(self._policy.id_tokens)}
        await self._store.fill_tokens(list(listed.values()))

    async def page(self, limit: int, after: str = "") -> list[IdToken]:
        """Tokens in the order of their names, those that come after this name."""
        return await self._store.load_tokens(limit=limit, after=after)

    async def find(self, id_token: str) -> IdToken:
        """The token as kept. Raises UnknownTokenError."""
        found = await self._store.load_token(id_token)
        if found is None:
            raise UnknownTokenError(f"no id token {id_token!r}")
        return found

    async def add(self, token: IdToken) -> None:
        """Keep a new token. Raises TokenExistsError."""
        if not await self._store.save_tokens([token], replace=False):
            raise TokenExistsError(f"there is an id token {token.id_token!r} already")
        self._remember(token.id_token, token)

    async def put(self, tokens: Sequence[IdToken]) -> None:
        """Keep tokens, replacing those of the same names: all of them, or none when it fails."""
        await self._store.save_tokens(tokens)
        for token in tokens:
            # A long list of those that may charge must not drive out those that are asked for.
            known = token.id_token.casefold() in self._remembered
            if known or token.status is not TokenStatus.ACCEPTED:
                self._remember(token.id_token, token)

    async def remove(self, id_token: str) -> None:
        """Delete a token. Raises UnknownTokenError."""
        if not await self._store.remove_token(id_token):
            raise UnknownTokenError(f"no id token {id_token!r}")
        self._remember(id_token, None)

    # ------------------------------------------------------------------ chargers

    async def authorize(self, charger_id: str, id_token: str) -> IdToken:
        """The token with the status that holds now (OCPP 1.6 §4.1)."""
        token, _ = await self.look_up(charger_id, id_token)
        return token

    async def look_up(self, charger_id: str, id_token: str) -> tuple[IdToken, bool]:
        """The token with the status that holds now, and whether the database has said so.

        When the database does not answer: as it was when it was asked for last, or like a token
        nobody registered. No session comes of that: a start is not answered without the database.
        """
        name = self._policy.known_as(id_token)
        try:
            async with asyncio.timeout(ANSWER_S):
                kept = await self._store.load_token(name)
        except (StorageError, TimeoutError) as error:
            log.warning("token_from_memory", charger=charger_id, error=str(error))
            kept, told = self._remembered.get(name.casefold()), False
        else:
            told = True
            self._remember(name, kept)
        return self._judge(charger_id, id_token, kept, None), told

    def _remember(self, name: str, kept: IdToken | None) -> None:
        self._remembered[name.casefold()] = kept
        self._remembered.move_to_end(name.casefold())
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    @asynccontextmanager
    async def starting(
        self, report: StartReport, is_reserved: Callable[[str | None], bool]
    ) -> AsyncIterator[IdToken]:
        """The token with the verdict on this start, which is to be kept within the block.

        `is_reserved` tells of a group, None for none, whether the connector is kept for others.

        Of tokens that may not run any number of sessions one start is judged and kept at a time, so
        that no two of them can miss each other.
        """
        kept = await self._store.load_token(self._policy.known_as(report.id_token))
        charger_id = report.connector.charger_id
        reserved = is_reserved(None if kept is None else kept.parent_id_token)
        if kept is None or kept.concurrency is Concurrency.ANY:
            yield self._judge(charger_id, report.id_token, kept, Start(reserved))
            return
        async with self._one_at_a_time:
            busy = await self._is_busy(kept, report)
            yield self._judge(charger_id, report.id_token, kept, Start(reserved, busy))

    async def _is_busy(self, token: IdToken, report: StartReport) -> bool:
        # An older session on the same connector is over: whoever starts there has no other.
        running = {
            session.id_token
            for session in await self._store.running()
            if session.connector != report.connector and session.id_status is TokenStatus.ACCEPTED
        }
        group: list[IdToken] = []
        if running and token.concurrency is Concurrency.ONE_PER_GROUP:
            group = await self._store.load_group(group_of(token))
        return is_busy(token, group, running)

    def _judge(
        self, charger_id: str, id_token: str, kept: IdToken | None, start: Start | None
    ) -> IdToken:
        asked_for = self._asked_for(charger_id, id_token)
        answer = judge(
            id_token, kept, self._policy, self._clock.now(), asked_for=asked_for, start=start
        )
        if answer.status is not TokenStatus.ACCEPTED:
            log.info("token_refused", charger=charger_id, status=answer.status.value)
        return answer
