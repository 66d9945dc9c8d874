"""A chunk of a foreign table as events and labels, with what could not be read and why."""

from collections import Counter
from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud.features.platform import FieldKind
from training.data.files.schema import EVENTS, conform
from training.data.importing import columns
from training.data.importing.attributes import as_attributes
from training.data.importing.contract_check import refused
from training.data.importing.labels import LabelValues, labels_of
from training.data.importing.mapping import ROW, FieldSource, Mapping

EXAMPLE: Final = 40
"""Characters of a value that an example shows."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that became no event: its number in the file (from 0), a slug, one line, and the value as it stood.

    The example is kept for the first row of a kind only, and never written to a file: it may be personal.
    """

    row: int
    reason: str
    detail: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Converted:
    """Events and labels of the rows that were accepted, in the file's order, and the others.

    Attributes:
        events, labels, rejects: see there.
        label_values: what the label column held.
        unreadable: attribute -> rows whose declared number or flag could not be read, hence is missing.
    """

    events: pa.Table
    labels: pa.Table
    rejects: list[Reject]
    label_values: LabelValues
    unreadable: Counter[str]


def convert(chunk: pa.Table, mapping: Mapping, *, first_row: int, kinds: Lookup[str, FieldKind]) -> Converted:
    """Maps, validates as the service does, and labels the rows of a chunk.

    Invalid values of optional fields stay: who reads the event file ignores them as the service does.

    Args:
        chunk: the source columns that the mapping names.
        mapping: what becomes what.
        first_row: number of the chunk's first row in the file.
        kinds: what the platform declares its own fields as.
    """
    rows = np.arange(first_row, first_row + len(chunk))
    fields = {name: _field(chunk, source, mapping, rows) for name, source in mapping.fields.items()}
    times = columns.as_time(chunk[mapping.time.column], mapping.time, mapping.missing)
    amount = columns.as_number(chunk[mapping.amount.column], mapping.missing, mapping.decimal)
    minor = columns.as_minor_units(amount, fields["currency"], major=mapping.amount.unit == "major")
    in_range = np.abs(minor) < 2**62
    fields["event_time"] = pa.array(times, EVENTS.field("event_time").type)
    fields["amount"] = pa.array(np.where(in_range, minor, 0).astype(np.int64), mask=~in_range)
    unreadable: dict[str, int] = {}
    if mapping.offset:
        fields["tz_offset_min"] = _offset(chunk, mapping)
    if mapping.attributes:
        fields["attributes"], unreadable = as_attributes(chunk, mapping, kinds)
    table = conform(pa.table(fields | {"type": pa.repeat("transaction", len(chunk))}), EVENTS)
    reasons = {row: (str(error.reason), error.detail) for row, error in refused(table).items()}
    reasons |= _unreadable(~in_range, f"amount: column {mapping.amount.column} holds no number")
    reasons |= _unreadable(times.isna().to_numpy(), f"event_time: column {mapping.time.column} holds no time")
    keep = np.ones(len(chunk), np.bool_)
    keep[list(reasons)] = False
    ids = pc.if_else(pa.array(keep), table["transaction_id"], None)
    labels, values = labels_of(chunk, ids, times, mapping)
    return Converted(
        table.filter(pa.array(keep)),
        labels,
        _rejects(chunk, mapping, reasons, first_row),
        values,
        Counter(unreadable),
    )


def _field(
    chunk: pa.Table, source: FieldSource, mapping: Mapping, rows: npt.NDArray[np.int64]
) -> pa.Array | pa.ChunkedArray:
    if source.constant is not None:
        return pa.repeat(source.constant, len(chunk))
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


def _unreadable(bad: npt.NDArray[np.bool_], detail: str) -> dict[int, tuple[str, str]]:
    return dict.fromkeys(np.flatnonzero(bad).tolist(), ("invalid_field", detail))


def _rejects(chunk: pa.Table, mapping: Mapping, reasons: dict[int, tuple[str, str]], first_row: int) -> list[Reject]:
    shown: set[tuple[str, str]] = set()
    rejects = []
    for row, (reason, detail) in sorted(reasons.items()):
        example = "" if (reason, detail) in shown else _example(chunk, mapping, detail.partition(":")[0], row)
        shown.add((reason, detail))
        rejects.append(Reject(first_row + row, reason, detail, example))
    return rejects


def _example(chunk: pa.Table, mapping: Mapping, field: str, row: int) -> str:
    """What stood in the columns of a field, for people; hashed ones stay hidden."""
    source = mapping.fields.get(field)
    if source is not None and source.hashed:
        return "(hidden)"
    named = {"event_time": (mapping.time.column,), "amount": (mapping.amount.column,)}
    names = named.get(field, source.columns if source is not None else ())
    values = [str(chunk[name][row].as_py()) for name in names if name != ROW]
    return ", ".join(value if len(value) <= EXAMPLE else f"{value[:EXAMPLE]}…" for value in values)
