"""Tables of events as the JSON that travels on Kafka, built a column at a time by Arrow."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

ROWS: Final = 20_000
"""Rows rendered at a time."""

_NEEDS_ESCAPE: Final = r'["\\\x00-\x1f]'


def events_to_json(table: pa.Table) -> Iterator[bytes]:
    """Each event as one JSON object; absent fields are left out.

    Args:
        table: columns are wire fields; `attributes` holds JSON, `amount` integers in minor units.
    """
    return _to_json(table, raw=("attributes",))


def labels_to_json(table: pa.Table) -> Iterator[bytes]:
    """Each label as one JSON object."""
    return _to_json(table, raw=())


def _to_json(table: pa.Table, *, raw: tuple[str, ...]) -> Iterator[bytes]:
    for batch in table.to_batches(max_chunksize=ROWS):
        if batch.num_rows:
            yield from _lines(batch, raw)


def _lines(batch: pa.RecordBatch, raw: tuple[str, ...]) -> list[bytes]:
    parts: list[pa.Array | str] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count == len(column):
            continue
        text = column if name in raw else _rendered(column)
        if column.null_count:
            parts.append(pc.fill_null(pc.binary_join_element_wise(f',"{name}":', text, ""), ""))
        else:
            parts += [f',"{name}":', text]
    body = pc.binary_join_element_wise(*parts, "}", "").cast(pa.binary())
    return [b"{" + line[1:] for line in body.to_pylist()]


def _rendered(column: pa.Array) -> pa.Array:
    """A column as JSON values; nulls stay null."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        utc = column.cast(pa.timestamp("us")).cast(pa.string())
        return _quoted(pc.binary_join_element_wise(pc.replace_substring(utc, " ", "T"), "Z", ""))
    if pa.types.is_floating(kind):
        return _each(column, lambda value: msgspec.json.encode(value).decode())
    if pc.any(pc.match_substring_regex(column, _NEEDS_ESCAPE)).as_py():
        return _each(column, lambda value: msgspec.json.encode(value).decode())
    return _quoted(column)


def _quoted(column: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', column, '"', "")


def _each(column: pa.Array, encode: Callable[[object], str]) -> pa.Array:
    return pa.array([None if value is None else encode(value) for value in column.to_pylist()], pa.string())
