"""Id tokens imported from the command line, by the API."""

from __future__ import annotations

from typing import Any

import httpx

HEADERS = {"Content-Type": "text/csv; charset=utf-8"}


class ImportFailedError(Exception):
    """The API could not be asked, or it refused; the text says why, line by line."""


async def import_tokens(api: httpx.AsyncClient, content: bytes) -> int:
    """Import the tokens of a CSV file; how many there were. Raises ImportFailedError."""
    try:
        answer = await api.post("/tokens/import", content=content, headers=HEADERS)
        document = answer.json()
    except httpx.HTTPError as error:
        raise ImportFailedError(f"{api.base_url} cannot be asked: {error}") from error
    except ValueError as error:
        raise ImportFailedError(f"{api.base_url} does not answer as csms does") from error
    if not isinstance(document, dict) or answer.is_error or "imported" not in document:
        raise ImportFailedError(
            _reasons(document) or f"{api.base_url} answered {answer.status_code}"
        )
    return int(document["imported"])


def _reasons(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors") or []
    lines = [f"{bad.get('field')}: {bad.get('detail')}" for bad in errors]
    return "\n".join(lines) or str(document.get("detail") or "")
