"""The ledger on disk: every record as it came, in Parquet files by day, once however often it is written.

    <root>/<kind>/day=2026-01-31/<partition>-<first>-<last offset>.parquet   partition, offset, timestamp, key, value
    <root>/progress.json                                                     next offset of each kind's partitions

Values are kept as they were on the wire, so that whatever reads them later reads exactly what the service read; DuckDB
and pandas read the folders as one table. Files come first, each on the disk, progress after: a crash in between writes
some rows again, and reading takes each (partition, offset) once. A file that cannot be read is set aside, and progress
goes back to its first offset: the next pull fetches it again. A record's day is that of its Kafka timestamp.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runtime.files import replacing, sync, write_json
from training.labels.ledger import DAY_US

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
"""`timestamp` is Kafka's, in µs, of a label when it arrived (`training.loop.feed`); `key` is a customer id (events,
decisions) or a transaction id (labels)."""

PROGRESS: Final = "progress.json"
BROKEN: Final = ".broken"
"""Suffix of a file that could not be read."""

COMPACT_FROM: Final = 8
"""Files of one partition's closed day from which they are made fewer."""

MAX_ROWS: Final = 50_000
"""Rows of a file that compaction makes: what is read at once stays small, however busy the day."""


class DamagedLedger(Exception):  # noqa: N818 - named for what it says
    """A file of the ledger cannot be read; it was set aside, and progress went back, so that it is fetched again."""


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
        return self._progress().get(kind, {})

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
        self._save_progress(kind, reached)

    def skip(self, kind: Kind, partition: int, offset: int) -> None:
        """Remembers that what lies before an offset will not come any more."""
        self._save_progress(kind, self.progress(kind) | {partition: offset})

    def read(self, kind: Kind, *, since: int | None = None, until: int | None = None) -> pa.Table:
        """Records with since ≤ timestamp < until (µs), each once, by timestamp, partition and offset.

        Raises:
            DamagedLedger: a file cannot be read.
        """
        low, high = -(2**62) if since is None else since, 2**62 if until is None else until
        parts = []
        for file in self._files(kind, since=since):
            table = self._load(kind, file)
            time = table["timestamp"]
            parts.append(table.filter(pc.and_(pc.greater_equal(time, low), pc.less(time, high))))
        whole = _once(pa.concat_tables([RECORDS.empty_table(), *parts]))
        return whole.sort_by([(name, "ascending") for name in ("timestamp", "partition", "offset")])

    def scan(self, kind: Kind, *, after: Mapping[int, int], since: int | None = None) -> Iterator[pa.Table]:
        """Records from an offset on, each once, partition by partition in the log's own order.

        A table is about as large as one file: a whole ledger can be read without holding it.

        Args:
            kind: what to read.
            after: partition -> first offset that is wanted; 0 where a partition is not named.
            since: days that ended before this time (µs) are left out.

        Raises:
            DamagedLedger: a file cannot be read.
        """
        for partition, spans in _by_partition(self._span(kind, file) for file in self._files(kind, since=since)):
            wanted = after.get(partition, 0)
            waiting = RECORDS.empty_table()
            # What lies beyond the next file's first offset waits for it: late records make the days' files overlap.
            for span, until in zip(spans, [*(span.first for span in spans[1:]), 2**62], strict=True):
                if span.last >= wanted:
                    waiting = pa.concat_tables([waiting, self._load(kind, span.file)])
                offsets = waiting["offset"].to_numpy()
                ready = _once(waiting.filter(pa.array((offsets >= wanted) & (offsets < until)))).sort_by("offset")
                waiting = waiting.filter(pa.array(offsets >= until))
                if len(ready):
                    yield ready

    def newest(self, kind: Kind) -> int | None:
        """The newest timestamp, µs; None when there is no record."""
        for folder in reversed(self._days(kind)):
            times = [self._load(kind, file, ["timestamp"])["timestamp"] for file in sorted(folder.glob("*.parquet"))]
            found = [int(pc.max(part).as_py()) for part in times if len(part)]
            if found:
                return max(found)
        return None

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
        """Makes the many files of each day before `before` (µs) few."""
        for kind in KINDS:
            for folder in self._days(kind):
                if folder.name.removeprefix("day=") < _day(before):
                    self._compact(kind, folder)

    def forget(self, kind: Kind, wanted: Callable[[str, bytes], bool], *, really: bool = True) -> int:
        """Erases, or only counts, the records whose key and value are wanted; how many there were."""
        removed = 0
        if really:
            for broken in (self.root / kind).glob(f"day=*/.*{BROKEN}"):
                broken.unlink()
        for file in self._files(kind):
            table = self._load(kind, file)
            columns = zip(table["key"].to_pylist(), table["value"].to_pylist(), strict=True)
            hit = np.array([wanted(key or "", value or b"") for key, value in columns], np.bool_)
            removed += int(hit.sum())
            if really and hit.any():
                _replace(file, table.filter(pa.array(~hit)))
        return removed

    def _compact(self, kind: Kind, folder: Path) -> None:
        for partition, spans in _by_partition(self._span(kind, file) for file in sorted(folder.glob("*.parquet"))):
            if len(spans) < COMPACT_FROM:
                continue
            for group in _groups(spans):
                table = _once(pa.concat_tables([self._load(kind, span.file) for span in group]))
                whole = folder / _name(partition, table)
                _replace(whole, table)
                for span in group:
                    if span.file != whole:
                        span.file.unlink()

    def _write(self, kind: Kind, day: int, part: pa.Table) -> None:
        folder = self.root / kind / f"day={_day(day * DAY_US)}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            sync(folder.parent)
            sync(self.root)
        _replace(folder / _name(part["partition"][0].as_py(), part), part)

    def _files(self, kind: Kind, *, since: int | None = None) -> list[Path]:
        first = "day=" if since is None else f"day={_day(max(since, 0))}"
        return [f for folder in self._days(kind) if folder.name >= first for f in sorted(folder.glob("*.parquet"))]

    def _load(self, kind: Kind, path: Path, columns: Sequence[str] = RECORDS.names) -> pa.Table:
        """A file's records, or some of their columns; its pages' checksums are verified."""
        schema = pa.schema([RECORDS.field(name) for name in columns])
        try:
            table = pq.read_table(path, schema=schema, partitioning=None, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise self._set_aside(kind, path, str(error)) from None
        gaps = [name for name in columns if table[name].null_count]
        if gaps:
            raise self._set_aside(kind, path, f"no {gaps[0]} in some rows")
        return table

    def _span(self, kind: Kind, path: Path) -> "_Span":
        try:
            partition, first, last = (int(part) for part in path.stem.split("-"))
        except ValueError:
            raise self._set_aside(kind, path, "its name does not say what it holds") from None
        return _Span(partition, first, last, path)

    def _set_aside(self, kind: Kind, path: Path, why: str) -> DamagedLedger:
        """Takes a file for missing: its records are to be fetched again, from the first on."""
        reached = self.progress(kind)
        partition, *offsets = path.stem.split("-")
        if partition.isdecimal() and offsets and offsets[0].isdecimal():
            back = {int(partition): min(int(offsets[0]), reached.get(int(partition), 0))}
        else:
            back = dict.fromkeys(reached, 0)
        self._save_progress(kind, reached | back)
        path.replace(path.with_name(f".{path.name}{BROKEN}"))
        where = ", ".join(f"partition {number} from offset {offset}" for number, offset in sorted(back.items()))
        reason = " ".join(why.split())
        return DamagedLedger(f"{path} cannot be read ({reason}): {kind} of {where or 'no partition'} are fetched again")

    def _days(self, kind: Kind) -> list[Path]:
        return sorted(path for path in (self.root / kind).glob("day=*") if any(path.glob("*.parquet")))

    def _progress(self) -> dict[Kind, dict[int, int]]:
        """What was stored of each topic; a file that cannot be read counts as none: everything is fetched again."""
        try:
            return msgspec.json.decode((self.root / PROGRESS).read_bytes(), type=dict[Kind, dict[int, int]])
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return {}

    def _save_progress(self, kind: Kind, reached: Mapping[int, int]) -> None:
        whole = {**self._progress(), kind: reached}
        write_json(self.root / PROGRESS, {name: {str(p): o for p, o in held.items()} for name, held in whole.items()})


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """What a file's name says of it."""

    partition: int
    first: int
    last: int
    file: Path


def _name(partition: int, part: pa.Table) -> str:
    """By the last offset too, lest a shorter batch take the place of a longer one."""
    span = pc.min_max(part["offset"])
    return f"{partition}-{span['min'].as_py():020d}-{span['max'].as_py():020d}.parquet"


def _by_partition(spans: Iterable[_Span]) -> Iterator[tuple[int, list[_Span]]]:
    """Each partition's files by first offset."""
    for partition, group in groupby(sorted(spans), key=lambda span: span.partition):
        yield partition, list(group)


def _groups(spans: Sequence[_Span]) -> list[list[_Span]]:
    """Neighbours that make a file of at most `MAX_ROWS` together, two or more."""
    groups: list[list[_Span]] = [[]]
    held = 0
    for span in spans:
        rows = span.last - span.first + 1
        if held + rows > MAX_ROWS:
            groups.append([])
            held = 0
        groups[-1].append(span)
        held += rows
    return [group for group in groups if len(group) > 1]


def _once(table: pa.Table) -> pa.Table:
    """Each (partition, offset) once, in the order of the first."""
    partition: npt.NDArray[np.int64] = table["partition"].to_numpy().astype(np.int64)
    offset: npt.NDArray[np.int64] = table["offset"].to_numpy()
    order = np.lexsort((offset, partition))
    again = (np.diff(partition[order], prepend=-1) == 0) & (np.diff(offset[order], prepend=-1) == 0)
    return table.take(pa.array(np.sort(order[~again]))) if again.any() else table


def _replace(path: Path, table: pa.Table) -> None:
    """Puts a file in its place in one step, and on the disk: progress, which is too, may rely on it."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _day(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d")
