"""How charge points dial: odd targets, odd subprotocols, odd sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from simulators.charge_point.habits.habit import Approach, Habit


class NoPongs(ClientConnection):
    """A websocket that does not answer pings (RFC 6455 §5.5.2 says it must)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        taken: Callable[[Frame], None] = self.protocol.recv_frame

        def take(frame: Frame) -> None:
            if frame.opcode is not Opcode.PING:
                taken(frame)

        self.protocol.recv_frame = take  # type: ignore[method-assign]


class Abandoned:
    """A websocket that nobody closes when it is no longer used."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """Send one frame."""
        await self._socket.send(message)

    async def recv(self) -> str | bytes:
        """The next frame."""
        return await self._socket.recv()

    async def close(self) -> None:
        """Do nothing."""


def approach(url: str, charger_id: str, habits: Iterable[Habit]) -> Approach:
    """How a charge point with these habits dials."""
    found = Approach(url.rstrip("/"), f"/{charger_id}")
    for habit in habits:
        if habit.dials is not None:
            found = habit.dials(found)
    return found


async def dialled(how: Approach, **options: Any) -> ClientConnection | Abandoned:
    """Dial. Raises what `websockets` raises, and OSError for what the charge point cannot bear."""
    if not how.pongs:
        options["create_connection"] = NoPongs
    socket = await connect(
        how.url + how.target,
        subprotocols=[Subprotocol(name) for name in how.subprotocols] or None,
        compression=how.compression,
        **options,
    )
    if socket.protocol.extensions:
        await socket.close()
        raise OSError("it cannot bear compressed frames")
    return Abandoned(socket) if how.abandons else socket


def _offering(*names: str) -> Callable[[Approach], Approach]:
    return partial(replace, subprotocols=names)


def _at(target: Callable[[str], str]) -> Callable[[Approach], Approach]:
    """Dial another target, made from the charger's id."""
    return lambda how: replace(how, target=target(how.target[1:]))


def _encoded(charger_id: str) -> str:
    return "/" + "".join(f"%{ord(character):02x}" for character in charger_id)


HABITS: Mapping[str, Habit] = {
    "no_subprotocol": Habit("A1", "offers no subprotocol", dials=_offering()),
    "odd_subprotocol": Habit("A2", "offers ocpp1.6j", dials=_offering("ocpp1.6j")),
    "upper_case_subprotocol": Habit("A2", "offers OCPP1.6", dials=_offering("OCPP1.6")),
    "several_versions": Habit(
        "A3", "offers 2.0.1 first", dials=_offering("ocpp2.0.1", "ocpp1.6", "ocpp1.5")
    ),
    "serial_behind_id": Habit(
        "A5", "puts its serial number behind its id", dials=_at(lambda name: f"/{name}/SN-0042")
    ),
    "id_in_query": Habit(
        "A5", "names itself in the query", dials=_at(lambda name: f"/webSocket?sn={name}")
    ),
    "doubled_slashes": Habit(
        "A5", "doubles slashes and ends with one", dials=_at(lambda name: f"//{name}//")
    ),
    "url_in_path": Habit(
        "A5", "asks for a whole URL", dials=_at(lambda name: f"/ws://10.0.0.9:80/{name}?v=1")
    ),
    "percent_encoded_id": Habit("A6", "percent-encodes its id", dials=_at(_encoded)),
    "other_case_id": Habit(
        "A7", "writes its id in the other case", dials=_at(lambda name: f"/{name.swapcase()}")
    ),
    "leaves_sockets_open": Habit(
        "A8", "dials again while its old socket is open", dials=partial(replace, abandons=True)
    ),
    "no_pongs": Habit("A9", "answers no pings", dials=partial(replace, pongs=False)),
    "no_compression": Habit(
        "A13", "offers compression and cannot do it", dials=partial(replace, compression="deflate")
    ),
}
