"""Secrets taken out of text before anybody keeps it: frames, request targets, log records.

Security white paper A01.FR.09: a key is never in a log. AuthorizationKey goes over the wire in
ChangeConfiguration, and careless chargers tell it in GetConfiguration; upload addresses carry the
password of their user.
"""

from __future__ import annotations

import json
import re
from typing import Any

HIDDEN = "***"

_NAMED = r"authori[sz]ation(?:key|$)|passw\w*|passphrase|secret"
_SECRET_NAME = re.compile(_NAMED, re.IGNORECASE)
# Most frames have none of these, and are looked at no further. Names may be written in escapes.
_HINTS = ("authorization", "authorisation", "passw", "passphrase", "secret", "\\u00")
_USER_PART = re.compile(r"(://[^/\s:@\"'\\]*+:)[^@/\s\"'\\]++@")


def is_secret_name(name: str) -> bool:
    """Whether the value of what is called so is nobody's business."""
    return _SECRET_NAME.search(name) is not None


def without_keys(value: Any) -> Any:
    """The same for prose, in which only what names an AuthorizationKey is taken for a secret."""
    named = isinstance(value, str) and "authorizationkey" in value.casefold()
    return redacted(value) if named else value


def redacted(text: str) -> str:
    """The text, with the values of secret keys and the passwords in addresses hidden."""
    if "://" in text and "@" in text:
        text = _USER_PART.sub(rf"\1{HIDDEN}@", text)
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return text
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return _cut(text)
    return json.dumps(_hidden(value), separators=(",", ":")) if _tells(value) else text


def _cut(text: str) -> str:
    """The text up to where it names a secret: what follows cannot be read, so may be one."""
    found = _SECRET_NAME.search(text)
    return text if found is None else text[: found.end()] + HIDDEN


def _tells(value: Any) -> bool:
    """Whether something in it is to be hidden."""
    if isinstance(value, dict):
        return any(
            _named(name, value) or is_secret_name(name) or _tells(part)
            for name, part in value.items()
        )
    return isinstance(value, list) and any(_tells(part) for part in value)


def _hidden(value: Any) -> Any:
    """The same value, secrets hidden."""
    if isinstance(value, dict):
        return {
            name: HIDDEN
            if part is not None and (_named(name, value) or is_secret_name(name))
            else _hidden(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_hidden(part) for part in value]
    return value


def _named(name: str, entry: dict[str, Any]) -> bool:
    """Whether this is the `value` of a configuration key that is a secret (OCPP 1.6 §7.29)."""
    key = entry.get("key")
    return name.casefold() == "value" and isinstance(key, str) and is_secret_name(key)
