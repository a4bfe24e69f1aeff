from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint, insert, select
from sqlalchemy.exc import IntegrityError

from csms.storage.tables import WireText, chargers, limits, metadata
from tests.unit.csms.storage.databases import connected


def test_the_tables() -> None:
    assert sorted(metadata.tables) == [
        "capabilities",
        "charger_reports",
        "chargers",
        "convictions",
        "credentials",
        "frames",
        "grid_limits",
        "id_tokens",
        "limits",
        "local_lists",
        "meter_samples",
        "model_capabilities",
        "probes",
        "quarantine",
        "reservations",
        "security_events",
        "sessions",
        "stations",
    ]


def test_every_constraint_and_index_has_a_name() -> None:
    nameless = [
        (table.name, thing)
        for table in metadata.tables.values()
        for thing in (*table.constraints, *table.indexes)
        if getattr(thing, "name", None) is None
    ]
    assert nameless == []


def test_checks_are_named_after_what_they_check() -> None:
    checks = {c.name for c in limits.constraints if isinstance(c, CheckConstraint)}
    assert checks == {"ck_limits_value_w"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("plain", "plain"),
        ("ünïcode \U0001f50c", "ünïcode \U0001f50c"),
        ("", ""),
        ("a\0b", "a\ufffdb"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("\0\udfff", "\ufffd?"),
        ("'; DROP TABLE chargers; --", "'; DROP TABLE chargers; --"),
    ],
)
def test_no_character_costs_a_row(sent: str, kept: str) -> None:
    row = {"charger_id": "CP1", "model": "", "serial": "", "firmware": "", "accepted": True}
    with connected() as connection:
        connection.execute(insert(chargers), {**row, "vendor": sent})
        assert connection.execute(select(chargers.c.vendor)).scalar_one() == kept


def test_wire_text_may_be_missing() -> None:
    with connected() as connection:
        assert WireText().process_bind_param(None, connection.dialect) is None


def test_a_limit_below_zero_is_refused() -> None:
    row = {
        "station_id": "site",
        "token": 1,
        "charger_id": "CP1",
        "connector_id": 1,
        "scope": "default",
        "source": "grid",
        "state": "sent",
        "sent_at": 0.0,
    }
    with connected() as connection:
        connection.execute(insert(limits), {**row, "value_w": 0})
        with pytest.raises(IntegrityError, match="ck_limits_value_w"):
            connection.execute(insert(limits), {**row, "token": 2, "value_w": -1})
