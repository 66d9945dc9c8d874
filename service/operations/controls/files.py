"""Controls as files that people edit: TOML for rules, conditions and levers, CSV for the values of a list.

[small-amounts]                  # the control's id
version = 3                      # the version that was looked at; absent for a new control
kind = "rule"
status = "shadow"
reason = "card testing since this morning"
valid_until = 2026-01-12T00:00:00Z
when = "amount < 5 and device_cards_1h >= 4"
effect = "block"
"""

import csv
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from fraud.contracts.controls import MAX_VALUES, Condition, Control, ListEntry, PolicyLevers, Rule
from fraud.contracts.inbound import Contract
from fraud.controls.state import one_line
from runtime.errors import Misconfigured

_BODIES: Final[Mapping[object, type[Contract]]] = {
    "rule": Rule,
    "list_entry": ListEntry,
    "condition": Condition,
    "policy": PolicyLevers,
}
_COMMON: Final = ("version", "kind", "status", "reason", "valid_from", "valid_until", "share")


def controls_of(path: Path, *, by: str, now: datetime) -> list[Control]:
    """The controls of a TOML file, each as the version after the one that the file says was looked at.

    Args:
        path: of the file.
        by: who writes them.
        now: wall time.

    Raises:
        Misconfigured: one line that names the file, the control and what is wrong.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: {error}") from None
    if not tables:
        raise Misconfigured(f"{path}: no control; each is a table named by its id, such as [small-amounts]")
    return [_control(path, control_id, table, by=by, now=now) for control_id, table in tables.items()]


def to_toml(control: Control) -> str:
    """A control as `controls_of` reads it; who wrote it, approved it and when stand in a comment."""
    facts = control.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    approved = f", approved by {control.approver}" if control.approver else ""
    lines = [f"# by {control.author}{approved}, {control.written_at.isoformat()}", f"[{_key(control.control_id)}]"]
    held = {name: facts[name] for name in _COMMON if name in facts} | facts[control.kind]
    lines += [f"{name} = {_value(value)}" for name, value in held.items()]
    return "\n".join(lines) + "\n"


def list_entries(
    path: Path, name: str, *, prefix: str, by: str, reason: str, until: datetime | None, now: datetime
) -> list[Control]:
    """The values of a CSV file's first column, without a heading, as live entries of a list.

    Raises:
        Misconfigured: there is none, or one cannot stand in a list.
    """
    with path.open(encoding="utf-8", newline="") as file:
        values = list(dict.fromkeys(row[0].strip() for row in csv.reader(file) if row and row[0].strip()))
    if not values:
        raise Misconfigured(f"{path}: no values; the first column of each line is one")
    shares = [values[first : first + MAX_VALUES] for first in range(0, len(values), MAX_VALUES)]
    facts = {"version": 1, "kind": "list_entry", "status": "live", "author": by, "reason": reason, "written_at": now}
    return [
        _checked(
            f"{path}",
            {
                **facts,
                "control_id": f"{prefix}-{number}",
                "valid_until": until,
                "list_entry": {"list": name, "values": share},
            },
        )
        for number, share in enumerate(shares, 1)
    ]


def list_rows(controls: Mapping[str, Control], name: str) -> Iterator[tuple[str, str, str]]:
    """Value, control and end of validity of each live entry of a list."""
    for control in controls.values():
        entry = control.list_entry
        if entry is not None and entry.list == name and control.status == "live":
            until = control.valid_until.isoformat() if control.valid_until else ""
            yield from ((value, control.name, until) for value in entry.values)


def _control(path: Path, control_id: str, table: object, *, by: str, now: datetime) -> Control:
    where = f"{path}: {control_id}"
    if not isinstance(table, dict):
        raise Misconfigured(f"{where}: must be a table, [{control_id}]")
    kind = table.get("kind")
    if kind not in _BODIES:
        raise Misconfigured(f"{where}: kind must be one of {', '.join(map(str, _BODIES))}")
    body = _BODIES[kind]
    unknown = sorted(table.keys() - {*_COMMON, *body.model_fields})
    if unknown:
        known = ", ".join((*_COMMON, *body.model_fields))
        raise Misconfigured(f"{where}: a {kind} has no {unknown[0]}; it may have {known}")
    seen = table.get("version", 0)
    if not isinstance(seen, int):
        raise Misconfigured(f"{where}: version must be the number of the version that you looked at")
    facts: dict[str, object] = {name: table[name] for name in _COMMON if name in table}
    facts |= {
        "control_id": control_id,
        "version": seen + 1,
        "author": by,
        "written_at": now,
        str(kind): {name: table[name] for name in body.model_fields if name in table},
    }
    return _checked(where, facts)


def _checked(where: str, facts: Mapping[str, object]) -> Control:
    try:
        return Control.model_validate({name: _timed(value) for name, value in facts.items() if value is not None})
    except ValidationError as error:
        raise Misconfigured(f"{where}: {one_line(error)}") from None


def _timed(value: object) -> object:
    """TOML's local times are meant in UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(held)}" for name, held in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else json.dumps(name)
