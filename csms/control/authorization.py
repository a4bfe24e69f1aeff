"""Who may charge: what a driver's token is answered, from all that is known of it.

Pure: the two questions a charger asks, as functions of the token, the moment and the settings.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from csms.ports import IdToken, TokenStatus
from csms.station.tokens import Concurrency


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What holds for tokens nobody registered.

    `id_tokens` are put into the store at the start, unless it has them, and taken out again
    when they are listed no more. `accept_unknown_tokens`
    says whether a token nobody registered may charge. `free_vend_token` may charge in any case,
    and so may a driver who shows none at all: some chargers send an empty idTag then. None of this
    overrules a token in the store.
    """

    accept_unknown_tokens: bool = True
    id_tokens: frozenset[str] = frozenset()
    free_vend_token: str | None = None

    def known_as(self, id_token: str) -> str:
        """The name a token is looked up by."""
        return id_token if id_token.strip() else self.free_vend_token or id_token

    def is_free_vend(self, id_token: str) -> bool:
        """Whether this is the token of those who need none."""
        if self.free_vend_token is None:
            return False
        return same_token(self.known_as(id_token), self.free_vend_token)


@dataclass(frozen=True, slots=True)
class Start:
    """What more matters when a session starts than when a driver only asks.

    `reserved`: the connector is kept for somebody else. `busy`: another session of the token, or of
    its group, runs elsewhere, and there may be only one.
    """

    reserved: bool = False
    busy: bool = False


def judge(
    id_token: str,
    kept: IdToken | None,
    policy: TokenPolicy,
    now: float,
    *,
    asked_for: bool = False,
    start: Start | None = None,
) -> IdToken:
    """The answer to Authorize, or with `start` to StartTransaction (OCPP 1.6 §4.1, §4.8).

    `kept` is the token as the store has it, None when it does not; `asked_for` whether an operator
    has just asked this charger to start with it. The status is the verdict, and is ConcurrentTx
    only for a start (§7.2). Expiry and parent are told as they are kept.
    """
    if kept is None:
        allowed = asked_for or policy.accept_unknown_tokens or policy.is_free_vend(id_token)
        answer = IdToken(id_token, TokenStatus.ACCEPTED if allowed else TokenStatus.INVALID)
    else:
        answer = kept
    if answer.status is not TokenStatus.ACCEPTED:
        return answer
    if answer.expires_at is not None and answer.expires_at <= now:
        return replace(answer, status=TokenStatus.EXPIRED)
    if start is not None and start.reserved:
        return replace(answer, status=TokenStatus.INVALID)
    if start is not None and start.busy:
        return replace(answer, status=TokenStatus.CONCURRENT_TX)
    return answer


def group_of(token: IdToken) -> str:
    """The name of the group a token belongs to: its parent's, or its own."""
    return token.parent_id_token or token.id_token


def is_busy(token: IdToken, group: Collection[IdToken], running: Collection[str]) -> bool:
    """Whether a session of this token may not begin because of those that run elsewhere.

    `group` are the tokens of its group, `running` the tokens of the sessions as reported.
    """
    if token.concurrency is Concurrency.ANY:
        return False
    names = {token.id_token.casefold()}
    if token.concurrency is Concurrency.ONE_PER_GROUP:
        names |= {member.id_token.casefold() for member in group}
        names.add(group_of(token).casefold())
    return any(name.casefold() in names for name in running)


def same_token(one: str, other: str) -> bool:
    """Whether two texts name the same token: case does not count (§7.28 CiString20)."""
    return one.casefold() == other.casefold()
