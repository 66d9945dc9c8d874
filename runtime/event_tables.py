"""Tables of events in Arrow: the type of each field, and rows as the JSON that travels on Kafka.

Needs pyarrow, which the scorer does without: it imports this module where an event file is read.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.fields import FIELD, FieldType

TIME: Final = pa.timestamp("us", tz="UTC")
ROWS: Final = 20_000
"""Rows rendered at a time."""

_TYPES: Final = {
    FieldType.TIME: TIME,
    FieldType.AMOUNT: pa.int64(),
    FieldType.FLAG: pa.bool_(),
    FieldType.COUNT: pa.int32(),
}
_NEEDS_ESCAPE: Final = r'["\\\x00-\x1f]'


def column_type(name: str) -> pa.DataType:
    """The type of a field's column: `amount` counts minor units, `attributes` is JSON as text; text for any other."""
    return _TYPES.get(FIELD[name].type, pa.string()) if name in FIELD else pa.string()


def to_json(table: pa.Table, *, json_column: str | None = "attributes") -> Iterator[bytes]:
    """Each row as one JSON object, a column at a time.

    Args:
        table: columns are fields of a message; absent values are left out, times without a zone are UTC.
        json_column: the column whose text is JSON already and stands as it is.
    """
    for batch in table.to_batches(max_chunksize=ROWS):
        if batch.num_rows:
            yield from _objects(batch, json_column)


def _objects(batch: pa.RecordBatch, json_column: str | None) -> list[bytes]:
    parts: list[pa.Array | str] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count == len(column):
            continue
        key = f",{msgspec.json.encode(name).decode()}:"
        text = _rendered(column, is_json=name == json_column)
        if column.null_count:
            parts.append(pc.fill_null(pc.binary_join_element_wise(key, text, ""), ""))
        else:
            parts += [key, text]
    if not parts:
        return [b"{}"] * len(batch)
    body = pc.binary_join_element_wise(*parts, "}", "").cast(pa.binary())
    return [b"{" + line.removeprefix(b",") for line in body.to_pylist()]


def _rendered(column: pa.Array, *, is_json: bool) -> pa.Array:
    """A column as JSON values; nulls stay null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if _casts_to_json(column):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        utc = column.cast(pa.timestamp("us"), safe=False).cast(pa.string())
        return _quoted(pc.binary_join_element_wise(pc.replace_substring(utc, " ", "T"), "Z", ""))
    if not pa.types.is_string(kind) and not pa.types.is_large_string(kind):
        return _each(column, lambda value: msgspec.json.encode(value).decode())
    text = column.cast(pa.string())
    if is_json:
        return pc.if_else(pc.equal(text, ""), '""', text)
    if pc.any(pc.match_substring_regex(text, _NEEDS_ESCAPE)).as_py():
        return _each(text, lambda value: msgspec.json.encode(value).decode())
    return _quoted(text)


def _casts_to_json(column: pa.Array) -> bool:
    """Whether Arrow's own text is JSON; of floats it is the shortest that reads back alike."""
    if pa.types.is_floating(column.type):
        return bool(pc.all(pc.is_finite(column), min_count=0).as_py())
    return bool(pa.types.is_boolean(column.type) or pa.types.is_integer(column.type))


def _quoted(column: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', column, '"', "")


def _each(column: pa.Array, encode: Callable[[object], str]) -> pa.Array:
    return pa.array([None if value is None else encode(value) for value in column.to_pylist()], pa.string())
