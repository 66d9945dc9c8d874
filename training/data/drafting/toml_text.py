"""TOML as text, with comments: what `tomllib` reads back as the same values."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Value: TypeAlias = "str | bool | int | float | Sequence[str] | Mapping[str, Value]"

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value(name)


def value(held: Value) -> str:
    """A value; text as a basic string, whose escapes are those of JSON, and of DEL."""
    if isinstance(held, bool):
        return "true" if held else "false"
    if isinstance(held, str):
        return json.dumps(held, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(held, (int, float)):
        return repr(held)
    if isinstance(held, Mapping):
        return "{ " + ", ".join(line(name, part) for name, part in held.items()) + " }"
    return "[" + ", ".join(value(part) for part in held) + "]"


def line(name: str, held: Value, said: str = "") -> str:
    """`name = value`, with a comment where something is to be said."""
    return f"{key(name)} = {value(held)}" + (f"  {comment(said)}" if said else "")


def comment(said: str) -> str:
    """One line of comment, whatever the text holds."""
    return f"# {_CONTROL.sub(' ', said)}".rstrip()
