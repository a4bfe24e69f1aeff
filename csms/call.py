"""Any request to a charger from the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from csms.client import ask


def read_payload(text: str) -> dict[str, Any]:
    """The payload that was typed. Raises ValueError when it is not a JSON object."""
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the payload is not JSON: {error}") from None
    if not isinstance(payload, dict):
        why = f"the payload must be a JSON object, as in {{}}; it is {text[:50]}"
        raise ValueError(why)  # noqa: TRY004 - it is the text that is wrong
    return payload


async def call(
    api: httpx.AsyncClient,
    charger_id: str,
    action: str,
    payload: Mapping[str, Any],
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Send a request to a charger and return how it was answered. Raises ApiError."""
    path = f"/chargers/{quote(charger_id, safe='')}/commands/{quote(action, safe='')}"
    options: dict[str, Any] = {"params": {"force": "true"}} if force else {}
    return await ask(api, "POST", path, json=payload, **options)


def lines(answered: Mapping[str, Any]) -> tuple[str, str]:
    """What the charger answered, and beside it the message with its times."""
    error = answered["error"]
    said = answered["answer"] if error is None else error
    about = (
        f"message {answered['messageId']}, asked {answered['askedAt']}, "
        f"answered {answered['answeredAt']}: {answered['outcome']}"
    )
    return json.dumps(said, indent=2, ensure_ascii=False), about


def accepted(answered: Mapping[str, Any]) -> bool:
    """Whether the charger said yes."""
    return bool(answered["outcome"] == "accepted")
