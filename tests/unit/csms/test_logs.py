"""Log records."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from csms import logs

HOSTILE = "a\r\nb\x1b[2J\u202e\ud800"
ESCAPED = "a\\r\\nb\\x1b[2J\\u202e\\ud800"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def test_a_record_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("csms.test").info("booted", vendor=HOSTILE, power_w=7)
    record = json.loads(capsys.readouterr().err)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "booted",
        "vendor": ESCAPED,
        "power_w": 7,
        "level": "info",
        "logger": "csms.test",
    }


def test_a_record_is_one_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    structlog.get_logger("csms.test").warning("booted", vendor=HOSTILE)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "booted" in lines[0]
    assert ESCAPED in lines[0].replace("\\\\", "\\")


def test_records_of_libraries_take_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    logging.getLogger("somebody").error("odd %s", "thing")
    assert json.loads(capsys.readouterr().err)["event"] == "odd thing"


def test_an_exception_is_told_without_variables(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "hunter" + "2"
    for form in ("json", "console"):
        logs.configure("info", form)
        try:
            int(f"not a number, {len(secret)}")
        except ValueError:
            structlog.get_logger("csms.test").exception("failed")
        told = capsys.readouterr().err
        assert "ValueError" in told
        assert secret not in told


@pytest.mark.parametrize(
    ("level", "told"),
    [("debug", ["one", "two"]), ("info", ["two"]), ("warning", []), ("error", [])],
)
def test_less_important_records_are_left_out(
    level: str, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level, "json")
    log = structlog.get_logger("csms.test")
    log.debug("one")
    log.info("two")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == told


def test_configuring_again_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    logs.configure("info", "json")
    structlog.get_logger("csms.test").info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json")
    logging.getLogger("websockets.server").error("handshake failed")
    logging.getLogger("uvicorn.error").info("started")
    assert capsys.readouterr().err == ""


def test_keys_and_passwords_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("csms.test").info(
        "told",
        authorization="Basic Q1Ax",
        frame='[2,"1","X",{"key":"AuthorizationKey","value":"AB"}]',
        note="the secret file is there",
    )
    record = json.loads(capsys.readouterr().err)
    assert record["authorization"] == "***"
    assert record["frame"] == '[2,"1","X",{"key":"AuthorizationKey","value":"***"}]'
    assert record["note"] == "the secret file is there"
