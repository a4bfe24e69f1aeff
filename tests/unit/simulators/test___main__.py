from __future__ import annotations

import runpy
import sys

import pytest


def test_the_package_runs_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulators", "scenario"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("simulators", run_name="__main__")
    assert ended.value.code == 0
    assert "ev_takes_less" in capsys.readouterr().out


def test_importing_it_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("simulators.__main__", run_name="not_main")
    assert capsys.readouterr().out == ""
