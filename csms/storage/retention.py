"""When it is time to delete what is too old: now and then, and a bounded number of rows at once."""

from __future__ import annotations

EVERY_ROWS = 1_000
AT_MOST_ROWS = 10_000


class Turn:
    """Says when to prune: at the first rows of a process, and then after every `every` rows.

    At the first, or else a process that is often restarted would never do it.
    """

    def __init__(self, every: int = EVERY_ROWS, at_most: int = AT_MOST_ROWS) -> None:
        self.every = min(every, at_most // 2)
        self.at_most = at_most
        self._left = 0

    def due(self, rows: int) -> bool:
        """Whether to prune, now that `rows` more were written."""
        self._left -= rows
        if self._left > 0:
            return False
        self._left = self.every
        return True
