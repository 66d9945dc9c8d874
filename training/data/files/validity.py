"""Rows of event files that break the contract, judged as the service judges them on the wire.

Searches over columns find the rows that may be wrong; only those are written as JSON and read by
`fraud.decoding.validation`.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Final, get_args

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.fields import FIELDS, OPTIONAL_CHOICES, TIMES
from fraud.contracts.inbound import MAX_TEXT, InvalidEvent, Transaction
from fraud.decoding import validation
from fraud.decoding.structs import Attributes
from fraud.timestamps import END_US, FIRST_US
from training.data.files.json_lines import to_wire
from training.data.files.schema import EVENTS, conform

_CHOICES: Final = {
    name: pa.array(get_args(get_args(Transaction.model_fields[name].annotation)[0])) for name in OPTIONAL_CHOICES
}
_CHECKED: Final = {"type", "kind", "currency", "attributes", *_CHOICES}
"""Text columns whose values have a check of their own, here or in `training.data.files.events`."""

_LIMITS: Final = {field.name: field.limits for field in FIELDS if field.limits is not None}
_decode: Final = msgspec.json.Decoder(Attributes).decode


def judged(events: pa.Table) -> pa.Table:
    """A table of `EVENTS` as the service reads it.

    Invalid values of optional fields become null, and `ignored` names them. Rows that are no events are left out.
    """
    table = conform(events, EVENTS).combine_chunks()
    rows = np.flatnonzero(_suspects(table))
    kept = np.ones(len(table), np.bool_)
    ignored: dict[int, tuple[str, ...]] = {}
    attributes: dict[int, str | None] = {}
    for row, raw in zip(rows.tolist(), to_wire(table.take(pa.array(rows))), strict=True):
        try:
            read = validation.contract(validation.read(raw))
        except InvalidEvent:
            kept[row] = False
            continue
        if read.ignored:
            ignored[row] = read.ignored
        if "attributes" in read.ignored:
            held = read.fields.get("attributes")
            attributes[row] = None if held is None else msgspec.json.encode(held).decode()
    for name in sorted({name for names in ignored.values() for name in names}):
        if name == "attributes":
            table = _replaced(table, name, attributes)
        else:
            table = _replaced(table, name, {row: None for row, names in ignored.items() if name in names})
    if ignored:
        table = _replaced(table, "ignored", {row: list(names) for row, names in ignored.items()})
    return table if kept.all() else table.filter(pa.array(kept))


def _suspects(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Rows in which a value may be invalid, bool [n]."""
    marks = [_invalid_attributes(table["attributes"])]
    for field in EVENTS:
        column = table[field.name]
        if field.name in _CHOICES:
            marks.append(pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, value_set=_CHOICES[field.name]))))
        elif (limits := _LIMITS.get(field.name)) is not None:
            marks.append(_outside(column, *limits))
        elif field.name in TIMES:
            marks.append(_outside(column.cast(pa.int64()), FIRST_US, END_US - 1))
        elif field.name == "amount":
            marks.append(pc.less(column, 0))
        elif pa.types.is_string(field.type) and field.name not in _CHECKED:
            marks += [_outside(pc.utf8_length(column), 1, MAX_TEXT), pc.match_substring(column, "\0")]
    suspects: npt.NDArray[np.bool_] = reduce(
        np.logical_or, [pc.fill_null(mark, fill_value=False).to_numpy() for mark in marks]
    )
    return suspects


def _outside(column: pa.ChunkedArray, low: int, high: int) -> pa.ChunkedArray:
    return pc.or_(pc.less(column, low), pc.greater(column, high))


def _invalid_attributes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    found = [text is not None and not _are_valid(text) for text in column.to_pylist()]
    return pa.chunked_array([pa.array(found, pa.bool_())])


def _are_valid(text: str) -> bool:
    try:
        _decode(text)
    except msgspec.DecodeError:
        return False
    return "\\u0000" not in text


def _replaced(table: pa.Table, name: str, values: Mapping[int, object]) -> pa.Table:
    """The table with other values in some rows of a column."""
    mask = np.zeros(len(table), np.bool_)
    mask[list(values)] = True
    rows = np.flatnonzero(mask).tolist()
    field = EVENTS.field(name)
    changed = pa.array([values[row] for row in rows], field.type)
    places = np.where(mask, np.cumsum(mask) - 1 + len(table), np.arange(len(table)))
    column = pa.concat_arrays([table[name].combine_chunks(), changed]).take(pa.array(places))
    return table.set_column(table.schema.get_field_index(name), field, column)
