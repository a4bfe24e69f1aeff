"""What a token is answered: a table of cases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from csms.control.authorization import Start, TokenPolicy, group_of, is_busy, judge, same_token
from csms.ports import IdToken, TokenStatus
from csms.station.tokens import Concurrency

NOW = 1_000.0
OPEN = TokenPolicy()
CLOSED = TokenPolicy(accept_unknown_tokens=False)
FREE = TokenPolicy(accept_unknown_tokens=False, free_vend_token="FREE")  # noqa: S106
GOOD = IdToken("Tag", expires_at=NOW + 60, parent_id_token="FAMILY")  # noqa: S106
BLOCKED = replace(GOOD, status=TokenStatus.BLOCKED)


@dataclass(frozen=True)
class Case:
    """A token as kept, the circumstances, and the status it is answered."""

    name: str
    status: str
    kept: IdToken | None = None
    policy: TokenPolicy = CLOSED
    asked_for: bool = False
    start: Start | None = field(default_factory=Start)
    shown: str = "TAG"


CASES = [
    Case("kept and good", "Accepted", GOOD),
    Case("kept and good, only asked", "Accepted", GOOD, start=None),
    Case("kept for ever", "Accepted", replace(GOOD, expires_at=None)),
    Case("a moment before it expires", "Accepted", replace(GOOD, expires_at=NOW + 0.1)),
    Case("the moment it expires", "Expired", replace(GOOD, expires_at=NOW)),
    Case("expired long ago", "Expired", replace(GOOD, expires_at=1.0)),
    Case("said to be expired", "Expired", replace(GOOD, status=TokenStatus.EXPIRED)),
    Case("blocked", "Blocked", BLOCKED),
    Case("blocked, where any unknown one may charge", "Blocked", BLOCKED, OPEN),
    Case("blocked and expired", "Blocked", replace(BLOCKED, expires_at=1.0)),
    Case("blocked, and an operator asks for it", "Blocked", BLOCKED, asked_for=True),
    Case("nobody knows it", "Invalid"),
    Case("nobody knows it, where any may charge", "Accepted", policy=OPEN),
    Case("nobody knows it, but an operator asks for it", "Accepted", asked_for=True),
    Case("the free-vend token", "Accepted", policy=FREE, shown="free"),
    Case("no token, where there is a free-vend token", "Accepted", policy=FREE, shown=" "),
    Case("no token, and none is needed", "Accepted", policy=OPEN, shown=""),
    Case("no token, but one is needed", "Invalid", shown=""),
    Case("the free-vend token is blocked", "Blocked", BLOCKED, FREE, shown="FREE"),
    Case("another token than the free-vend one", "Invalid", policy=FREE),
    Case("the connector is reserved for another", "Invalid", GOOD, start=Start(reserved=True)),
    Case("so it is for an unknown one", "Invalid", policy=OPEN, start=Start(reserved=True)),
    Case("another session runs", "ConcurrentTx", GOOD, start=Start(busy=True)),
    Case("another session runs, only asked", "Accepted", GOOD, start=None),
    Case("blocked, and another session runs", "Blocked", BLOCKED, start=Start(busy=True)),
    Case(
        "expired, and another session runs",
        "Expired",
        replace(GOOD, expires_at=NOW),
        start=Start(reserved=True, busy=True),
    ),
    Case(
        "reserved for another, and another session runs",
        "Invalid",
        GOOD,
        start=Start(reserved=True, busy=True),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_token_is_answered(case: Case) -> None:
    answer = judge(
        case.shown, case.kept, case.policy, NOW, asked_for=case.asked_for, start=case.start
    )
    assert answer.status.value == case.status
    expected = IdToken(case.shown) if case.kept is None else case.kept
    assert replace(answer, status=expected.status) == expected


def test_a_driver_without_a_token_is_looked_up_as_the_free_vend_one() -> None:
    assert [FREE.known_as(shown) for shown in ("", "  ", "TAG")] == ["FREE", "FREE", "TAG"]
    assert [CLOSED.known_as(shown) for shown in ("", "TAG")] == ["", "TAG"]


ANY = IdToken("ANNA", parent_id_token="Family")  # noqa: S106
ONE = replace(ANY, concurrency=Concurrency.ONE_PER_TOKEN)
GROUP = replace(ANY, concurrency=Concurrency.ONE_PER_GROUP)
ALONE = IdToken("SOLO", concurrency=Concurrency.ONE_PER_GROUP)
MEMBERS = [ANY, IdToken("Bob", parent_id_token="FAMILY")]  # noqa: S106


@pytest.mark.parametrize(
    ("token", "running", "busy"),
    [
        (ANY, {"ANNA", "BOB", "FAMILY"}, False),
        (ONE, set(), False),
        (ONE, {"BOB", "FAMILY"}, False),
        (ONE, {"anna"}, True),
        (GROUP, set(), False),
        (GROUP, {"anna"}, True),
        (GROUP, {"BOB"}, True),
        (GROUP, {"family"}, True),
        (GROUP, {"CAROL"}, False),
        (ALONE, {"BOB", "FAMILY"}, True),
        (ALONE, {"solo"}, True),
    ],
)
def test_who_may_run_only_one_session_is_busy_with_it(
    token: IdToken, running: set[str], busy: bool
) -> None:
    members = MEMBERS if token is not ALONE else [ALONE, *MEMBERS]
    assert is_busy(token, members, running) is busy


def test_a_group_is_named_after_the_parent() -> None:
    assert (group_of(ANY), group_of(ALONE)) == ("Family", "SOLO")
    assert same_token("Straße", "STRASSE")
    assert not same_token("A", "B")
