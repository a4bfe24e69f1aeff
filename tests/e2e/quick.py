"""csms and simulated chargers for tests: what takes a minute at a site takes a second here."""

from __future__ import annotations

from csms.config import Config
from simulators.charge_point.client import ClientSettings

CONFIG = Config(
    ocpp_port=0,
    api_port=0,
    boot_quiet_s=0.0,
    no_boot_wait_s=0.1,
    registration_grace_s=1.0,
    meter_interval_s=1,
    call_timeout_s=1.0,
    call_gap_s=0.0,
    drain_work_s=0.5,
    reserve_mb=0,
    reconnects_per_min=100_000,
    reconnects_per_h=100_000,
)
CLIENT = ClientSettings(
    tick_s=0.02,
    redial_first_s=0.05,
    redial_most_s=0.2,
    boot_retry_s=0.1,
    meter_interval_s=1,
    close_timeout_s=0.2,
)
