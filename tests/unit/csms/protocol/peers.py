"""Peers of the RPC layer for its tests."""

from __future__ import annotations

import itertools
from typing import Any

from csms.protocol.rpc import CallReceived, Event, Limits, Peer, ReplyCache


def peer(*, cache: ReplyCache | None = None, released: bool = True, **limits: Any) -> Peer:
    """A peer whose calls are numbered m1, m2 …, released at 0 unless told otherwise."""
    numbers = itertools.count(1)
    made = Peer(lambda: f"m{next(numbers)}", limits=Limits(**limits), cache=cache)
    if released:
        made.release(0.0)
    return made


def received(events: list[Event]) -> CallReceived:
    (call,) = [e for e in events if isinstance(e, CallReceived)]
    return call
