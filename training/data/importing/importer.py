"""A whole foreign file as event files: read, convert, sort into log order, write."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runtime.files import replacing
from training.data.importing.convert import Converted, Reject, convert
from training.data.importing.mapping import InvalidMapping, Mapping
from training.data.importing.read import read_chunks
from training.data.schema import EVENTS, LABELS, MATURITY_KEY, VERSION_KEY


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote."""

    rows: int
    transactions: int
    frauds: int
    rejects: int
    events: Path
    labels: Path
    rejects_file: Path

    def as_json(self) -> dict[str, object]:
        """Flat, for `--json`."""
        fields = asdict(self)
        return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


def import_file(
    path: Path, mapping: Mapping, out: Path, *, limit: int | None = None, advance: Callable[[int], None] | None = None
) -> Imported:
    """Writes `out` (events), and beside it the labels and the rejects.

    Args:
        path: CSV or Parquet.
        mapping: what becomes what.
        out: where events go; labels go to the same name with `events` replaced by `labels`, or with `.labels` added.
        limit: take only the first rows.
        advance: called with the number of rows done after each chunk.

    Raises:
        InvalidMapping: the mapping does not fit, or no row was accepted.
    """
    parts: list[Converted] = []
    rows = 0
    for chunk in read_chunks(path, mapping.source_columns(), mapping.text):
        part = chunk if limit is None else chunk.slice(0, limit - rows)
        parts.append(convert(part, mapping, first_row=rows))
        rows += len(part)
        if advance:
            advance(len(part))
        if rows == limit:
            break
    rejects = [reject for part in parts for reject in part.rejects]
    transactions = pa.concat_tables([EVENTS.empty_table(), *(part.events for part in parts)]).combine_chunks()
    labels = pa.concat_tables([LABELS.empty_table(), *(part.labels for part in parts)])
    rejects_file = _beside(out, "rejects").with_suffix(".jsonl")
    _write_rejects(rejects_file, rejects)
    if len(transactions) == 0:
        why = f"the first: {rejects[0].detail}" if rejects else "the file is empty"
        raise InvalidMapping(f"{path}: none of {rows} rows was accepted ({why}); see {rejects_file}")
    labels_file = _beside(out, "labels")
    _write(out, in_log_order(transactions, mapping.outcome), mapping)
    _write(labels_file, labels.sort_by("received_at"), mapping)
    return Imported(rows, len(transactions), len(labels), len(rejects), out, labels_file, rejects_file)


def in_log_order(transactions: pa.Table, outcome: str | None) -> pa.Table:
    """Transactions by time, equal times in the file's order, each followed by its outcome where there is one."""
    times = transactions["event_time"].cast(pa.int64()).to_numpy()
    ordered = transactions.take(pa.array(np.argsort(times, kind="stable")))
    if outcome is None:
        return ordered
    count = len(ordered)
    changed = {
        "type": pa.array(["outcome"] * count, pa.string()),
        "outcome_id": pc.binary_join_element_wise(ordered["transaction_id"], outcome, "-"),
        "kind": pa.array([outcome] * count, pa.string()),
        # What only an attempt has.
        "attributes": pa.nulls(count, pa.string()),
    }
    outcomes = pa.table({name: changed.get(name, ordered[name]) for name in EVENTS.names}, schema=EVENTS)
    pairs = np.arange(2 * count).reshape(2, count).T.ravel()
    return pa.concat_tables([ordered, outcomes]).take(pa.array(pairs))


def _beside(out: Path, what: str) -> Path:
    if "events" in out.stem:
        return out.with_name(out.name.replace("events", what))
    return out.with_name(f"{out.stem}.{what}{out.suffix}")


def _write(path: Path, table: pa.Table, mapping: Mapping) -> None:
    metadata = {VERSION_KEY: f"import/{mapping.name}".encode()}
    if mapping.label:
        metadata[MATURITY_KEY] = str(mapping.label.maturity_days).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def _write_rejects(path: Path, rejects: list[Reject]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for reject in rejects:
            file.write(json.dumps({"row": reject.row, "reason": reject.reason, "detail": reject.detail}) + "\n")
