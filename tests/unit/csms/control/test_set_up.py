from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from csms.control.set_up import AFTER_WRITE_S, DAY_S, LOOP_S, SetUpBook
from csms.control.wanted_settings import Setting
from csms.ports import Answer, Outcome
from tests.unit.csms.control.fakes import NO, YES, FakeClock, FakeLink

REBOOT = Answer(Outcome.ACCEPTED, "RebootRequired")
UNSUPPORTED = Answer(Outcome.UNSUPPORTED, "NotSupported")
NOT_SENT = Answer(Outcome.NOT_SENT, "not connected")


def setting(key: str, *values: str) -> Setting:
    return Setting(key, lambda has: [] if has == values[0] else values)


WANTED = (setting("One", "1", "2", "3"), setting("Two", "x"))


class Bench:
    """A book, a charger that remembers what it is told, and what was told of it."""

    def __init__(self, **has: str) -> None:
        self.clock = FakeClock()
        self.events: list[tuple[str, str]] = []
        self.book = SetUpBook(self.clock, lambda kind, text: self.events.append((kind, text)))
        self.link = Obedient()
        self.link.configuration = dict(has)

    async def set_up(self) -> None:
        await self.book.set_up("A", self.link, WANTED)

    def written(self) -> list[tuple[object, ...]]:
        return [asked[1:] for asked in self.link.named("change_configuration")]

    def read(self) -> list[object]:
        return [asked[1] for asked in self.link.named("get_configuration")]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


class Obedient(FakeLink):
    """Keeps what it accepts; `says` are its answers to writes, in order, then it accepts.

    Writes wait in the queue, and then for their answers, while these doors are closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.says: list[Answer] = []
        self.leaves, self.answers_come = asyncio.Event(), asyncio.Event()
        self.leaves.set()
        self.answers_come.set()

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        self.requests.append(("change_configuration", charger_id, key, value))
        answer = self.says.pop(0) if self.says else YES
        await self.leaves.wait()
        if answer.outcome is not Outcome.NOT_SENT and on_sent is not None:
            on_sent()
        await self.answers_come.wait()
        if answer.accepted:
            self.configuration[key] = value
        return answer


async def test_what_is_right_is_read_and_not_written() -> None:
    bench = Bench(One="1", Two="x")
    await bench.set_up()
    await bench.set_up()
    assert bench.read() == ["One", "Two"] * 2
    assert bench.written() == []
    assert bench.events == []


async def test_only_what_differs_is_written() -> None:
    bench = Bench(One="1", Two="y")
    await bench.set_up()
    assert bench.written() == [("Two", "x")]
    assert bench.events == [("setting_changed", "A Two: 'y' -> 'x'")]


async def test_the_next_value_is_tried_when_one_is_refused() -> None:
    bench = Bench(One="9", Two="x")
    bench.link.says = [NO, Answer(Outcome.INVALID)]
    await bench.set_up()
    assert bench.written() == [("One", "1"), ("One", "2"), ("One", "3")]
    assert bench.events == [("setting_changed", "A One: '9' -> '3'")]


async def test_a_charger_that_refuses_all_keeps_what_it_has() -> None:
    bench = Bench(One="9", Two="y")
    bench.link.says = [NO, NO, NO]
    await bench.set_up()
    assert bench.events == [
        ("setting_refused", "A One stays '9': Rejected"),
        ("setting_changed", "A Two: 'y' -> 'x'"),
    ]


async def test_a_key_that_cannot_be_written_is_tried_once() -> None:
    bench = Bench(One="9", Two="x")
    bench.link.says = [UNSUPPORTED]
    await bench.set_up()
    assert bench.written() == [("One", "1")]
    assert bench.events == [("setting_refused", "A One stays '9': NotSupported")]


@pytest.mark.parametrize("read", [NO, Answer(Outcome.INVALID), YES])
async def test_a_key_that_is_not_told_is_left_alone(read: Answer) -> None:
    bench = Bench()
    bench.link.answers["get_configuration"] = read
    await bench.set_up()
    assert bench.read() == ["One", "Two"]
    assert bench.written() == []


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.DISCONNECTED, Outcome.NOT_SENT])
async def test_a_charger_that_does_not_answer_is_asked_no_more(outcome: Outcome) -> None:
    bench = Bench(One="9", Two="y")
    bench.link.answers["get_configuration"] = Answer(outcome)
    await bench.set_up()
    assert bench.read() == ["One"]
    assert bench.written() == []


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.DISCONNECTED])
async def test_a_write_without_an_answer_ends_it_and_counts(outcome: Outcome) -> None:
    bench = Bench(One="9", Two="y")
    bench.link.says = [Answer(outcome)]
    await bench.set_up()
    await bench.set_up()
    assert bench.written() == [("One", "1"), ("Two", "x")]
    assert bench.read() == ["One", "Two"]


async def test_a_write_that_was_never_sent_does_not_count() -> None:
    bench = Bench(One="9", Two="x")
    bench.link.says = [NOT_SENT, NO, NOT_SENT]
    await bench.set_up()
    assert bench.written() == [("One", "1")]
    await bench.set_up()
    assert bench.written() == [("One", "1"), ("One", "1"), ("One", "2")]
    # Here something was sent: the day counts.
    await bench.set_up()
    assert len(bench.written()) == 3


@pytest.mark.parametrize("sent", [False, True])
async def test_a_write_that_is_taken_back_counts_once_it_is_on_the_wire(*, sent: bool) -> None:
    bench = Bench(One="9", Two="x")
    (bench.link.answers_come if sent else bench.link.leaves).clear()
    async with asyncio.TaskGroup() as tasks:
        setting_up = tasks.create_task(bench.set_up())
        for _ in range(5):
            await asyncio.sleep(0)
        setting_up.cancel()
    bench.link.answers_come.set()
    bench.link.leaves.set()
    bench.book.booted("A", pending=False)
    assert bench.kinds() == (["away_after_write"] if sent else [])
    await bench.set_up()
    assert len(bench.written()) == (1 if sent else 2)


async def test_a_key_is_written_once_a_day_even_if_it_is_not_kept() -> None:
    bench = Bench(One="9", Two="x")
    await bench.set_up()
    bench.link.configuration["One"] = "9"
    bench.clock.advance(DAY_S - 1)
    await bench.set_up()
    assert bench.written() == [("One", "1")]
    # Not even read: there are chargers that do not survive that.
    assert bench.read() == ["One", "Two", "Two"]
    bench.clock.advance(1)
    await bench.set_up()
    assert bench.written() == [("One", "1")] * 2


@pytest.mark.parametrize("tells", [True, False])
async def test_a_charger_that_was_away_after_a_write_is_left_alone(*, tells: bool) -> None:
    bench = Bench(One="9", Two="y")
    bench.link.says = [REBOOT, Answer(Outcome.DISCONNECTED)]
    await bench.set_up()
    bench.book.connected("A")
    if tells:
        bench.book.booted("A", pending=False)
    await bench.set_up()
    assert bench.written() == [("One", "1"), ("Two", "x")]
    assert bench.kinds().count("away_after_write") == 1
    bench.clock.advance(DAY_S)
    bench.book.connected("A")
    await bench.set_up()
    assert bench.written()[2:] == [("Two", "x")]


async def test_a_charger_that_comes_back_much_later_is_set_up_as_ever() -> None:
    bench = Bench(One="9", Two="y")
    bench.link.says = [YES, NOT_SENT]
    await bench.set_up()
    bench.clock.advance(AFTER_WRITE_S + 1)
    bench.book.connected("A")
    await bench.set_up()
    assert bench.written() == [("One", "1"), ("Two", "x"), ("Two", "x")]
    assert "away_after_write" not in bench.kinds()


async def test_a_value_that_counts_after_a_boot_is_shown_until_then() -> None:
    bench = Bench(One="9", Two="x")
    bench.link.says = [REBOOT]
    assert bench.book.awaiting_reboot("A") == ()
    await bench.set_up()
    assert bench.book.awaiting_reboot("A") == ("One",)
    assert bench.events[1] == ("reboot_required", "A One counts after its next boot")
    bench.book.booted("A", pending=False)
    assert bench.book.awaiting_reboot("A") == ()


def test_three_boots_in_ten_minutes_are_a_loop() -> None:
    bench = Bench()
    assert bench.book.loop_ends_in_s("A") == 0
    for _ in range(3):
        assert bench.events == []
        bench.clock.advance(10)
        bench.book.booted("A", pending=False)
    assert bench.book.loop_ends_in_s("A") == LOOP_S - 20
    assert bench.events == [("boot_loop", "A: 3 boots in 600 s")]
    assert bench.book.loop_ends_in_s("B") == 0
    bench.clock.advance(LOOP_S - 20)
    assert bench.book.loop_ends_in_s("A") == 0
    bench.book.booted("A", pending=False)
    assert bench.book.loop_ends_in_s("A") == 10


def test_who_boots_again_because_it_was_told_to_is_in_no_loop() -> None:
    bench = Bench()
    for pending in (True, True, True, False):
        bench.clock.advance(30)
        bench.book.booted("A", pending=pending)
    assert bench.book.loop_ends_in_s("A") == 0
    assert bench.events == []


async def test_a_charger_that_was_removed_is_forgotten() -> None:
    bench = Bench(One="9", Two="x")
    bench.link.says = [REBOOT]
    await bench.set_up()
    bench.book.keep_only(["A"])
    assert bench.book.awaiting_reboot("A") == ("One",)
    bench.book.keep_only(["B"])
    assert bench.book.awaiting_reboot("A") == ()
