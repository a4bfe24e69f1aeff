"""Which document of a station is in force: its file's, or the one it was changed to at run time.

The database keeps, for each station, the document in force and the file's document that it came
from (None for a station that was added at run time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from csms.errors import ConfigError
from csms.station.document import dump_station, parse_station
from csms.station.model import Station

Document = Mapping[str, Any]


class Origin(StrEnum):
    """Where the document in force comes from, in words for people."""

    FILE = "as in its file"
    CHANGED = "as changed at run time and kept in the database; its file says something else"
    FILE_CHANGED = "as in its file, which has changed: what was kept in the database is given up"
    ADDED = "as added at run time and kept in the database; it has no file"


@dataclass(frozen=True, slots=True)
class KeptStation:
    """A station to run. `file` is its file's document, None without a file."""

    station: Station
    file: dict[str, Any] | None
    origin: Origin

    def document(self) -> dict[str, Any]:
        """What is kept in the database."""
        return document(self.station, self.file)


def document(station: Station, file: dict[str, Any] | None) -> dict[str, Any]:
    """What is kept of a station whose file's document is this, None without a file."""
    return {"in_force": dump_station(station), "file": file}


def in_force(configured: Sequence[Station], kept: Mapping[str, Document]) -> list[KeptStation]:
    """The stations to run: as changed at run time, unless their file has been changed since.

    One whose file is gone stays out. Raises ConfigError when what is kept cannot be used, or when
    a charger is in two stations.
    """
    stations = [_configured(station, kept.get(station.station_id)) for station in configured]
    names = {station.station_id for station in configured}
    stations += [
        KeptStation(_parsed(station_id, document["in_force"]), None, Origin.ADDED)
        for station_id, document in kept.items()
        if station_id not in names and document["file"] is None
    ]
    _require_one_station_each([each.station for each in stations])
    return stations


def require_default(default_station: str | None, stations: Sequence[KeptStation]) -> None:
    """Raise ConfigError unless the default station, if one is set, is there."""
    known = [each.station.station_id for each in stations]
    if default_station is not None and default_station not in known:
        raise ConfigError(
            "the settings",
            [("default_station", f"{default_station!r} is not one of: {', '.join(known)}")],
        )


def _configured(station: Station, kept: Document | None) -> KeptStation:
    from_file = dump_station(station)
    if kept is None or kept["in_force"] == from_file:
        return KeptStation(station, from_file, Origin.FILE)
    if kept["file"] != from_file:
        return KeptStation(station, from_file, Origin.FILE_CHANGED)
    return KeptStation(_parsed(station.station_id, kept["in_force"]), from_file, Origin.CHANGED)


def _parsed(station_id: str, document: Document) -> Station:
    return parse_station(document, f"station {station_id} as kept in the database")


def _require_one_station_each(stations: Sequence[Station]) -> None:
    """A charger in two stations: one in a file, say, the other added at run time."""
    owners: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for station in stations:
        for charger in station.chargers:
            owner = owners.setdefault(charger.charger_id, station.station_id)
            if owner != station.station_id:
                place = f"station {station.station_id}"
                problems.append((place, f"charger {charger.charger_id} is also in station {owner}"))
    if problems:
        raise ConfigError("the stations in files and database", problems)
