"""What survives: stations, chargers, tokens, sessions, meter samples, the ledger and the frames.

Two implementations of `ports.Store`: `MemoryStore` is the reference and the test double,
`SqlStore` keeps everything in a database. One contract suite holds both to the same behaviour.
"""

from __future__ import annotations

from csms.storage.memory import MemoryStore
from csms.storage.migration import migrate
from csms.storage.peek import Contents, peek
from csms.storage.secret import SecretFile
from csms.storage.sql import SqlSettings, SqlStore

__all__ = ["Contents", "MemoryStore", "SecretFile", "SqlSettings", "SqlStore", "migrate", "peek"]
