"""Event files as records: JSON Lines, and Parquet where pyarrow is installed."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from fraud.contracts.inbound import SCHEMA_VERSION
from runtime.errors import Misconfigured
from service.ports import Records


class _Dated(msgspec.Struct):
    event_time: str


def jsonl_records(path: Path, share: int) -> Iterator[Records]:
    """One event a line, in log order; the Kafka timestamp is the event's own time."""
    try:
        with path.open("rb") as file:
            offset = 0
            while lines := list(islice(file, share)):
                yield _records([line.rstrip(b"\n") for line in lines], offset)
                offset += len(lines)
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}") from None


def parquet_records(path: Path, share: int) -> Iterator[Records]:
    """One event a row with the wire's fields as columns, in log order."""
    try:
        import pyarrow as pa
        from pyarrow import parquet

        from runtime.event_tables import to_json
    except ImportError:
        raise Misconfigured(f"reading {path} needs pyarrow: install the training extra, or use JSON Lines") from None
    try:
        offset = 0
        for batch in parquet.ParquetFile(path).iter_batches(share):
            table = pa.Table.from_batches([batch])
            if "schema_version" not in table.column_names:
                table = table.append_column("schema_version", pa.nulls(len(table), pa.string()))
            place = table.column_names.index("schema_version")
            table = table.set_column(place, "schema_version", table[place].fill_null(SCHEMA_VERSION))
            values = list(to_json(table))
            yield _records(values, offset)
            offset += len(values)
    except (OSError, pa.ArrowInvalid) as error:
        raise Misconfigured(f"cannot read {path}: {error}") from None


def _records(values: list[bytes], offset: int) -> Records:
    count = len(values)
    return Records(
        0,
        range(offset, offset + count),
        [_time_us(value) for value in values],
        [None] * count,
        values,
        [()] * count,
    )


def _time_us(value: bytes) -> int:
    """The event's time; 0 where it has none, which makes the record a dead letter in any case."""
    try:
        return int(datetime.fromisoformat(msgspec.json.decode(value, type=_Dated).event_time).timestamp() * 1e6)
    except (ValueError, msgspec.MsgspecError):
        return 0
