"""Asking a running csms by its API."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from csms.client import ApiError, ask


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def too_slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=request)


async def asked(answers: Callable[[httpx.Request], httpx.Response]) -> dict[str, object]:
    transport = httpx.MockTransport(answers)
    async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
        return await ask(client, "POST", "/x", json={"a": 1})


async def test_the_answer_is_given_back() -> None:
    assert await asked(lambda request: httpx.Response(200, content=request.content)) == {"a": 1}


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (unreachable, "http://csms cannot be asked: refused"),
        (too_slow, "http://csms cannot be asked: ReadTimeout"),
        (lambda _: httpx.Response(200, text="hello"), "http://csms does not answer as csms does"),
        (lambda _: httpx.Response(200, json=["x"]), "http://csms answered 200"),
        (lambda _: httpx.Response(500, json={}), "http://csms answered 500"),
        (lambda _: httpx.Response(409, json={"detail": "no room"}), "no room"),
    ],
)
async def test_what_is_no_answer_is_said_so(
    answers: Callable[[httpx.Request], httpx.Response], words: str
) -> None:
    with pytest.raises(ApiError, match=f"^{re.escape(words)}$"):
        await asked(answers)
