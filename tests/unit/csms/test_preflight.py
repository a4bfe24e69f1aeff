"""What is looked at before serving."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from csms.config import Config
from csms.control.kept_stations import Origin
from csms.errors import ConfigError
from csms.ports import IdToken
from csms.preflight import preflight, resolved
from csms.station.document import dump_station, parse_station
from csms.station.model import Feeder, Station
from csms.storage import SqlStore
from tests.stations import charger, station
from tests.unit.csms.protocol.authorities import development

SITE = station(charger("A"))


def config(folder: Path, **settings: object) -> Config:
    return Config.model_validate({"database_url": f"sqlite:///{folder}/csms.db", **settings})


def refused(settings: Config, *stations: Station) -> tuple[tuple[str, str], ...]:
    with pytest.raises(ConfigError) as caught:
        preflight(settings, stations or (SITE,))
    return caught.value.problems


def test_what_the_door_and_tls_would_refuse_is_refused(tmp_path: Path) -> None:
    open_to_all = config(tmp_path, ocpp_host="0.0.0.0", anonymous_chargers="accept")  # noqa: S104
    ((setting, what),) = refused(open_to_all)
    assert setting == "anonymous_chargers"
    assert "which anybody may reach" in what
    missing = str(tmp_path / "missing.pem")
    without = config(
        tmp_path, ocpp_transport="tls", tls_certificate_files=[missing], tls_key_files=[missing]
    )
    assert [setting for setting, _ in refused(without)] == ["tls_certificate_files"]


def test_keys_over_a_public_network_are_warned_of(tmp_path: Path) -> None:
    found = preflight(config(tmp_path, ocpp_host="0.0.0.0"), [SITE])  # noqa: S104
    assert len(found.warnings) == 1
    assert "keys of chargers can be read on the way" in found.warnings[0]


OLD = "ocpp_old_tls_port"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("ocpp_port", "ocpp_tls_port"),
        ("ocpp_port", OLD),
        ("ocpp_tls_port", OLD),
        (OLD, "api_port"),
    ],
)
def test_two_listeners_cannot_share_a_port(tmp_path: Path, earlier: str, later: str) -> None:
    same = config(
        tmp_path,
        ocpp_transport="both",
        tls_certificate_files=["a.pem"],
        tls_key_files=["a.key"],
        **{earlier: 9444, later: 9444},
    )
    assert refused(same) == ((later, f"is 9444, as {earlier} is: they cannot be the same"),)


def test_a_port_that_is_not_served_is_no_clash(tmp_path: Path) -> None:
    made = development(tmp_path)
    tls = config(
        tmp_path,
        ocpp_transport="tls",
        ocpp_port=9443,
        tls_certificate_files=[str(made / "server_rsa.pem")],
        tls_key_files=[str(made / "server_rsa.key")],
    )
    assert preflight(tls, [SITE]).warnings == []


def test_old_tls_for_everybody_is_warned_of(tmp_path: Path) -> None:
    made = development(tmp_path)
    old = config(
        tmp_path,
        ocpp_host="0.0.0.0",  # noqa: S104 - nothing listens
        ocpp_transport="tls",
        ocpp_old_tls_port=9444,
        tls_certificate_files=[str(made / "server_rsa.pem")],
        tls_key_files=[str(made / "server_rsa.key")],
    )
    (warning,) = preflight(old, [SITE]).warnings
    assert warning.startswith("ocpp_host is 0.0.0.0 and ocpp_old_tls_port is 9444, where TLS may")


def test_a_new_database_has_nothing_to_say_and_is_not_made(tmp_path: Path) -> None:
    found = preflight(config(tmp_path), [SITE])
    assert [(each.station, each.origin) for each in found.stations] == [(SITE, Origin.FILE)]
    assert found.warnings == []
    assert list(tmp_path.iterdir()) == []


async def test_the_station_in_force_is_shown_and_said_to_differ_from_its_file(
    tmp_path: Path,
) -> None:
    changed = replace(SITE, grid_limit_w=90_000)
    store = SqlStore(f"sqlite:///{tmp_path}/csms.db")
    await store.open()
    document = {"in_force": dump_station(changed), "file": dump_station(SITE)}
    await store.save_station("SITE", document)
    # A server may be running on it.
    found = preflight(config(tmp_path), [SITE])
    await store.close()
    assert [each.station for each in found.stations] == [changed]
    (warning,) = found.warnings
    assert warning.startswith("station SITE is as changed at run time and kept in the database")


async def test_a_token_in_the_database_is_one_that_may_charge(tmp_path: Path) -> None:
    rejecting = config(tmp_path, unknown_id_tokens="reject")
    assert len(preflight(rejecting, [SITE]).warnings) == 1
    listed = config(tmp_path, unknown_id_tokens="reject", id_tokens=["A"])
    assert preflight(listed, [SITE]).warnings == []
    store = SqlStore(f"sqlite:///{tmp_path}/csms.db")
    await store.open()
    await store.save_token(IdToken("CARD"))
    await store.close()
    assert preflight(rejecting, [SITE]).warnings == []


def test_a_feeder_nobody_uses_is_odd(tmp_path: Path) -> None:
    odd = replace(SITE, feeders=(Feeder("F1", 50_000),))
    assert preflight(config(tmp_path), [odd]).warnings == [
        "station SITE: no charger is on feeder F1"
    ]


def test_a_default_station_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused(config(tmp_path, default_station="NOPE")) == (
        ("default_station", "'NOPE' is not one of: SITE"),
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://localhost/csms", "no such kind of database: mysql"),
        ("postgresql+nodriver://localhost/csms", "no driver for"),
        ("sqlite:///no/such/folder/csms.db", "does not exist"),
        ("sqlite://", "names no file"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(tmp_path: Path, url: str, words: str) -> None:
    ((setting, problem),) = refused(config(tmp_path, database_url=url))
    assert setting == "database_url"
    assert words in problem


@pytest.mark.parametrize("setting", ["ocpp_host", "api_host"])
def test_a_host_that_is_none_is_refused(tmp_path: Path, setting: str) -> None:
    ((place, problem),) = refused(config(tmp_path, **{setting: "256.0.0.1"}))
    assert place == setting
    assert "'256.0.0.1' is no address" in problem


@pytest.mark.parametrize(
    ("hosts", "clash"),
    [
        (("127.0.0.1", "127.0.0.1"), True),
        (("0.0.0.0", "127.0.0.1"), True),  # noqa: S104 - nothing listens
        (("127.0.0.1", "127.0.0.2"), False),
    ],
)
def test_equal_ports_are_refused(tmp_path: Path, hosts: tuple[str, str], clash: bool) -> None:
    equal = config(tmp_path, ocpp_port=9000, api_port=9000, ocpp_host=hosts[0], api_host=hosts[1])
    if clash:
        assert refused(equal) == (
            ("api_port", "is 9000, as ocpp_port is: they cannot be the same"),
        )
    else:
        assert preflight(equal, [SITE]).warnings == []


def test_two_free_ports_are_not_equal(tmp_path: Path) -> None:
    assert preflight(config(tmp_path, ocpp_port=0, api_port=0), [SITE]).warnings == []


def test_defaults_are_filled_in() -> None:
    document = {
        "stationId": "S",
        "gridCapacity": 100,
        "chargers": [{"id": "AC1", "maxPower": 22, "connectors": 1, "type": "AC", "fallback": 4.2}],
    }
    assert resolved(parse_station(document, "here")) == [
        "AC1/1: AC, maxPower 22, minPower 4.14, fallback 4.2, unit asked"
    ]
