"""Event and label files: Parquet as `training.datasets.schema` says, or JSON lines of wire events."""

from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from fraud.batch import hash_ids
from fraud.events import Label, Outcome, Transaction
from fraud.money import MINOR_MICRO, parse_amount
from training.datasets.dataset import InvalidDataset
from training.datasets.schema import EVENTS, LABELS, MATURITY_KEY, VERSION_KEY, conform

_EVENT: TypeAdapter[Transaction | Outcome] = TypeAdapter(Transaction | Outcome)


def read_events(path: Path) -> pa.Table:
    """The rows of an event file, in log order; InvalidDataset when it cannot be used."""
    table = _read(path, EVENTS) if path.suffix == ".parquet" else events_table(path.read_bytes().splitlines(), path)
    absent = [name for name in ("transaction_id", "customer_id", "event_time", "amount", "currency", "type")
              if table[name].null_count]  # fmt: skip
    if absent:
        raise InvalidDataset(
            f"{path}: column {absent[0]} has empty values or is missing; write it as docs/contracts say"
        )
    return table


def read_labels(path: Path | None) -> tuple[pd.DataFrame | None, float | None]:
    """A label file as the ledger takes it, and the age at which its silence matures where it says so."""
    if path is None:
        return None, None
    if path.suffix != ".parquet":
        return labels_frame(labels_table(path.read_bytes().splitlines(), path)), None
    table = _read(path, LABELS)
    matures = (pq.read_schema(path).metadata or {}).get(MATURITY_KEY)
    return labels_frame(table), None if matures is None else float(matures)


def labels_frame(table: pa.Table) -> pd.DataFrame:
    """A table of `LABELS` as a frame of `training.ledger.LABEL_COLUMNS`."""
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
    version = (pq.read_schema(path).metadata or {}).get(VERSION_KEY)
    return version.decode() if version else None


def events_table(lines: list[bytes], where: Path | str) -> pa.Table:
    """Wire events as rows of `EVENTS`; lines off the contract are refused, for a replay must not guess.

    Raises:
        InvalidDataset: naming the line.
    """
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_row(_EVENT.validate_json(line)))
        except (ValidationError, ValueError) as error:
            raise InvalidDataset(f"{where}, line {number}: {str(error).splitlines()[0]}") from None
    return pa.Table.from_pylist(rows, schema=EVENTS)


def labels_table(lines: list[bytes], where: Path | str) -> pa.Table:
    """Wire labels as rows of `LABELS`; InvalidDataset names the line that is off the contract."""
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(Label.model_validate_json(line).model_dump())
        except ValidationError as error:
            raise InvalidDataset(f"{where}, line {number}: {str(error).splitlines()[0]}") from None
    return conform(pa.Table.from_pylist(rows, schema=LABELS), LABELS)


def _row(event: Transaction | Outcome) -> dict[str, object]:
    fields = event.model_dump(exclude_none=True)
    minor, rest = divmod(parse_amount(event.amount, event.currency), MINOR_MICRO[event.currency])
    if rest:
        raise ValueError(f"amount {event.amount} has parts below a minor unit of {event.currency}")
    attributes = {} if event.attributes is None else {"attributes": msgspec.json.encode(event.attributes).decode()}
    return fields | {"amount": minor} | attributes


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return conform(pq.read_table(path), schema)
    except FileNotFoundError:
        raise InvalidDataset(f"{path} does not exist") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidDataset(f"{path} is no event file: {str(error).splitlines()[0]}") from None
