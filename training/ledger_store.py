"""The ledger on disk: every record as it came, in Parquet files by day, once however often it is written.

    <root>/<kind>/day=2026-01-31/<partition>-<first offset>.parquet     partition, offset, timestamp, key, value
    <root>/progress.json                                                next offset of each kind's partitions

Values are kept as they were on the wire, so that whatever reads them later reads exactly what the service read; DuckDB
and pandas read the folders as one table. Files come first, progress after: a crash in between writes some rows again,
and reading takes each (partition, offset) once. A record's day is that of its Kafka timestamp.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.ledger import DAY_US
from training.registry import write_json

Kind: TypeAlias = Literal["events", "decisions", "labels"]
KINDS: Final[tuple[Kind, ...]] = ("events", "decisions", "labels")

RECORDS: Final = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.int64()),
        ("key", pa.string()),
        ("value", pa.binary()),
    ]
)
"""`timestamp` is Kafka's, in µs; `key` is a customer id (events, decisions) or a transaction id (labels)."""

PROGRESS: Final = "progress.json"
COMPACT_FROM: Final = 8
"""Files of one closed day from which they are made one."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic."""

    partition: int
    offset: int
    timestamp: int
    key: str
    value: bytes


class LedgerStore:
    """The folder; one process writes it at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def progress(self, kind: Kind) -> dict[int, int]:
        """The next offset of each partition; empty before the first record."""
        return {int(partition): offset for partition, offset in self._progress().get(kind, {}).items()}

    def append(self, kind: Kind, records: Sequence[Record]) -> None:
        """Adds records of one topic, then remembers how far they go. Safe to repeat."""
        if not records:
            return
        table = pa.table(
            {name: [getattr(record, name) for record in records] for name in RECORDS.names}, schema=RECORDS
        )
        days = table["timestamp"].to_numpy() // DAY_US
        partitions = table["partition"].to_numpy()
        for day in np.unique(days):
            for partition in np.unique(partitions[days == day]):
                self._write(kind, int(day), table.filter(pa.array((days == day) & (partitions == partition))))
        reached = self.progress(kind)
        for record in records:
            reached[record.partition] = max(reached.get(record.partition, 0), record.offset + 1)
        write_json(self.root / PROGRESS, self._progress() | {kind: {str(p): o for p, o in reached.items()}})

    def read(self, kind: Kind, *, since: int | None = None, until: int | None = None) -> pa.Table:
        """Records with since ≤ timestamp < until (µs), each once, by timestamp, partition and offset."""
        pattern = self.root / kind / "day=*" / "*.parquet"
        if not any((self.root / kind).glob("day=*/*.parquet")):
            return RECORDS.empty_table()
        low, high = -(2**62) if since is None else since, 2**62 if until is None else until
        query = f"""
            SELECT DISTINCT ON (partition, "offset") {", ".join(f'"{name}"' for name in RECORDS.names)}
            FROM read_parquet('{pattern}', hive_partitioning = true)
            WHERE day >= '{_day(max(low, 0))}' AND "timestamp" >= {low} AND "timestamp" < {high}
            ORDER BY "timestamp", partition, "offset"
        """  # noqa: S608 - numbers and our own path
        with duckdb.connect() as connection:
            return connection.sql(query).to_arrow_table().cast(RECORDS)

    def newest(self, kind: Kind) -> int | None:
        """The newest timestamp, µs; None when there is no record."""
        days = self._days(kind)
        if not days:
            return None
        files = sorted(days[-1].glob("*.parquet"))
        return max(int(pc.max(pq.read_table(file, columns=["timestamp"])["timestamp"]).as_py()) for file in files)

    def retain(self, since: int) -> int:
        """Removes the days that ended before `since` (µs); how many there were."""
        removed = 0
        for kind in KINDS:
            for folder in self._days(kind):
                if folder.name.removeprefix("day=") < _day(since):
                    shutil.rmtree(folder)
                    removed += 1
        return removed

    def compact(self, before: int) -> None:
        """Makes the many files of each day before `before` (µs) one."""
        for kind in KINDS:
            for folder in self._days(kind):
                files = sorted(folder.glob("*.parquet"))
                if len(files) >= COMPACT_FROM and folder.name.removeprefix("day=") < _day(before):
                    whole = _once(pa.concat_tables([pq.read_table(file, schema=RECORDS) for file in files]))
                    _replace(folder / "all.parquet", whole)
                    for file in files:
                        if file.name != "all.parquet":
                            file.unlink()

    def forget(self, kind: Kind, wanted: Callable[[str, bytes], bool], *, really: bool = True) -> int:
        """Erases, or only counts, the records whose key and value are wanted; how many there were."""
        removed = 0
        for file in sorted((self.root / kind).glob("day=*/*.parquet")):
            table = pq.read_table(file, schema=RECORDS)
            columns = zip(table["key"].to_pylist(), table["value"].to_pylist(), strict=True)
            hit = np.array([wanted(key or "", value or b"") for key, value in columns], np.bool_)
            removed += int(hit.sum())
            if really and hit.any():
                _replace(file, table.filter(pa.array(~hit)))
        return removed

    def _write(self, kind: Kind, day: int, part: pa.Table) -> None:
        folder = self.root / kind / f"day={_day(day * DAY_US)}"
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / f"{part['partition'][0].as_py()}-{part['offset'][0].as_py():020d}.parquet", part)

    def _days(self, kind: Kind) -> list[Path]:
        return sorted(path for path in (self.root / kind).glob("day=*") if any(path.glob("*.parquet")))

    def _progress(self) -> dict[str, dict[str, int]]:
        path = self.root / PROGRESS
        if not path.is_file():
            return {}
        held: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8"))
        return held


def _once(table: pa.Table) -> pa.Table:
    partition: npt.NDArray[np.int64] = table["partition"].to_numpy().astype(np.int64)
    rows = np.unique(np.stack([partition, table["offset"].to_numpy()], axis=1), axis=0, return_index=True)[1]
    return table.take(pa.array(np.sort(rows)))


def _replace(path: Path, table: pa.Table) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def _day(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d")
