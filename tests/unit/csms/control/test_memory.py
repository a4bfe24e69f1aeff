from __future__ import annotations

import resource
from pathlib import Path

import pytest

from csms.control.memory import resident_bytes


def test_the_pages_are_counted_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "statm").write_text("1000 25 3 1 0 1 0\n")
    assert resident_bytes(tmp_path / "statm") == 25 * resource.getpagesize()


@pytest.mark.parametrize("text", ["", "1000", "1000 many"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, text: str) -> None:
    (tmp_path / "statm").write_text(text)
    assert resident_bytes(tmp_path / "statm") is None
    assert resident_bytes(tmp_path / "gone") is None


def test_this_process_has_some() -> None:
    assert (resident_bytes() or 0) > 1_000_000
