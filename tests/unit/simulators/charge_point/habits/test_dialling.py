"""How the approach is bent; the sockets themselves are tested end to end."""

from __future__ import annotations

import pytest

from simulators.charge_point.habits.catalogue import chosen
from simulators.charge_point.habits.dialling import Abandoned, approach
from simulators.charge_point.habits.habit import Approach


def dials(*names: str) -> Approach:
    return approach("ws://h:1/ocpp/", "Cp-1", chosen(names))


def test_without_habits_the_standard_is_kept() -> None:
    assert dials() == Approach("ws://h:1/ocpp", "/Cp-1", ("ocpp1.6",), None, True, False)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("serial_behind_id", "/Cp-1/SN-0042"),
        ("id_in_query", "/webSocket?sn=Cp-1"),
        ("doubled_slashes", "//Cp-1//"),
        ("url_in_path", "/ws://10.0.0.9:80/Cp-1?v=1"),
        ("percent_encoded_id", "/%43%70%2d%31"),
        ("other_case_id", "/cP-1"),
    ],
)
def test_targets(name: str, target: str) -> None:
    assert dials(name) == Approach("ws://h:1/ocpp", target)


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("no_subprotocol", ()),
        ("odd_subprotocol", ("ocpp1.6j",)),
        ("upper_case_subprotocol", ("OCPP1.6",)),
        ("several_versions", ("ocpp2.0.1", "ocpp1.6", "ocpp1.5")),
    ],
)
def test_subprotocols(name: str, offered: tuple[str, ...]) -> None:
    assert dials(name).subprotocols == offered


def test_sockets() -> None:
    assert dials("leaves_sockets_open").abandons
    assert not dials("no_pongs").pongs
    assert dials("no_compression").compression == "deflate"


async def test_an_abandoned_socket_is_used_but_not_closed() -> None:
    class Line:
        closed = False

        def __init__(self) -> None:
            self.sent: list[str | bytes] = []

        async def send(self, message: str | bytes) -> None:
            self.sent.append(message)

        async def recv(self) -> str:
            return "frame"

        async def close(self) -> None:
            self.closed = True

    line = Line()
    socket = Abandoned(line)  # type: ignore[arg-type]
    await socket.send("x")
    assert (line.sent, await socket.recv()) == (["x"], "frame")
    await socket.close()
    assert not line.closed
