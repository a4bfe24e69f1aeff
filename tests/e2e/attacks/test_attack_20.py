"""A20: path traversal and tricks with identities."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.attacks.test_attack_03 import raw
from tests.e2e.secured import KEY, basic, secured

TRICKS = [
    *("..", "../admin", "%2e%2e", "%2e%2e%2fadmin", "..%2f..%2fetc%2fpasswd", "..\\admin"),
    *("CP001%00", "%00CP001", "CP001%0a", "CP001%0d%0aX:1", "CP001%20", "%20CP001", "%2550001"),
    *("cp001", "Cp001", "CP001x", "CP00", "CP0001", "CP001.", "CP001%2f..", "C%D0%A0001"),
    *("%EF%BC%A3P001", "CP%E2%80%8B001", "'or'1'='1", "%27;DROP%20TABLE", "<script>", "${jndi}"),
    *("CP001%", "CP001%zz", "%c0%ae%c0%ae", "x" * 49, "x" * 4_000, "CP001;v=1", "CP001%3Fa"),
    *(f"CP{number:04d}" for number in range(150)),
]
WAYS_TO_WRITE_IT = ["CP001", "CP%30%30%31", "CP001/", "CP001?x=y", "a/b/CP001", "//CP001"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_no_trick_is_a_charger_and_nothing_is_written(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        before = names_in(tmp_path)
        for trick in TRICKS:
            answer = await raw(csms, trick, basic("CP001", KEY))
            assert answer.startswith(b"HTTP/1.1 40"), trick
            assert b" 404 " not in answer.split(b"\r\n")[0]
        assert names_in(tmp_path) == before
        assert await csms.frames("CP001") == []


async def test_one_decoding_makes_one_identity(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        for written in WAYS_TO_WRITE_IT:
            assert await csms.outcome(written, basic("CP001", KEY)) == (101, b""), written
