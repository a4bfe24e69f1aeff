"""The local authorization list of a charge point (pure). OCPP 1.6 §3.5.2, §5.10, §5.15."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class LocalList:
    """Tokens with what csms says of them, by folded name. `most` entries fit, `part` a message."""

    most: int = 100
    part: int = 20
    version: int = 0
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def update(self, version: int, kind: str, sent: Sequence[Mapping[str, Any]]) -> str:
        """SendLocalList: an UpdateStatus of §7.45."""
        if kind == "Differential" and version <= self.version:
            return "VersionMismatch"
        entries = {} if kind == "Full" else dict(self.entries)
        for entry in sent:
            name = str(entry["idTag"]).casefold()
            if "idTagInfo" in entry:
                entries[name] = dict(entry["idTagInfo"])
            else:
                entries.pop(name, None)
        if len(sent) > self.part or len(entries) > self.most:
            return "Failed"
        self.version, self.entries = version, entries
        return "Accepted"
