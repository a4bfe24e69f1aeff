"""A9: bombs for the parser.

The row refuses doubled keys and NaN; csms reads them as `csms/protocol/framing.py` says: what
counts is that they cost nothing. A value that is not a number, which some chargers print, is null,
so that it reaches no sum and costs no stop its message. To look for doubled keys would make
decoding half as slow again, and there is no second reader to take them for something else. The
row's 10^7 mutated frames are `python -m tests.fuzz`, which also prints how many frames a second it
reads. The bound on one frame is the setting `max_frame_bytes`.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.e2e.attacks.test_attack_07 import sane
from tests.e2e.dialogue import csms_of, station

FRAME = 1_048_576
GROWTH_BYTES = 60_000_000
MANY = FRAME // 4


def call(inside: str) -> str:
    return '[2,"bomb","MeterValues",' + inside + "]"


BOMBS = {
    "lists": "[" * (FRAME - 100),
    "closed lists": "[" * MANY + "]" * MANY,
    "objects": '{"a":' * (MANY // 2),
    "deep in a call": call("[" * MANY + "]" * MANY),
    "objects in a call": call('{"a":' * (MANY // 2) + "1" + "}" * (MANY // 2)),
    "depth 17": call("[" * 16 + "]" * 16),
    "a long integer": call('{"connectorId":' + "9" * 5_000 + "}"),
    "a very long integer": call('{"connectorId":' + "9" * (FRAME - 100) + "}"),
    "a long fraction": call('{"connectorId":0.' + "9" * (FRAME - 100) + "}"),
    "a long exponent": call('{"connectorId":1e' + "9" * 10_000 + "}"),
    "doubled keys": call("{" + ",".join(['"connectorId":1'] * 50_000) + "}"),
    "keys that differ": call("{" + ",".join(f'"k{n}":1' for n in range(70_000)) + "}"),
    "lone surrogates": call('{"a":"' + "\\ud800" * 100_000 + '"}'),
    "NaN": call('{"connectorId":NaN,"a":[Infinity,-Infinity]}'),
    "a long id": '[2,"' + "i" * 100_000 + '","Heartbeat",{}]',
    "a long action": '[2,"bomb","' + "a" * 500_000 + '",{}]',
    "many elements": "[2" + ",1" * (FRAME // 2 - 10) + "]",
    "many values": call('{"meterValue":[' + ",".join(["{}"] * 100_000) + "]}"),
    "many samples": call(
        '{"meterValue":[{"sampledValue":[' + ",".join(['{"value":"1"}'] * 60_000) + "]}]}"
    ),
    "escapes": call('{"a":"' + "\\n" * 400_000 + '"}'),
    "an open string": '[2,"bomb","Heartbeat",{"a":"' + '\\"' * 400_000,
    "commas": call("{" + "," * 500_000 + "}"),
    "missing values": call("{" + '"a":,' * 100_000 + "}"),
    "closing brackets": "]" * 500_000,
    "a flat list as type": "[[" + "2," * 200_000 + '2],"bomb","X",{}]',
    "zero bytes": '[2,"bomb","Heartbeat",{}]' + "\x00" * 500_000,
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_no_bomb_is_larger_than_a_frame_may_be(name: str) -> None:
    assert len(BOMBS[name]) <= FRAME


async def test_after_each_bomb_everybody_is_heard_and_no_memory_is_gone(tmp_path: Path) -> None:
    process = psutil.Process()
    async with (
        csms_of(
            tmp_path, station("A", "B"), max_frame_bytes=FRAME, charger_bytes_per_s=100_000_000
        ) as csms,
        csms.dial("B") as other,
    ):
        await other.boot()
        before = process.memory_info().rss
        for name, bomb in BOMBS.items():
            async with csms.dial("A") as charger:
                await charger.boot()
                await charger.socket.send(bomb)
                # Whatever became of it, the charger is heard again, and so is everybody.
                assert await charger.told("Heartbeat", {}), name
                assert await other.told("Heartbeat", {}), name
        await sane(csms)
        assert process.memory_info().rss - before < GROWTH_BYTES
