"""A chunk of a foreign table as events and labels, with what could not be read and why."""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.inbound import InvalidEvent
from fraud.decoding import validation
from training.data.importing import amounts as columns
from training.data.importing.mapping import ROW, FieldSource, LabelSourceColumn, Mapping
from training.data.json_lines import to_wire
from training.data.schema import EVENTS, LABELS, conform


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that became no event: its number in the file (from 0), a slug, and one line."""

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Converted:
    """Events and labels of the rows that were accepted, in the file's order, and the others."""

    events: pa.Table
    labels: pa.Table
    rejects: list[Reject]


def convert(chunk: pa.Table, mapping: Mapping, *, first_row: int) -> Converted:
    """Maps, validates as the service does, and labels the rows of a chunk.

    Invalid values of optional fields stay: who reads the event file ignores them as the service does.

    Args:
        chunk: the source columns that the mapping names.
        mapping: what becomes what.
        first_row: number of the chunk's first row in the file.
    """
    rows = np.arange(first_row, first_row + len(chunk))
    fields = {name: _field(chunk, source, mapping, rows) for name, source in mapping.fields.items()}
    times = columns.as_time(chunk[mapping.time.column], mapping.time, mapping.missing)
    amount = columns.as_number(chunk[mapping.amount.column], mapping.missing)
    minor = columns.as_minor_units(amount, fields["currency"].to_pylist(), major=mapping.amount.unit == "major")
    in_range = np.abs(minor) < 2**62
    fields["event_time"] = pa.array(times, EVENTS.field("event_time").type)
    fields["amount"] = pa.array(np.where(in_range, minor, 0).astype(np.int64), mask=~in_range)
    if mapping.offset:
        fields["tz_offset_min"] = _offset(chunk, mapping)
    if mapping.attributes:
        fields["attributes"] = _attributes(chunk, mapping)
    table = conform(pa.table(fields | {"type": pa.array(["transaction"] * len(chunk), pa.string())}), EVENTS)
    rejects = [
        *_unreadable(rows, times.isna().to_numpy(), f"event_time: column {mapping.time.column} holds no time"),
        *_unreadable(rows, ~in_range, f"amount: column {mapping.amount.column} holds no number"),
    ]
    seen = {reject.row for reject in rejects}
    rejects += [reject for reject in _invalid(table, first_row) if reject.row not in seen]
    keep = ~np.isin(rows, [reject.row for reject in rejects])
    labels = _labels(chunk, table, times, mapping)
    return Converted(
        table.filter(pa.array(keep)),
        labels.filter(pc.is_in(labels["transaction_id"], table["transaction_id"].filter(pa.array(keep)))),
        sorted(rejects, key=lambda reject: reject.row),
    )


def _field(
    chunk: pa.Table, source: FieldSource, mapping: Mapping, rows: npt.NDArray[np.int64]
) -> pa.Array | pa.ChunkedArray:
    if source.constant is not None:
        return pa.array([source.constant] * len(chunk))
    numbers = pa.chunked_array([pa.array(rows).cast(pa.string())])
    texts = [numbers if c == ROW else columns.as_text(chunk[c], mapping.missing) for c in source.columns]
    absent = {"null_handling": "replace", "null_replacement": ""} if source.optional_parts else {}
    text = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "-", **absent)
    if source.values is not None:
        return pa.array([source.values.get(value) for value in text.to_pylist()])
    if source.hashed:
        text = columns.hashed(text)
    return pc.binary_join_element_wise(source.prefix, text, "") if source.prefix else text


def _offset(chunk: pa.Table, mapping: Mapping) -> pa.Array:
    assert mapping.offset is not None  # noqa: S101 - asked by the caller
    local, utc = (
        columns.as_time(chunk[name], mapping.time, mapping.missing)
        for name in (mapping.offset.local, mapping.offset.utc)
    )
    minutes = (local - utc).dt.total_seconds().to_numpy() / 60
    sane = np.isfinite(minutes) & (np.abs(minutes) <= 1440)
    return pa.array(np.where(sane, np.rint(minutes), 0).astype(np.int32), mask=~sane)


def _attributes(chunk: pa.Table, mapping: Mapping) -> pa.Array:
    values: dict[str, list[object]] = {}
    for name, source in mapping.attributes.items():
        column = chunk[source]
        if pa.types.is_string(column.type):
            column = columns.as_text(column, mapping.missing)
            number = pd.to_numeric(column.to_pandas(), errors="coerce")
            texts = column.to_pylist()
            # A column that is all numbers is numbers; one text makes all of it text.
            values[name] = texts if (number.isna() & column.to_pandas().notna()).any() else number.tolist()
        else:
            values[name] = column.to_pylist()
    names = list(values)
    return pa.array(
        [
            json.dumps({n: v for n, v in zip(names, row, strict=True) if v is not None and v == v})  # noqa: PLR0124 - NaN
            for row in zip(*values.values(), strict=True)
        ],
        pa.string(),
    )


def _unreadable(rows: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_], detail: str) -> list[Reject]:
    return [Reject(int(row), "invalid_field", detail) for row in rows[bad]]


def _invalid(table: pa.Table, first_row: int) -> list[Reject]:
    rejects = []
    for row, value in enumerate(to_wire(table)):
        try:
            validation.contract(validation.read(value))
        except InvalidEvent as error:
            rejects.append(Reject(first_row + row, error.reason, error.detail))
    return rejects


def _labels(chunk: pa.Table, table: pa.Table, times: "pd.Series[pd.Timestamp]", mapping: Mapping) -> pa.Table:
    label = mapping.label
    if label is None:
        return LABELS.empty_table()
    marks = columns.as_text(chunk[label.column], mapping.missing)
    fraud = pc.fill_null(pc.is_in(marks, value_set=pa.array(list(label.fraud), pa.string())), fill_value=False)
    received = _received(chunk, times, label, mapping)
    ids = table["transaction_id"]
    labels = pa.table(
        {
            "label_id": pc.binary_join_element_wise(ids, "label", "-"),
            "transaction_id": ids,
            "verdict": pa.array(["unauthorised"] * len(chunk)),
            "source": pa.array([label.source] * len(chunk)),
            "occurred_at": received,
            "received_at": received,
        }
    )
    return conform(labels, LABELS).filter(fraud)


def _received(
    chunk: pa.Table, times: "pd.Series[pd.Timestamp]", label: LabelSourceColumn, mapping: Mapping
) -> pa.Array:
    delayed = times + pd.Timedelta(days=label.delay_days)
    if label.time is not None:
        delayed = columns.as_time(chunk[label.time.column], label.time, mapping.missing).fillna(delayed)
    return pa.array(delayed, LABELS.field("received_at").type)
