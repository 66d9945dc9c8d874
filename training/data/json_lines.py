"""Rows of event files as the JSON that goes over the wire."""

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.fields import TIMES
from fraud.contracts.inbound import SCHEMA_VERSION
from training.data.schema import EVENTS, conform


def to_wire(events: pa.Table) -> list[bytes]:
    """One JSON object per row of an event table; absent values are left out, ignored ones are invalid again.

    Args:
        events: rows of `training.data.schema.EVENTS`; columns may be missing.
    """
    table = conform(events, EVENTS)
    columns: dict[str, list[object]] = {}
    for name in table.column_names:
        column = table[name]
        if column.null_count == len(column):
            continue
        if name in TIMES:
            column = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
        columns[name] = column.to_pylist()
    ignored = columns.pop("ignored", [])
    if "attributes" in columns:
        columns["attributes"] = [v and msgspec.Raw(str(v).encode()) for v in columns["attributes"]]
    names = list(columns)
    encode = msgspec.json.Encoder().encode
    rows = [
        {"schema_version": SCHEMA_VERSION}
        | {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*columns.values(), strict=True)
    ]
    for row, fields in zip(rows, ignored, strict=False):
        row.update({name: _invalid(row.get(name)) for name in fields or ()})  # type: ignore[attr-defined]  # a list
    return [encode(row) for row in rows]


def _invalid(held: object) -> object:
    """The empty text, which no optional field may hold; or valid attributes with such a name among them."""
    return {"": 0} | msgspec.json.decode(held) if isinstance(held, msgspec.Raw) else ""
