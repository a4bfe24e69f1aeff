from __future__ import annotations

from simulators.charge_point.local_list import LocalList

GOOD = {"status": "Accepted"}


def entry(name: str) -> dict[str, object]:
    return {"idTag": name, "idTagInfo": GOOD}


def test_a_list_is_replaced_and_changed() -> None:
    mine = LocalList()
    assert mine.update(3, "Full", [entry("A"), entry("B")]) == "Accepted"
    assert mine.update(4, "Differential", [{"idTag": "a"}, entry("C")]) == "Accepted"
    assert (mine.version, mine.entries) == (4, {"b": GOOD, "c": GOOD})
    assert mine.update(2, "Full", []) == "Accepted"
    assert (mine.version, mine.entries) == (2, {})


def test_a_version_that_is_not_newer_is_refused() -> None:
    mine = LocalList(version=4)
    assert mine.update(4, "Differential", [entry("A")]) == "VersionMismatch"
    assert mine.entries == {}


def test_what_does_not_fit_is_refused_whole() -> None:
    mine = LocalList(most=2, part=3)
    assert mine.update(1, "Full", [entry(name) for name in "ABC"]) == "Failed"
    assert mine.update(1, "Full", [entry("A")] * 4) == "Failed"
    assert (mine.version, mine.entries) == (0, {})
