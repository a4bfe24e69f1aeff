"""The published schemas of answers, read without any of the code under test."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator


@cache
def _validator(action: str) -> Draft4Validator:
    path = files("ocpp.v16").joinpath("schemas", f"{action}Response.json")
    return Draft4Validator(json.loads(path.read_text("utf-8")))


def faults(action: str, reply: dict[str, Any]) -> list[str]:
    """What speaks against this payload as the answer to this action; nothing when it is valid."""
    return [error.message for error in _validator(action).iter_errors(reply)]
