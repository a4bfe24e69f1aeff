"""Settings: file, environment, stations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from csms.config import NO_STATIONS, SAY_WHERE, Config, load, load_stations, settings_table
from csms.errors import ConfigError

STATION: dict[str, Any] = {
    "stationId": "S1",
    "gridCapacity": 400,
    "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],
}


def write(path: Path, content: str | dict[str, Any]) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path | None, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return caught.value


def refused_stations(config: Config) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_stations(config)
    return caught.value


# ------------------------------------------------------------------ the settings file


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path / "csms.toml", ""), {})
    assert config == Config(stations=tmp_path / "stations")
    assert (config.ocpp_host, config.ocpp_port, config.api_port) == ("127.0.0.1", 9000, 8080)


def test_values_of_the_file_are_taken(tmp_path: Path) -> None:
    text = 'ocpp_port = 9001\ncall_timeout_s = 20\nid_tokens = ["A", "B"]\nstations = "s.json"\n'
    config = load(write(tmp_path / "csms.toml", text), {})
    assert (config.ocpp_port, config.call_timeout_s, config.id_tokens) == (9001, 20.0, ["A", "B"])
    assert config.stations == tmp_path / "s.json"


def test_an_absolute_path_of_stations_stays(tmp_path: Path) -> None:
    config = load(write(tmp_path / "csms.toml", 'stations = "/data/stations"'), {})
    assert config.stations == Path("/data/stations")


def test_files_of_certificates_are_meant_from_the_settings_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "csms.toml",
        'ocpp_transport = "both"\ntls_certificate_files = ["rsa.pem", "/etc/ec.pem"]\n'
        'tls_key_files = ["rsa.key", "ec.key"]\ntls_client_ca_file = "ca.pem"\n'
        'tls_client_ca_key_file = "ca.key"\n'
        'key_secret_file = "here"\n',
    )
    config = load(path, {"CSMS_TLS_KEY_FILES": "a.key,b.key"})
    assert config.tls_certificate_files == [tmp_path / "rsa.pem", Path("/etc/ec.pem")]
    assert config.tls_key_files == [Path("a.key"), Path("b.key")]
    assert config.tls_client_ca_file == tmp_path / "ca.pem"
    assert config.tls_client_ca_key_file == tmp_path / "ca.key"
    assert config.key_secret_file == Path("here")


def test_tls_needs_certificates_and_each_its_key(tmp_path: Path) -> None:
    nothing = refused(write(tmp_path / "csms.toml", 'ocpp_transport = "tls"'))
    assert "ocpp_transport is tls, but there are no tls_certificate_files" in str(nothing)
    old = refused(write(tmp_path / "csms.toml", "ocpp_old_tls_port = 9444"))
    assert "ocpp_old_tls_port is 9444, but there are no tls_certificate_files" in str(old)
    alone = refused(write(tmp_path / "csms.toml", 'tls_certificate_files = ["a.pem"]'))
    assert "there are 1 tls_certificate_files, but 0 tls_key_files" in str(alone)
    key = refused(write(tmp_path / "csms.toml", 'tls_client_ca_key_file = "ca.key"'))
    assert "there is a tls_client_ca_key_file, but no tls_client_ca_file" in str(key)


@pytest.mark.parametrize("text", ["9444", " 9444"])
def test_a_number_that_may_be_missing_is_read_from_the_environment(text: str) -> None:
    files = {"CSMS_TLS_CERTIFICATE_FILES": "a.pem", "CSMS_TLS_KEY_FILES": "a.key"}
    assert load(None, {"CSMS_OCPP_OLD_TLS_PORT": text, **files}).ocpp_old_tls_port == 9_444
    assert load(None, files).ocpp_old_tls_port is None
    with pytest.raises(ConfigError, match=r"CSMS_OCPP_OLD_TLS_PORT.*65535.*got 70000"):
        load(None, {"CSMS_OCPP_OLD_TLS_PORT": "70000", **files})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().ocpp_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("ocpp_prot = 9001", "ocpp_prot", "9001"),
        ("ocpp_port = 65536", "ocpp_port", "65536"),
        ("ocpp_port = -1", "ocpp_port", "-1"),
        ("ocpp_port = true", "ocpp_port", "True"),
        ('ocpp_port = "9000"', "ocpp_port", "'9000'"),
        ("ocpp_port = 9000.5", "ocpp_port", "9000.5"),
        ("call_timeout_s = nan", "call_timeout_s", "nan"),
        ("call_timeout_s = 0.5", "call_timeout_s", "0.5"),
        ("lease_s = 29", "lease_s", "29"),
        ("clock_skew_s = 0", "clock_skew_s", "0"),
        ('unknown_chargers = "maybe"', "unknown_chargers", "'maybe'"),
        ('id_tokens = ["A", "123456789012345678901"]', "id_tokens[1]", "'1234567890"),
        ("id_tokens = [7]", "id_tokens[0]", "7"),
        ('file_hosts = ["a.example", "https://b"]', "file_hosts[1]", "'https://b'"),
        ('database_url = ""', "database_url", "''"),
        ("stations = 7", "stations", "7"),
        ('log_format = "xml"', "log_format", "'xml'"),
        ("[server]\nport = 1", "server", "{'port': 1}"),
    ],
)
def test_a_bad_setting_is_named_with_its_value(
    tmp_path: Path, text: str, path: str, value: str
) -> None:
    error = refused(write(tmp_path / "csms.toml", text))
    assert [place for place, _ in error.problems] == [path]
    assert value in error.problems[0][1]
    assert str(tmp_path / "csms.toml") in str(error)


def test_an_idle_timeout_shorter_than_three_heartbeats_is_refused(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "csms.toml", "heartbeat_interval_s = 600"))
    assert error.problems == (
        (
            "",
            "idle_timeout_s is 900, but must be at least 1800: 3 times heartbeat_interval_s",
        ),
    )


def test_a_lease_that_a_wrong_clock_ends_before_it_is_renewed_is_refused(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "csms.toml", "lease_s = 100"))
    assert error.problems == (
        ("", "clock_skew_s is 60, but must be at most half of lease_s, which is 100"),
    )
    kept = load(write(tmp_path / "csms.toml", "lease_s = 30\nclock_skew_s = 15"), {})
    assert (kept.lease_s, kept.clock_skew_s) == (30.0, 15.0)


def test_every_bad_setting_is_reported_at_once(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "csms.toml", "ocpp_port = -1\nnonsense = 1"))
    assert [place for place, _ in error.problems] == ["ocpp_port", "nonsense"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ocpp_port 9000", "is not TOML"),
        ("a = " + "[" * 5_000, "is not TOML"),
        ('{"stationId": ', "is not JSON"),
        ('{"a": ' * 5_000, "is not JSON"),
    ],
)
def test_a_file_that_cannot_be_parsed_says_so(tmp_path: Path, text: str, what: str) -> None:
    error = refused(write(tmp_path / "csms.toml", text))
    assert [place for place, _ in error.problems] == [""]
    assert error.problems[0][1].startswith(what)


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    assert "cannot be read" in str(refused(tmp_path / "missing.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in str(refused(tmp_path / "binary.toml"))


# ------------------------------------------------------------------ the environment


def test_the_environment_is_laid_over_the_file(tmp_path: Path) -> None:
    environ = {
        "CSMS_OCPP_PORT": "0",
        "CSMS_CALL_TIMEOUT_S": "12.5",
        "CSMS_UNKNOWN_CHARGERS": "accept",
        "CSMS_ID_TOKENS": "A, B,,C",
        "CSMS_STATIONS": "elsewhere",
        "PATH": "/bin",
    }
    config = load(write(tmp_path / "csms.toml", "ocpp_port = 9001\napi_port = 81"), environ)
    assert (config.ocpp_port, config.api_port, config.call_timeout_s) == (0, 81, 12.5)
    assert (config.unknown_chargers, config.id_tokens) == ("accept", ["A", "B", "C"])
    assert config.stations == Path("elsewhere")


def test_the_environment_alone_is_enough() -> None:
    config = load(None, {"CSMS_STATIONS": "/data/stations", "CSMS_API_HOST": "0.0.0.0"})  # noqa: S104
    assert (config.stations, config.api_host) == (Path("/data/stations"), "0.0.0.0")  # noqa: S104


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CSMS_OCPP_PORT", "nine"),
        ("CSMS_OCPP_PORT", "true"),
        ("CSMS_OCPP_PORT", "99999"),
        ("CSMS_CALL_TIMEOUT_S", "inf"),
        ("CSMS_LOG_LEVEL", "loud"),
        ("CSMS_OCCP_PORT", "9000"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variable: str, text: str) -> None:
    error = refused(None, {variable: text})
    assert [place for place, _ in error.problems] == [variable]
    assert text in error.problems[0][1]
    assert error.origin == "the environment"


def test_a_bad_part_of_a_list_is_named() -> None:
    error = refused(None, {"CSMS_ID_TOKENS": "A," + "B" * 21})
    assert [place for place, _ in error.problems] == ["CSMS_ID_TOKENS[1]"]


def test_variables_that_kubernetes_sets_are_not_settings() -> None:
    environ = {"CSMS_PORT": "tcp://10.0.0.1:80", "CSMS_SERVICE_HOST": "x", "CSMS_PORT_80_TCP": "x"}
    assert load(None, environ) == Config()


# ------------------------------------------------------------------ stations


def test_a_station_file_in_the_place_of_settings_is_the_one_station(tmp_path: Path) -> None:
    path = write(tmp_path / "paris.json", STATION)
    config = load(path, {"CSMS_OCPP_PORT": "0"})
    assert (config.stations, config.ocpp_port, config.api_port) == (path, 0, 8080)
    assert [s.station_id for s in load_stations(config)] == ["S1"]


def test_a_folder_gives_its_stations_by_file_name(tmp_path: Path) -> None:
    other = {"stationId": "S0", "gridCapacity": 10, "chargers": []}
    write(tmp_path / "b.json", other)
    write(tmp_path / "a.json", STATION)
    write(tmp_path / "notes.txt", "not a station")
    stations = load_stations(Config(stations=tmp_path, default_station="S0"))
    assert [s.station_id for s in stations] == ["S1", "S0"]


def test_no_station_is_an_error(tmp_path: Path) -> None:
    error = refused_stations(Config(stations=tmp_path))
    assert error.problems == (("stations", f"the folder has no *.json file: {SAY_WHERE}"),)
    error = refused_stations(Config(stations=tmp_path / "missing"))
    assert error.problems == (("stations", NO_STATIONS),)


def test_a_bad_station_is_named_with_its_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {**STATION, "gridCapacity": "much"})
    error = refused_stations(Config(stations=path))
    assert error.origin == str(path)
    assert error.problems[0][0] == "gridCapacity"
    assert "'much'" in error.problems[0][1]


def test_a_station_that_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {**STATION, "staticLoad": 401})
    assert refused_stations(Config(stations=path)).problems == (
        ("", "static load and reserve are 401.0 kW, more than the grid limit of 400.0 kW"),
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [("[1]", "is not a JSON object"), ("{", "is not JSON"), ('{"a": NaN', "is not JSON")],
)
def test_a_station_file_that_cannot_be_parsed_says_so(tmp_path: Path, text: str, what: str) -> None:
    path = write(tmp_path / "a.json", text)
    assert refused_stations(Config(stations=path)).problems[0][1].startswith(what)


def test_a_station_file_that_is_not_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe")
    assert "cannot be read" in str(refused_stations(Config(stations=tmp_path)))


def test_two_stations_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.json", {**STATION, "chargers": []})
    second = write(tmp_path / "b.json", {**STATION, "chargers": []})
    error = refused_stations(Config(stations=tmp_path))
    assert error.origin == str(second)
    assert error.problems == (("stationId", f"'S1' is also in {tmp_path / 'a.json'}"),)


def test_a_charger_in_two_stations_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.json", STATION)
    write(tmp_path / "b.json", {**STATION, "stationId": "S2"})
    assert refused_stations(Config(stations=tmp_path)).problems == (
        ("chargers[0].id", "'CP001' is also in station S1"),
    )


def test_a_json_file_is_judged_as_json_whatever_is_in_it(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.json", "[1]")).problems == (("", "is not a JSON object"),)
    (problem,) = refused(write(tmp_path / "b.json", "stationId = 1")).problems
    assert problem[1].startswith("is not JSON: ")


def test_a_setting_that_is_misspelt_is_told_how_it_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "csms.toml", "ocpp_prot = 9001")
    assert refused(path).problems == (
        ("ocpp_prot", "is not a known key (value 9001); did you mean ocpp_port?"),
    )


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = '{"stationId": "S1", "gridCapacity": 400, "gridCapacity": 40, "chargers": []}'
    path = write(tmp_path / "a.json", text)
    assert refused_stations(Config(stations=path)).problems == (
        ("", "is not JSON: the key 'gridCapacity' is there twice"),
    )


# ------------------------------------------------------------------ the table


def test_the_table_has_every_setting_with_default_bounds_and_description() -> None:
    rows = {name: rest for name, *rest in settings_table()}
    assert list(rows) == list(Config.model_fields)
    assert rows["ocpp_port"][:2] == ["9000", "≥ 0, ≤ 65535"]
    assert rows["unknown_charger_max_power_kw"][:2] == ["22.0", "> 0, ≤ 100000"]
    assert rows["unknown_chargers"][:2] == ["refuse", "refuse or accept"]
    assert rows["stations"][:2] == ["stations", "path"]
    assert rows["default_station"][:2] == ["none", "text"]
    assert rows["id_tokens"][:2] == ["[]", "list of texts"]
    assert rows["file_hosts"][:2] == ["[]", "list of texts"]
    assert all(description for *_, description in rows.values())
