"""Id tokens imported from the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from csms.token_import import ImportFailedError, import_tokens
from tests.unit.csms.api.fakes import Api


async def imported(transport: httpx.AsyncBaseTransport, content: bytes = b"idToken\nA\n") -> int:
    async with httpx.AsyncClient(transport=transport, base_url="http://csms") as client:
        return await import_tokens(client, content)


async def test_a_file_is_imported() -> None:
    api = Api.build()
    assert await imported(httpx.ASGITransport(api.app), b"idToken\nA\nB\n") == 2
    assert (await api.get("/tokens/a"))["idToken"] == "A"


async def test_what_is_wrong_is_told_line_by_line() -> None:
    with pytest.raises(ImportFailedError) as refused:
        await imported(httpx.ASGITransport(Api.build().app), b"idToken,status\nA,x\nB,y\n")
    expected = "Input should be 'Accepted', 'Blocked' or 'Expired'"
    assert str(refused.value).splitlines() == [
        f"line 2, status: {expected}",
        f"line 3, status: {expected}",
    ]


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (unreachable, "http://csms cannot be asked: refused"),
        (lambda _: httpx.Response(200, text="hello"), "http://csms does not answer as csms does"),
        (lambda _: httpx.Response(200, json=["x"]), "http://csms answered 200"),
        (lambda _: httpx.Response(200, json={}), "http://csms answered 200"),
        (lambda _: httpx.Response(503, json={"detail": "disk full"}), "disk full"),
    ],
)
async def test_what_is_not_csms_is_said_so(
    answers: Callable[[httpx.Request], httpx.Response], words: str
) -> None:
    with pytest.raises(ImportFailedError, match=f"^{re.escape(words)}$"):
        await imported(httpx.MockTransport(answers))
