"""Which document of a station is in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from csms.control.kept_stations import KeptStation, Origin, in_force, require_default
from csms.errors import ConfigError
from csms.station.document import dump_station
from csms.station.model import Station
from tests.stations import charger, station

FILE = station(charger("A"), grid_limit_w=100_000)
CHANGED = replace(FILE, grid_limit_w=90_000)
OTHER = replace(station(charger("B")), station_id="OTHER")


def kept(in_force: Station, file: Station | None) -> dict[str, Any]:
    return {
        "in_force": dump_station(in_force),
        "file": None if file is None else dump_station(file),
    }


@pytest.mark.parametrize(
    ("document", "station_in_force", "origin"),
    [
        (None, FILE, Origin.FILE),
        (kept(FILE, FILE), FILE, Origin.FILE),
        (kept(CHANGED, FILE), CHANGED, Origin.CHANGED),
        (kept(CHANGED, CHANGED), FILE, Origin.FILE_CHANGED),
        (kept(CHANGED, None), FILE, Origin.FILE_CHANGED),
        (kept(FILE, CHANGED), FILE, Origin.FILE),
    ],
)
def test_a_station_with_a_file(
    document: dict[str, Any] | None, station_in_force: Station, origin: Origin
) -> None:
    known = {} if document is None else {"SITE": document}
    assert in_force([FILE], known) == [KeptStation(station_in_force, dump_station(FILE), origin)]


def test_stations_without_a_file_follow_those_that_have_one() -> None:
    gone = kept(replace(OTHER, station_id="GONE"), OTHER)
    stations = in_force([FILE], {"GONE": gone, "OTHER": kept(OTHER, None)})
    assert stations[1:] == [KeptStation(OTHER, None, Origin.ADDED)]
    assert stations[1].document() == kept(OTHER, None)


def test_a_document_that_cannot_be_used_any_more_is_named() -> None:
    with pytest.raises(ConfigError, match="station OTHER as kept in the database"):
        in_force([], {"OTHER": {"in_force": {"stationId": "OTHER"}, "file": None}})


def test_the_default_station_must_be_there() -> None:
    stations = in_force([FILE], {"OTHER": kept(OTHER, None)})
    require_default(None, stations)
    require_default("OTHER", stations)
    with pytest.raises(ConfigError) as caught:
        require_default("NOPE", stations)
    assert str(caught.value) == (
        "the settings: the configuration cannot be used\n"
        "  default_station: 'NOPE' is not one of: SITE, OTHER"
    )
