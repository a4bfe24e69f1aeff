"""What is wrong with a document or a setting, and where: in words for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

SHOWN_CHARACTERS = 60
# Only names have a pattern: `csms.station.document.Identity`.
CHARACTERS_IN_WORDS = "A-Z a-z 0-9 * - _ = : + | @ . with single spaces inside"


def shown(value: object) -> str:
    """A value as it may stand in a message: escaped, and cut when it is long."""
    try:
        text = ascii(value)
    except (RecursionError, ValueError):  # ints of thousands of digits, objects nested very deep
        return f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def keys_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, for `json.loads`. Raises ValueError when a key is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {shown(twice)} is there twice")
    return found


KeysAt = Callable[[Sequence[int | str]], Collection[str]]


def problems_of(
    errors: Iterable[Mapping[str, Any]], document: object, keys_at: KeysAt
) -> list[tuple[str, str]]:
    """Pydantic's errors as (place, text that names the value), in their order.

    A place is `chargers[0] (CP001).maxPower`: elements of lists in `document` that have an id are
    named by it. `keys_at` gives the keys known at a path, to suggest the nearest one.
    """
    return [(_place(e["loc"], document), _problem(e, keys_at)) for e in errors]


def _place(path: Sequence[int | str], document: object) -> str:
    text, here = "", document
    for part in path:
        if isinstance(part, int):
            here = here[part] if isinstance(here, list) and part < len(here) else None
            text += f"[{part}]{_named(here)}"
        else:
            here = here.get(part) if isinstance(here, dict) else None
            text += f".{part}" if text else part
    return text


def _named(element: object) -> str:
    name = element.get("id") if isinstance(element, dict) else None
    plain = shown(name).strip("'")
    return "" if name is None else f" ({plain})"


def _problem(error: Mapping[str, Any], keys_at: KeysAt) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        *path, key = error["loc"]
        nearest = _nearest(str(key), keys_at(path))
        meant = f"; did you mean {nearest}?" if nearest else ""
        return f"is not a known key (value {shown(error['input'])}){meant}"
    text = message_of(error)
    if not error["loc"]:  # about the whole: the text says which values
        return text
    return f"{text} (got {shown(error['input'])})"


def message_of(error: Mapping[str, Any]) -> str:
    """What pydantic says is wrong, in words for people."""
    if error["type"] == "string_pattern_mismatch":
        return f"must be of {CHARACTERS_IN_WORDS}"
    return str(error["msg"]).removeprefix("Value error, ")


def _nearest(key: str, known: Collection[str]) -> str:
    """The known key that is most like this one, whatever its case and underscores; or ""."""
    plain = {name.replace("_", "").lower(): name for name in known}
    found = get_close_matches(key.replace("_", "").lower(), plain, n=1)
    return plain[found[0]] if found else ""
