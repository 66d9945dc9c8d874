"""A whole foreign file as event files: read, convert, sort into log order, write."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Lookup
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fraud.features.platform import STANDARD, FieldKind, Platform
from runtime.files import replacing
from training.data.files.schema import EVENTS, LABELS, MATURITY_KEY, VERSION_KEY
from training.data.importing.convert import Converted, Reject, convert
from training.data.importing.labels import LabelValues
from training.data.importing.mapping import InvalidMapping, Mapping, listed
from training.data.importing.read import ForeignTable
from training.data.importing.warnings import warnings_of


@dataclass(frozen=True, slots=True)
class RejectedRows:
    """Rows that became no events for one reason.

    Attributes:
        reason: one line, without values.
        rows: how many.
        first_row: number of the first in the file, from 0; None where it is not known.
        example: what stood there.
    """

    reason: str
    rows: int
    first_row: int | None
    example: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote, and what its owner should know."""

    rows: int
    transactions: int
    frauds: int
    rejects: int
    events: Path
    labels: Path
    rejects_file: Path
    rejected: tuple[RejectedRows, ...] = ()
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        fields = asdict(self)
        return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


def import_file(
    path: Path,
    mapping: Mapping,
    out: Path,
    *,
    platform: Platform = STANDARD,
    limit: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> Imported:
    """Writes `out` (events), and beside it the labels and the rejects.

    Args:
        path: CSV or Parquet.
        mapping: what becomes what.
        out: where events go; labels go to the same name with `events` replaced by `labels`, or with `.labels` added.
        platform: declares what the shop's own fields are; attributes that it does not name are numbers or text by
            their values.
        limit: take only the first rows.
        advance: called with the number of rows done after each chunk.

    Raises:
        InvalidMapping: the mapping does not fit, or no row was accepted.
    """
    table = ForeignTable(path, mapping.file)
    fitted = mapping.fitted(path, table.names())
    kinds = {name: field.kind for name, field in platform.fields.items()}
    parts = _converted(table, fitted, kinds, limit=limit, advance=advance)
    rows = sum(len(part.events) + len(part.rejects) for part in parts)
    rejects = [reject for part in parts for reject in part.rejects]
    transactions = pa.concat_tables([EVENTS.empty_table(), *(part.events for part in parts)])
    labels = pa.concat_tables([LABELS.empty_table(), *(part.labels for part in parts)])
    values, unreadable = LabelValues(), Counter[str]()
    for part in parts:
        values.add(part.label_values)
        unreadable += part.unreadable
    parts.clear()
    rejects_file, labels_file = _beside(out, "rejects").with_suffix(".jsonl"), _beside(out, "labels")
    _write_rejects(rejects_file, rejects)
    rejected = by_reason(rejects, table.skipped)
    if len(transactions) == 0:
        why = f"{rejected[0].reason}, e.g. {rejected[0].example!r}" if rejected else "the file is empty"
        raise InvalidMapping(f"{path}: none of {rows} rows was accepted ({why}); see {rejects_file}")
    frauds = int(pc.sum(pc.equal(labels["verdict"], "unauthorised")).as_py() or 0)
    warnings = warnings_of(transactions, frauds, fitted, values, unreadable)
    _write(out, in_log_order(transactions, fitted.outcome), fitted)
    _write(labels_file, labels.sort_by("received_at"), fitted)
    absent = sorted({*mapping.fields, *mapping.attributes} - {*fitted.fields, *fitted.attributes})
    return Imported(
        rows=rows + table.skipped,
        transactions=len(transactions),
        frauds=frauds,
        rejects=len(rejects) + table.skipped,
        events=out,
        labels=labels_file,
        rejects_file=rejects_file,
        rejected=rejected,
        warnings=(*([f"the file lacks the columns of {listed(absent)}"] if absent else []), *warnings),
        left_out=tuple(absent),
    )


def _converted(
    table: ForeignTable,
    mapping: Mapping,
    kinds: Lookup[str, FieldKind],
    *,
    limit: int | None,
    advance: Callable[[int], None] | None,
) -> list[Converted]:
    parts: list[Converted] = []
    rows = 0
    for chunk in table.chunks(mapping.source_columns(), mapping.text):
        part = chunk if limit is None else chunk.slice(0, limit - rows)
        parts.append(convert(part, mapping, first_row=rows, kinds=kinds))
        rows += len(part)
        if advance:
            advance(len(part))
        if rows == limit:
            break
    return parts


def by_reason(rejects: Iterable[Reject], skipped: int = 0) -> tuple[RejectedRows, ...]:
    """Rejects by what was wrong, the commonest first.

    Args:
        rejects: in the file's order.
        skipped: lines that had too many or too few values to be rows.
    """
    first: dict[str, Reject] = {}
    counts: Counter[str] = Counter()
    for reject in rejects:
        first.setdefault(reject.detail, reject)
        counts[reject.detail] += 1
    found = [RejectedRows(detail, n, first[detail].row, first[detail].example) for detail, n in counts.most_common()]
    if skipped:
        found.append(RejectedRows("the line has more or fewer values than the header", skipped, None, ""))
    return tuple(found)


def in_log_order(transactions: pa.Table, outcome: str | None) -> pa.Table:
    """Transactions by time, equal times in the file's order, each followed by its outcome where there is one."""
    times = transactions["event_time"].cast(pa.int64()).to_numpy()
    ordered = transactions.take(pa.array(np.argsort(times, kind="stable")))
    if outcome is None:
        return ordered
    count = len(ordered)
    changed = {
        "type": pa.repeat("outcome", count),
        "outcome_id": pc.binary_join_element_wise(ordered["transaction_id"], outcome, "-"),
        "kind": pa.repeat(outcome, count),
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
