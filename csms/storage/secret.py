"""The secret that keys of chargers are hashed with: a small file only csms may read.

Kept apart from the database, so that a copy of the database alone lets nobody guess at keys.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from csms.errors import StorageError

BYTES = 32


class SecretFile:
    """A secret, and how to keep it: it is written when the first key is hashed with it."""

    def __init__(self, path: Path) -> None:
        """Read the file, or think of a new secret. Raises StorageError when it cannot be used."""
        self._path = path
        self.kept = True
        try:
            text = path.read_text(encoding="ascii").strip()
            self.value = bytes.fromhex(text)
        except FileNotFoundError:
            self.kept = False
            self.value = secrets.token_bytes(BYTES)
        except (OSError, ValueError) as error:
            raise StorageError(f"the secret file {path} cannot be used: {error}") from None
        if len(self.value) < BYTES:
            raise StorageError(f"the secret file {path} cannot be used: it is too short")

    def keep(self) -> None:
        """Write the file if it is not there. Raises StorageError."""
        if self.kept:
            return
        try:
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "w", encoding="ascii") as file:
                file.write(f"{self.value.hex()}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"the secret file {self._path} cannot be written: {error}") from None
        self.kept = True
