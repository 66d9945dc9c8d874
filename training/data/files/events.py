"""Event and label files: Parquet as `training.data.files.schema` says, or JSON lines of wire events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from fraud.contracts.fields import FIELDS, OPTIONAL_TIMES
from fraud.contracts.inbound import Label
from fraud.decoding.batch import INTEGERS, MISSING, Batch, hash_ids
from fraud.decoding.decoder import Decoded, Decoder
from fraud.money import MINOR_MICRO, parse_amount
from training.data.errors import (
    InvalidDataset,
)
from training.data.feature_context import FeatureContext
from training.data.files.parquet_columns import KIND_OF, to_columns
from training.data.files.schema import EVENTS, LABELS, MATURITY_KEY, VERSION_KEY, conform
from training.data.files.validity import judged
from training.labels.ledger import SOURCES, VERDICTS

ALWAYS: Final = ("type", *(field.name for field in FIELDS if field.required and not field.of_outcomes))
"""Columns that may not have empty values."""


@dataclass(frozen=True, slots=True)
class Events:
    """n events that can be scored, in log order.

    Attributes:
        table: rows of `training.data.files.schema.EVENTS`; amounts rounded down to minor units.
        batch: the same rows as the service sees them.
        rejected: events left out, because the service would have made dead letters of them.
    """

    table: pa.Table
    batch: Batch
    rejected: int = 0

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Several in order; at least one is needed."""
        held = list(parts)
        table = pa.concat_tables([part.table.replace_schema_metadata() for part in held])
        return cls(table, Batch.concatenate(part.batch for part in held), sum(part.rejected for part in held))


def read_events(path: Path, context: FeatureContext) -> Events:
    """The events of a file; InvalidDataset when it cannot be used."""
    if path.suffix == ".parquet":
        return from_table(_read(path, EVENTS), context, where=str(path))
    if not path.is_file():
        raise InvalidDataset(f"{path} does not exist")
    lines = path.read_bytes().splitlines()
    events = from_lines(lines, context)
    if lines and events.rejected == len(lines):
        raise InvalidDataset(f"{path}: none of its {len(lines)} lines is an event; import the file by a mapping")
    return events


def from_table(table: pa.Table, context: FeatureContext, *, where: str = "the table") -> Events:
    """Rows of `EVENTS` as events; InvalidDataset when a required column has gaps."""
    _check_filled(table, ALWAYS, where)
    outcomes = table.filter(pc.equal(table["type"], "outcome"))
    _check_values(table["type"], ("transaction", "outcome"), f"{where}: type")
    _check_values(outcomes["kind"], tuple(KIND_OF), f"{where}: an outcome's kind")
    _check_values(table["currency"], tuple(MINOR_MICRO), f"{where}: currency")
    valid = judged(table)
    columns = to_columns(valid, rates=context.money, fields=context.spec.fields, token=context.token)
    rejected = len(table) - len(columns.rows)
    return Events(valid.take(pa.array(columns.rows)) if rejected else valid, columns.batch, rejected)


def from_lines(
    lines: Sequence[bytes | None], context: FeatureContext, *, timestamps: Sequence[int] | None = None
) -> Events:
    """Wire messages as events, by the service's own decoder.

    Args:
        lines: one message each, in log order.
        context: rates, attributes and masking.
        timestamps: Kafka timestamps, µs; without them no event is too far ahead.
    """
    ahead = {} if timestamps is not None else {"max_ahead_us": 2**62}
    decoder = Decoder(context.money, context.spec.fields, pan_token=context.token, **ahead)
    decoded = decoder.decode(lines, [0] * len(lines) if timestamps is None else timestamps)
    return Events(_table(decoded), decoded.batch, len(decoded.rejects))


def read_labels(path: Path | None) -> tuple[pd.DataFrame | None, float | None]:
    """A label file as the ledger takes it, and the age at which its silence matures where it says so."""
    if path is None:
        return None, None
    if path.is_dir():
        raise InvalidDataset(f"{path} is a folder, not a label file")
    if path.suffix != ".parquet":
        return labels_frame(labels_table(path.read_bytes().splitlines(), path)), None
    table = _read(path, LABELS)
    _check_filled(table, [name for name in LABELS.names if name not in {"reason_code", "supersedes"}], str(path))
    _check_values(table["verdict"], VERDICTS, f"{path}: verdict")
    _check_values(table["source"], SOURCES, f"{path}: source")
    matures = (pq.read_schema(path).metadata or {}).get(MATURITY_KEY)
    return labels_frame(table), None if matures is None else float(matures)


def labels_frame(table: pa.Table) -> pd.DataFrame:
    """A table of `LABELS` as a frame of `training.labels.ledger.LABEL_COLUMNS`."""
    ids = table["transaction_id"].to_pylist()
    return pd.DataFrame(
        {
            "label_id": table["label_id"].to_pandas(),
            "transaction": hash_ids(ids, len(ids)),
            "verdict": table["verdict"].to_pandas(),
            "source": table["source"].to_pandas(),
            "occurred_at": table["occurred_at"].cast(pa.int64()).to_numpy(),
            "received_at": table["received_at"].cast(pa.int64()).to_numpy(),
            "supersedes": table["supersedes"].to_pandas().fillna("").astype("str"),
        }
    )


def version_of(path: Path) -> str | None:
    """The version that a Parquet file was stamped with, where it was."""
    if path.suffix != ".parquet":
        return None
    metadata = pq.read_schema(path).metadata or {}
    if simulator := metadata.get(b"simulator-version"):
        return f"simulator/{simulator.decode()}"
    version = metadata.get(VERSION_KEY)
    return version.decode() if version else None


def labels_table(lines: list[bytes], where: Path | str) -> pa.Table:
    """Wire labels as rows of `LABELS`; InvalidDataset names the line that is off the contract."""
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(Label.model_validate_json(line).model_dump())
        except ValidationError as error:
            raise InvalidDataset(f"{where}, line {number}: {str(error).splitlines()[0]}") from None
    return conform(pa.Table.from_pylist(rows, schema=LABELS), LABELS)


def _table(decoded: Decoded) -> pa.Table:
    """Decoded events as rows of `EVENTS`; times come from the batch, where they are numbers already."""
    events, batch = decoded.events, decoded.batch
    minor = [parse_amount(event.amount, event.currency) // MINOR_MICRO[event.currency] for event in events]
    made: dict[str, pa.Array] = {
        "type": pa.array([event.__struct_config__.tag for event in events], pa.string()),
        "event_time": pa.array(batch.time).cast(EVENTS.field("event_time").type),
        "amount": pa.array(minor, pa.int64()),
        "attributes": pa.array([_json(event.attributes) for event in events], pa.string()),
        "ignored": pa.array([decoded.ignored.get(row) for row in decoded.rows.tolist()], EVENTS.field("ignored").type),
    }
    for name in OPTIONAL_TIMES:
        micros = batch.integers[:, INTEGERS.index(name)]
        made[name] = pa.array(micros, mask=micros == MISSING).cast(EVENTS.field(name).type)
    for field in EVENTS:
        if field.name not in made:
            made[field.name] = pa.array([getattr(event, field.name, None) for event in events], field.type)
    return pa.table([made[name] for name in EVENTS.names], schema=EVENTS)


def _check_filled(table: pa.Table, names: Sequence[str], where: str) -> None:
    for name in names:
        if table[name].null_count:
            raise InvalidDataset(f"{where}: column {name} is missing or has empty values; import the file by a mapping")


def _check_values(column: pa.ChunkedArray, known: Sequence[str], what: str) -> None:
    unknown = [value for value in pc.unique(column).to_pylist() if value not in known]
    if unknown:
        listed = f" (known: {', '.join(known)})" if len(known) < 10 else ""
        raise InvalidDataset(f"{what} {unknown[0]!r} is not known{listed}")


def _json(attributes: dict[str, str | bool | int | float] | None) -> str | None:
    return None if attributes is None else msgspec.json.encode(attributes).decode()


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return conform(pq.read_table(path), schema)
    except FileNotFoundError:
        raise InvalidDataset(f"{path} does not exist") from None
    except (pa.ArrowException, OSError) as error:  # Arrow tells of a damaged page by OSError
        raise InvalidDataset(f"{path} is no event file: {str(error).splitlines()[0]}") from None
