"""The command that takes reactions away ends, whatever a story does."""

from __future__ import annotations

import threading

import pytest

from tests.e2e.habits import reactions, story
from tests.e2e.habits.story import Story
from tests.simulation.patches import Patch, patched


def _hangs() -> bool:
    threading.Event().wait()
    return False


def _breaks() -> bool:
    raise AssertionError


def test_what_fails_as_it_must_is_right() -> None:
    assert reactions.verdict(lambda: False, 20.0) == ""


def test_what_holds_is_wrong() -> None:
    assert reactions.verdict(lambda: True, 20.0) == "holds without the reaction"


def test_what_does_not_end_is_ended_and_wrong() -> None:
    assert reactions.verdict(_hangs, 0.2) == "has not ended after 0.2 s"


def test_what_cannot_be_tried_is_wrong(capfd: pytest.CaptureFixture[str]) -> None:
    assert reactions.verdict(_breaks, 20.0) == "could not be tried: exit code 1"
    assert "AssertionError" in capfd.readouterr().err


@pytest.mark.parametrize("name", sorted(reactions.WITHOUT))
def test_every_reaction_that_is_taken_away_is_there(name: str) -> None:
    with patched(reactions.WITHOUT[name]()):
        pass


def test_a_reaction_that_is_no_longer_there_is_no_failure_of_the_story(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(reactions.WITHOUT, "no_pongs", lambda: [Patch(story, "GONE", None)])
    with pytest.raises(KeyError, match="GONE"):
        reactions.holds_without("no_pongs", Story())


def test_the_command_names_each_that_is_wrong_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tried(name: str, _: Story) -> bool:
        return _hangs() if name == "no_pongs" else name == "empty_frames"

    monkeypatch.setattr(reactions, "holds_without", tried)
    assert reactions.main(["no_pongs", "empty_frames", "no_value"], limit_s=0.2) == 1
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "1 of 3 fail without the reaction",
        "empty_frames: holds without the reaction",
        "no_pongs: has not ended after 0.2 s",
    ]
