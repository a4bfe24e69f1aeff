"""Asking a running csms by its API, for the command line."""

from __future__ import annotations

from typing import Any

import httpx


class ApiError(Exception):
    """The API could not be asked, or it refused; the text says why."""


async def ask(api: httpx.AsyncClient, method: str, path: str, **options: Any) -> dict[str, Any]:
    """One request; returns the JSON object of the answer. Raises ApiError."""
    try:
        answer = await api.request(method, path, **options)
        document = answer.json()
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise ApiError(f"{api.base_url} cannot be asked: {why}") from error
    except ValueError as error:
        raise ApiError(f"{api.base_url} does not answer as csms does") from error
    if not isinstance(document, dict) or answer.is_error:
        detail = document.get("detail") if isinstance(document, dict) else None
        raise ApiError(str(detail or f"{api.base_url} answered {answer.status_code}"))
    return document
