from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from csms.control.patience import PatientLink
from csms.ports import Answer, Outcome
from tests.unit.csms.control.fakes import NO, SILENCE, YES, FakeLink

NOT_SENT = Answer(Outcome.NOT_SENT, "timed out before it was sent")


class Busy(FakeLink):
    """Answers with these in turn; gone when there are no more."""

    def __init__(self, *says: Answer) -> None:
        super().__init__()
        self.says = list(says)
        self.connected.add("A")

    def next(self) -> Answer:
        answer = self.says.pop(0)
        if not self.says:
            self.connected.clear()
        return answer

    async def get_configuration(self, charger_id: str, keys: Sequence[str]) -> Answer:
        self.requests.append(("get", charger_id, *keys))
        return self.next()

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        self.requests.append(("change", charger_id, key, value))
        answer = self.next()
        if answer is not NOT_SENT and on_sent is not None:
            on_sent()
        return answer


@pytest.mark.parametrize("answer", [YES, NO, SILENCE])
async def test_what_was_never_sent_is_asked_again_until_it_is_answered(answer: Answer) -> None:
    link = Busy(NOT_SENT, NOT_SENT, answer, NOT_SENT)
    async with asyncio.timeout(5):
        assert await PatientLink(link, 0.0).get_configuration("A", ["K"]) is answer
    assert link.requests == [("get", "A", "K")] * 3


async def test_a_write_too_and_it_tells_when_it_is_on_the_wire() -> None:
    link = Busy(NOT_SENT, YES, NOT_SENT)
    sent: list[int] = []
    patient = PatientLink(link, 0.0)
    async with asyncio.timeout(5):
        answer = await patient.change_configuration("A", "K", "1", on_sent=lambda: sent.append(1))
    assert answer is YES
    assert (link.requests, sent) == ([("change", "A", "K", "1")] * 2, [1])


async def test_who_is_gone_is_asked_no_more() -> None:
    link = Busy(NOT_SENT, NOT_SENT)
    async with asyncio.timeout(5):
        assert await PatientLink(link, 0.0).get_configuration("A", ["K"]) is NOT_SENT
    assert len(link.requests) == 2
