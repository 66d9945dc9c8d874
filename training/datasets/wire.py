"""Rows of event files as the JSON that goes over the wire."""

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fraud.events import SCHEMA_VERSION
from training.datasets.schema import EVENTS, TIMES, conform


def to_wire(events: pa.Table) -> list[bytes]:
    """One JSON object per row of an event table; absent values are left out.

    Args:
        events: rows of `training.datasets.schema.EVENTS`; columns may be missing.
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
    if "attributes" in columns:
        columns["attributes"] = [v and msgspec.Raw(str(v).encode()) for v in columns["attributes"]]
    names = list(columns)
    encode = msgspec.json.Encoder().encode
    return [
        encode(
            {"schema_version": SCHEMA_VERSION}
            | {name: value for name, value in zip(names, row, strict=True) if value is not None}
        )
        for row in zip(*columns.values(), strict=True)
    ]
