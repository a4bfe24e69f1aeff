"""Named changes of the core for a while: a method or a number is replaced, and put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Patch:
    """`owner.name` is `value` meanwhile. It must be there: a core that moved on is told so."""

    owner: Any
    name: str
    value: Any


@contextmanager
def patched(patches: Sequence[Patch]) -> Iterator[None]:
    """Apply all of them inside the block."""
    with ExitStack() as stack:
        for patch in patches:
            stack.callback(setattr, patch.owner, patch.name, patch.owner.__dict__[patch.name])
            setattr(patch.owner, patch.name, patch.value)
        yield
