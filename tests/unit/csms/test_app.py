"""The composition root."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from csms.app import (
    door_settings,
    highest_profile,
    running,
    server_settings,
    signer,
    supervisor_settings,
    vitals_policy,
)
from csms.config import Config
from csms.control.attempts import AttemptLimits
from csms.control.boots import BootPolicy
from csms.control.clock import SystemClock
from csms.control.doorkeeper import DoorSettings
from csms.control.reconnects import ReconnectLimits
from csms.control.supervisor import UnknownChargers
from csms.errors import ConfigError, StorageError
from csms.ports import Credential, SecurityProfile, TokenStatus
from csms.protocol.arrivals import ArrivalPolicy
from csms.protocol.pace import PacePolicy
from csms.station.document import parse_station
from csms.storage import MemoryStore
from tests.unit.csms.protocol.authorities import development

STATION = parse_station(
    {
        "stationId": "S1",
        "gridCapacity": 400,
        "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],
    },
    "test",
)


def config(**changes: Any) -> Config:
    return Config(**{"ocpp_port": 0, "api_port": 0, "reserve_mb": 0, **changes})


def test_settings_reach_the_stations() -> None:
    settings = supervisor_settings(
        config(
            default_station="S1",
            remote_start_timeout_s=7.0,
            heartbeat_interval_s=60,
            handshakes_per_s=50.0,
            handshakes_burst=90,
            unknown_id_tokens="reject",
            id_tokens=["CARD"],
            meter_interval_s=200,
            raise_spacing_s=11.0,
            dead_band_w=500,
            grace_s=12.0,
            registration_grace_s=13.0,
            lease_s=120.0,
            clock_skew_s=30.0,
        )
    )
    assert settings.default_station == "S1"
    assert settings.unknown_chargers is None
    assert settings.remote_timeout_s == 7.0
    assert settings.recorder.heartbeat_interval_s == 60
    assert settings.recorder.boots == BootPolicy(50.0, 90.0)
    assert settings.recorder.accept_unknown_tokens is False
    assert settings.recorder.id_tokens == {"CARD"}
    assert settings.loop.registration.meter_interval_s == 200
    assert settings.loop.dispatch.dead_band_w == 500
    assert settings.loop.dispatch.raise_spacing_s == 11.0
    assert settings.loop.dispatch.registration_grace_s == 13.0
    assert settings.loop.dispatch.lease_s == 120.0
    assert settings.loop.dispatch.clock_skew_s == 30.0
    assert settings.demand.dead_band_w == 500
    assert settings.demand.raise_spacing_s == 11.0
    assert settings.demand.grace_s == 12.0


@pytest.mark.parametrize(("interval_s", "stale_s"), [(10, 300.0), (200, 600.0)])
def test_a_reading_outlives_a_few_meter_intervals(interval_s: int, stale_s: float) -> None:
    assert supervisor_settings(config(meter_interval_s=interval_s)).demand.stale_s == stale_s


def test_unknown_chargers_get_what_the_settings_say() -> None:
    settings = supervisor_settings(
        config(
            unknown_chargers="accept",
            unknown_charger_max_power_kw=7.4,
            unknown_charger_connectors=2,
        )
    )
    assert settings.unknown_chargers == UnknownChargers(7_400, 2)


@pytest.mark.parametrize(
    ("host", "word", "anonymous"),
    [
        ("127.0.0.1", "loopback", True),
        ("::1", "accept", True),
        ("127.0.0.1", "refuse", False),
        ("0.0.0.0", "loopback", False),  # noqa: S104
        ("10.0.0.1", "loopback", False),
        ("10.0.0.1", "accept", True),
    ],
)
def test_chargers_without_proof_come_in_only_where_it_was_said(
    host: str, word: str, *, anonymous: bool
) -> None:
    settings = door_settings(
        config(
            ocpp_host=host,
            anonymous_chargers=word,
            tls_client_organisation="ACME",
            failures_per_source_per_min=30,
            failures_per_charger_per_min=3,
            reconnects_per_min=5,
            reconnects_per_h=50,
        )
    )
    assert settings == DoorSettings(
        anonymous, "ACME", AttemptLimits(30, 3), ReconnectLimits(per_min=5, per_h=50)
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8"])  # noqa: S104
def test_chargers_without_proof_never_come_in_from_everywhere(host: str) -> None:
    with pytest.raises(ConfigError, match="anonymous_chargers"):
        door_settings(config(ocpp_host=host, anonymous_chargers="accept"))


async def test_keys_without_their_secret_are_an_error_at_the_start(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.save_credential(Credential("CP001", key="ab"))
    settings = config(key_secret_file=str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="the keys of 1 chargers"):
        async with running(settings, [STATION], store=store):
            pass


@pytest.mark.parametrize(
    ("settings", "highest"),
    [
        ({}, SecurityProfile.BASIC),
        ({"ocpp_transport": "tls"}, SecurityProfile.TLS_BASIC),
        ({"ocpp_transport": "both"}, SecurityProfile.TLS_BASIC),
        (
            {"ocpp_transport": "tls", "tls_client_ca_file": Path("ca.pem")},
            SecurityProfile.MUTUAL_TLS,
        ),
    ],
)
def test_a_profile_needs_what_the_server_offers(
    settings: dict[str, Any], highest: SecurityProfile
) -> None:
    assert highest_profile(Config.model_construct(**settings)) is highest


def test_without_its_key_the_ca_signs_nothing(tmp_path: Path) -> None:
    assert signer(config()) is None
    assert signer(config(tls_client_ca_file=str(tmp_path / "ca.pem"))) is None


def test_a_ca_key_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    files = {"tls_client_ca_file": str(tmp_path), "tls_client_ca_key_file": str(tmp_path / "gone")}
    with pytest.raises(ConfigError, match="tls_client_ca_key_file"):
        signer(config(**files))


@pytest.mark.parametrize(
    ("transport", "old", "served"),
    [
        ("plain", None, (True, False, False)),
        ("plain", 0, (True, False, True)),
        ("tls", 0, (False, True, True)),
        ("both", None, (True, True, False)),
    ],
)
def test_what_is_served_is_what_the_settings_say(
    tmp_path: Path, transport: str, old: int | None, served: tuple[bool, bool, bool]
) -> None:
    folder = development(tmp_path)
    settings = server_settings(
        config(
            ocpp_transport=transport,
            ocpp_old_tls_port=old,
            tls_certificate_files=[str(folder / "server_rsa.pem")],
            tls_key_files=[str(folder / "server_rsa.key")],
        )
    )
    ports = (settings.port, settings.tls_port, settings.old_tls_port)
    assert tuple(port is not None for port in ports) == served
    assert (settings.tls is not None, settings.old_tls is not None) == served[1:]


def test_settings_reach_the_server() -> None:
    settings = server_settings(
        config(
            ocpp_host="::1",
            ocpp_port=9001,
            max_frame_bytes=5_000,
            max_connections=70,
            write_buffer_bytes=20_000,
            charger_messages_per_s=3.0,
            charger_messages_burst=7,
            charger_bytes_per_s=300_000,
            calls_waiting=4,
            unkept_close_s=7.0,
            handshakes_per_s=50.0,
            handshakes_burst=90,
            handshakes_open=33,
            slow_handshakes_per_source=4,
            drain_work_s=6.0,
            drain_close_s=60.0,
            call_timeout_s=3.0,
            boot_quiet_s=0.5,
            no_boot_wait_s=4.0,
            ping_interval_s=9.0,
            idle_timeout_s=1_000.0,
        )
    )
    assert (settings.host, settings.port) == ("::1", 9001)
    assert settings.max_frame_bytes == 5_000
    assert settings.max_connections == 70
    assert settings.wire.write_buffer_bytes == 20_000
    assert settings.connection.pace == PacePolicy(3.0, 7, 300_000, 300_000)
    assert settings.connection.outward_calls == 4
    assert settings.connection.unkept_close_s == 7.0
    assert settings.arrivals == ArrivalPolicy(50.0, 90.0, opening=33, slow_per_source=4)
    assert (settings.drain.work_s, settings.drain.close_s) == (6.0, 60.0)
    assert settings.connection.max_frame_chars == 5_000
    assert settings.connection.call_timeout_s == 3.0
    assert settings.connection.boot_quiet_s == 0.5
    assert settings.connection.no_boot_wait_s == 4.0
    assert settings.connection.liveness.ping_interval_s == 9.0
    assert settings.connection.liveness.idle_timeout_s == 1_000.0


def test_memory_is_counted_by_connections() -> None:
    assert vitals_policy(config(), 1_000).memory_bytes == 200_000_000 + 32_768_000
    secured = config(
        ocpp_transport="both", tls_certificate_files=["a"], tls_key_files=["b"], memory_mb=100
    )
    assert vitals_policy(secured, 1_000).memory_bytes == 100_000_000 + 327_680_000
    assert vitals_policy(config(memory_mb=0), 1_000).memory_bytes == 0


async def test_everything_runs_inside_the_block_and_nothing_after_it() -> None:
    store = MemoryStore()
    async with running(config(id_tokens=["CARD"]), [STATION], store=store) as app:
        assert app.ocpp_url.startswith("ws://127.0.0.1:")
        async with httpx.AsyncClient(base_url=app.api_url, trust_env=False) as client:
            assert (await client.get("/health")).json()["status"] == "ok"
            assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}
            status = (await client.get("/station/status")).json()
    assert (status["stationId"], status["available"]) == ("S1", 400.0)
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{app.api_url}/health")


async def test_an_error_inside_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with running(config(), [STATION], store=MemoryStore()):
            raise LookupError("mine")


async def test_a_database_url_is_used(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'csms.db'}"
    before = SystemClock().now()
    async with running(config(database_url=url, reserve_mb=1), [STATION]) as app:
        assert await app.store.load_stations() != {}
    assert (tmp_path / "csms.db-reserve").stat().st_size == 1_000_000
    with contextlib.closing(sqlite3.connect(tmp_path / "csms.db")) as database:
        ((changed_at,),) = database.execute("SELECT updated_at FROM stations").fetchall()
    assert before <= changed_at <= SystemClock().now()


async def test_a_token_taken_out_of_the_settings_may_not_charge_any_more(tmp_path: Path) -> None:
    settings = config(database_url=f"sqlite:///{tmp_path / 'csms.db'}", unknown_id_tokens="reject")
    for listed, status in ((["CARD"], TokenStatus.ACCEPTED), ([], TokenStatus.INVALID)):
        changed = settings.model_copy(update={"id_tokens": listed})
        async with running(changed, [STATION]) as app:
            token = await app.supervisor.recorder.authorize("CP001", "card")
            assert token.status is status


async def test_a_database_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'missing' / 'csms.db'}"
    with pytest.raises(StorageError):
        async with running(config(database_url=url), [STATION]):
            pytest.fail("it runs")


@pytest.mark.parametrize("setting", ["ocpp_port", "api_port"])
async def test_a_port_that_is_taken_is_named(setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            async with running(config(**{setting: port}), [STATION], store=MemoryStore()):
                pytest.fail("it runs")
    assert [path for path, _ in caught.value.problems] == [setting]
    assert str(port) in caught.value.problems[0][1]


async def test_of_several_ports_the_taken_one_is_named(tmp_path: Path) -> None:
    made = development(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = config(
            ocpp_old_tls_port=taken.getsockname()[1],
            tls_certificate_files=[str(made / "server_rsa.pem")],
            tls_key_files=[str(made / "server_rsa.key")],
        )
        with pytest.raises(ConfigError) as caught:
            async with running(settings, [STATION], store=MemoryStore()):
                pytest.fail("it runs")
    assert [path for path, _ in caught.value.problems] == ["ocpp_old_tls_port"]


@pytest.mark.parametrize("setting", ["ocpp_host", "api_host"])
@pytest.mark.parametrize("host", ["256.0.0.1", "192.0.2.1"])
async def test_an_address_that_is_none_of_this_machine_is_named(setting: str, host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with running(config(**{setting: host}), [STATION], store=MemoryStore()):
            pytest.fail("it runs")
    assert [path for path, _ in caught.value.problems] == [setting]


async def test_ipv6_addresses_are_bracketed_in_urls() -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        except OSError:
            pytest.skip("this machine has no IPv6")
    settings = config(ocpp_host="::1", api_host="::1")
    async with running(settings, [STATION], store=MemoryStore()) as app:
        assert app.api_url.startswith("http://[::1]:")
        async with httpx.AsyncClient(base_url=app.api_url, trust_env=False) as client:
            assert (await client.get("/health")).status_code == 200


async def test_it_stops_while_somebody_keeps_a_connection_open() -> None:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        async with asyncio.timeout(60):
            async with running(config(), [STATION], store=MemoryStore()) as app:
                assert (await client.get(f"{app.api_url}/health")).status_code == 200
