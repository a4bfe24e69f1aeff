from __future__ import annotations

import ast
import re
from pathlib import Path

import csms.errors
from csms.errors import ConfigError, ConfigurationRefusedError, CsmsError, ProtocolError


def test_a_configuration_error_names_every_field_and_what_is_wrong_with_it() -> None:
    error = ConfigError(
        "site.json", [("chargers.0.maxPower", "must be above 0 (got -1)"), ("", "is empty")]
    )
    assert str(error) == (
        "site.json: the configuration cannot be used\n"
        "  chargers.0.maxPower: must be above 0 (got -1)\n"
        "  is empty"
    )
    assert error.origin == "site.json"
    assert error.problems == (
        ("chargers.0.maxPower", "must be above 0 (got -1)"),
        ("", "is empty"),
    )


def test_a_refused_configuration_lists_every_reason() -> None:
    error = ConfigurationRefusedError(["CP1 is in use", "the fallbacks sum to 12 kW"])
    assert error.reasons == ("CP1 is in use", "the fallbacks sum to 12 kW")
    assert str(error) == "CP1 is in use; the fallbacks sum to 12 kW"


def test_a_protocol_error_knows_its_code() -> None:
    error = ProtocolError("NotImplemented", "Frobnicate")
    assert (error.code, error.description) == ("NotImplemented", "Frobnicate")
    assert str(error) == "NotImplemented: Frobnicate"


def test_a_protocol_error_needs_no_description() -> None:
    error = ProtocolError("InternalError")
    assert (error.description, str(error)) == ("", "InternalError")


def test_the_drawing_shows_the_tree_as_it_is() -> None:
    drawn = re.findall(r"^([\s│├└─]*)(\w+Error)\b", csms.errors.__doc__ or "", re.MULTILINE)
    depths = [(name, len(re.findall(r"[│├└]", branch))) for branch, name in drawn]
    above: list[str] = []
    parents: dict[str, str] = {}
    for name, depth in depths:
        above = [*above[:depth], name]
        parents[name] = above[depth - 1] if depth else "Exception"
    source = Path(csms.errors.__file__).read_text(encoding="utf-8")
    classes = [n for n in ast.parse(source).body if isinstance(n, ast.ClassDef)]
    assert parents == {c.name: ast.unparse(c.bases[0]) for c in classes}
    assert CsmsError.__base__ is Exception
