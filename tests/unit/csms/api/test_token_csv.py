from __future__ import annotations

import pytest

from csms.api.problems import BadFieldsError
from csms.api.token_csv import read_tokens
from csms.ports import IdToken, TokenStatus
from csms.station.tokens import Concurrency

WHOLE = """idToken,status,expiresAt,parentIdToken,concurrency
ANNA,Blocked,2026-01-31T17:00:00Z,FAMILY,one_per_group
"BOB, JR",,,,
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BadFieldsError) as refused:
        read_tokens(text)
    return [f"{p.field}: {p.detail}" for p in refused.value.problems]


def test_every_column_is_read() -> None:
    assert read_tokens(WHOLE) == [
        IdToken(
            "ANNA",
            TokenStatus.BLOCKED,
            1_769_878_800.0,
            "FAMILY",
            Concurrency.ONE_PER_GROUP,
        ),
        IdToken("BOB, JR"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "idToken\r\nA\r\nB\r\n",
        "status;idToken\n;A\nAccepted;B",
        "idToken , status\n\n A ,\n , \nB",
        "idToken,status\nA\nB",
    ],
)
def test_forms_of_csv(text: str) -> None:
    assert read_tokens(text) == [IdToken("A"), IdToken("B")]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", ["line 1: must name the columns, idToken among them; there is "]),
        ("A\nB\n", ["line 1: must name", "line 1, A: is not a known column"]),
        ("idToken,idToken\nA,B\n", ["line 1, idToken: is there twice"] * 2),
        ("idToken\n", ["(body): has no tokens"]),
        ("idToken,status\nA,Gone\n", ["line 2, status: Input should be 'Accepted', "]),
        ("idToken,expiresAt\nA,soon\n", ["line 2, expiresAt: must be a time"]),
        ("idToken,status\n,Blocked\n", ["line 2, idToken: is missing"]),
        ("idToken\n" + "X" * 21, ["line 2, idToken: String should have at most 20 characters"]),
        ("idToken\nA\n\nB,C\n", ["line 4: has 2 cells, but there are 1 columns"]),
        ("idToken\nA\nB\na\n", ["line 4, idToken: is in line 2 already"]),
        ('idToken\n"A"x\n', ["line 2: is not CSV: "]),
        ("idToken\nÄ\n", ["line 2, idToken: must be of "]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, wrong: list[str]) -> None:
    found = problems(text)
    assert [f[: len(w)] for f, w in zip(found, wrong, strict=True)] == wrong


def test_everything_that_is_wrong_is_named_at_once() -> None:
    found = problems("idToken,status\nA,No\nB,\nC,Nor\n")
    assert [f.partition(":")[0] for f in found] == ["line 2, status", "line 4, status"]
