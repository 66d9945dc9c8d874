"""Event files as records: JSON Lines, and Parquet where pyarrow is installed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec

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
    except ImportError:
        raise Misconfigured(f"reading {path} needs pyarrow: install the training extra, or use JSON Lines") from None
    try:
        offset = 0
        for batch in parquet.ParquetFile(path).iter_batches(share):
            values = [_wire(row) for row in batch.to_pylist()]
            yield _records(values, offset)
            offset += len(values)
    except (OSError, pa.ArrowInvalid) as error:
        raise Misconfigured(f"cannot read {path}: {error}") from None


def _wire(row: dict[str, object]) -> bytes:
    fields: dict[str, object] = {"schema_version": "1.0"}
    for name, value in row.items():
        if isinstance(value, datetime):
            fields[name] = (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        elif name == "attributes" and isinstance(value, str):
            fields[name] = msgspec.Raw(value.encode())
        elif value is not None:
            fields[name] = value
    return msgspec.json.encode(fields)


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
