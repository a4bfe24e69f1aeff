"""What a charger's local authorization list should hold, and how to bring it there (pure).

A list is brought up to date by the changes alone (Differential) where csms knows what the charger
holds, and else as a whole (Full). Long ones go in parts (OCPP 1.6 §3.5.2, §5.15).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from csms.ports import IdToken, LocalListUpdate, TokenStatus


@dataclass(frozen=True, slots=True)
class Copy:
    """What a charger was told: its list's version, and each entry's name with a digest.

    By folded name: a charger is told to delete an entry in the letters it was sent in.
    """

    version: int = 0
    entries: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def wanted(tokens: Sequence[IdToken], most: int) -> tuple[IdToken, ...]:
    """The tokens a list of at most so many entries should hold, by name.

    Those that may charge come first: one that may not is refused as unknown without its entry.
    """
    order = sorted(tokens, key=lambda t: (t.status is not TokenStatus.ACCEPTED, _name(t)))
    return tuple(sorted(order[: max(0, most)], key=_name))


def full_updates(tokens: Sequence[IdToken], version: int, part: int) -> tuple[LocalListUpdate, ...]:
    """The whole list: the first part replaces what is there, the others add to it.

    `version` is the first one's; each part has the next one.
    """
    parts = [tuple(tokens[i : i + part]) for i in range(0, len(tokens), part)] or [()]
    return tuple(
        LocalListUpdate(version + i, full=i == 0, entries=entries)
        for i, entries in enumerate(parts)
    )


def differential_updates(
    copy: Copy, tokens: Sequence[IdToken], part: int
) -> tuple[LocalListUpdate, ...]:
    """What is missing, changed or too much in the copy; nothing when it is up to date.

    Deletions go first, so that there is room for what is added.
    """
    names = {_name(token) for token in tokens}
    gone = [copy.entries[name][0] for name in sorted(copy.entries.keys() - names)]
    news = [t for t in tokens if copy.entries.get(_name(t)) != (t.id_token, digest(t))]
    updates: list[LocalListUpdate] = []
    while gone or news:
        removed, gone = tuple(gone[:part]), gone[part:]
        room = part - len(removed)
        added, news = tuple(news[:room]), news[room:]
        version = copy.version + len(updates) + 1
        updates.append(LocalListUpdate(version, full=False, entries=added, removed=removed))
    return tuple(updates)


def changed(copy: Copy, update: LocalListUpdate) -> Copy:
    """The copy after the charger has accepted this update."""
    entries = {} if update.full else dict(copy.entries)
    for name in update.removed:
        entries.pop(name.casefold(), None)
    for token in update.entries:
        entries[_name(token)] = (token.id_token, digest(token))
    return Copy(update.version, entries)


def digest(token: IdToken) -> str:
    """A short text that differs when anything a charger is told of the token does."""
    told = repr((token.status.value, token.expires_at, token.parent_id_token))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


def document(copy: Copy) -> dict[str, Any]:
    """The copy as it is kept."""
    return {"version": copy.version, "entries": {n: list(e) for n, e in copy.entries.items()}}


def parse(kept: Mapping[str, Any]) -> Copy:
    """A copy as it was kept."""
    return Copy(kept["version"], {n: (e[0], e[1]) for n, e in kept["entries"].items()})


def _name(token: IdToken) -> str:
    return token.id_token.casefold()
