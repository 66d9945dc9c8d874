"""A reader of fetches that takes a record batch at a time.

kafka-python reads every record by itself, byte for byte, in Python, and wraps it twice: about 15 µs each, more than our
own work on it. Here a compiled loop finds where the fields of a whole batch lie (the record format is Kafka's v2,
https://kafka.apache.org/documentation/#record), and Python only cuts them out: about 1 µs. What concerns batches
(checksums, aborted transactions, control batches) stays kafka-python's own, but for gzip, which is unpacked here up to
a limit.

The broker looks into neither header names nor what gzip holds. So headers that cannot be read cost their record its
headers, and a batch that unpacks to too much costs its records their values; only a batch that is damaged, or packed by
a codec that is not installed, stops the service.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.util import decode_varint

from fraud.compiled import compiled
from runtime.errors import Damaged, Misconfigured

Int: TypeAlias = int | np.int64

MAGIC: Final = 2
FIELDS: Final = 8
TIME, OFFSET, KEY, KEY_END, VALUE, VALUE_END, HEADERS, END = range(FIELDS)
"""Columns of `locate`: two deltas, and where the fields start and end; a start of -1 is a null."""

MAX_UNPACKED: Final = 16 << 20
"""Bytes that a compressed batch may unpack to: producers batch by a megabyte or less, counted before compression."""

MAX_HEADERS: Final = 64 << 10
"""Bytes of a record's headers that are looked into; beyond it nothing keeps them anyway."""

SHARE: Final = 10_000
"""Records cut out at once: a batch may hold millions of tiny ones."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for the headers of a record that could not be read; `value` says why its value could not be either."""

    value: str | None = None


Headers: TypeAlias = Sequence[tuple[str, bytes | None]] | Unreadable


class Record(NamedTuple):
    """One record of a fetch, with the names that kafka-python gives its own."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_type: int = 0


def read_in_batches(consumer: Any) -> None:  # noqa: ANN401 - kafka-python has no types
    """Makes a consumer yield `Record`s, read by this module."""
    consumer._fetcher.PartitionRecords = PartitionRecords  # noqa: SLF001 - the fetcher asks itself for the class


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """One partition's share of a fetch: kafka-python's own, but that `record_iterator` yields whole batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **kwargs)
        self._batch: list[Record] = []
        self._taken = 0

    def take(self, n: int | None = None) -> list[Record]:
        """Up to `n` next records, all by default; `next_fetch_offset` moves past them.

        Raises:
            Damaged: the next batch cannot be read; the records before it were handed out.
        """
        taken: list[Record] = []
        try:
            while n is None or len(taken) < n:
                share = self._share(None if n is None else n - len(taken))
                if not share:
                    break
                taken += share
        except Exception:
            # An iterator that has raised yields nothing for ever, and the library would ask it for ever: away with it.
            # The next fetch begins at what could not be read, and raises again.
            self.drain()
            if not taken:
                raise
        return taken

    def _share(self, n: int | None) -> list[Record]:
        """Up to `n` records of one batch, the next one where the present one is used up; none at the end."""
        while self._taken == len(self._batch):
            following = next(self.record_iterator, None) if self.record_iterator is not None else None
            if following is None:
                return []
            self._batch, self._taken = following, 0
        share = self._batch[self._taken : None if n is None else self._taken + n]
        self._taken += len(share)
        self.next_fetch_offset = share[-1].offset + 1
        return share

    def _maybe_skip_record(self, batch: list[Record]) -> bool:
        """Whether a batch lies before the fetch's offset: `read_batch` leaves nothing of such."""
        return not batch

    def _unpack_records(self, _where: object, records: Any, *_deserializers: object) -> Iterator[list[Record]]:  # noqa: ANN401 - kafka-python has no types
        last = None
        while (batch := records.next_batch()) is not None:
            last = batch
            if self.check_crcs and not batch.validate_crc():
                raise self._damaged(batch, "wrong checksum")
            if batch.magic == MAGIC:
                self.leader_epoch = batch.leader_epoch
            if self._hidden(batch):
                self.next_fetch_offset = batch.next_offset
                continue
            self.bytes_read += batch.size_in_bytes
            for found in self._read(batch):
                self.records_read += len(found)
                yield found
        if last is not None and last.magic == MAGIC:
            # Not the last record's offset + 1: compaction may have removed the records behind it.
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _read(self, batch: Any) -> Iterator[list[Record]]:  # noqa: ANN401 - kafka-python has no types
        try:
            yield from read_batch(batch, first=self.fetch_offset)
        except UnsupportedCodecError as error:
            raise Misconfigured(
                f"{self._place(batch)}: {error}: run python -m service topics, which has the broker unpack what comes, "
                "and install the codec for what is there already"
            ) from error
        except (CorruptRecordError, zlib.error) as error:
            raise self._damaged(batch, str(error)) from error

    def _damaged(self, batch: Any, why: str) -> Damaged:  # noqa: ANN401 - kafka-python has no types
        return Damaged(
            f"{self._place(batch)} is damaged ({why}): mend the broker's log, or move the group's committed offset to "
            f"{batch.base_offset + 1} or later to go on without it"
        )

    def _place(self, batch: Any) -> str:  # noqa: ANN401 - kafka-python has no types
        where = self.topic_partition
        return f"the batch at {where.topic}-{where.partition}@{batch.base_offset}"

    def _hidden(self, batch: Any) -> bool:  # noqa: ANN401 - kafka-python has no types
        """Whether a batch is no reader's business: a transaction's marker, or part of an aborted transaction."""
        if batch.magic != MAGIC:
            return False
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def read_batch(batch: Any, *, first: int) -> Iterator[list[Record]]:  # noqa: ANN401 - kafka-python has no types
    """The records of a batch from offset `first` on, in order, by shares.

    Raises:
        CorruptRecordError: it is not laid out as it should be.
        zlib.error: it is no gzip although it says so.
        UnsupportedCodecError: its codec is not installed.
    """
    if batch.magic != MAGIC:
        old = (Record(r.offset, -1 if r.timestamp is None else r.timestamp, r.key, r.value, ()) for r in batch)
        yield [record for record in old if record.offset >= first]
        return
    found = _content(batch)
    if found is None:
        yield from _without_values(batch, first)
        return
    data, start = found
    count = batch.records_count
    if not 0 <= count <= len(data):
        raise CorruptRecordError(f"batch at offset {batch.base_offset}: says that it holds {count} records")
    fields = np.empty((FIELDS, count), np.int64)
    end = locate(np.frombuffer(data, np.uint8), start, fields)
    if end != len(data):
        raise CorruptRecordError(f"batch at offset {batch.base_offset}: its records do not end where it does")
    if batch.timestamp_type == batch.LOG_APPEND_TIME:
        fields[TIME] = batch.max_timestamp
    else:
        fields[TIME] += batch.first_timestamp
    fields[OFFSET] += batch.base_offset
    for at in range(int(np.searchsorted(fields[OFFSET], first)), count, SHARE):
        yield _records(data, fields[:, at : at + SHARE], batch.timestamp_type)


def _content(batch: Any) -> tuple[bytes, int] | None:  # noqa: ANN401 - kafka-python has no types
    """A batch's unpacked bytes, and where its first record starts; None where they would be too many."""
    if batch.compression_type == batch.CODEC_GZIP:
        unpacked = gunzip(memoryview(batch._buffer)[batch._pos :])  # noqa: SLF001 - the library unpacks without limit
        return None if unpacked is None else (unpacked, 0)
    iter(batch)  # unpacks
    return bytes(batch._buffer), batch._pos  # noqa: SLF001 - the library only gives records one by one


def gunzip(packed: memoryview) -> bytes | None:
    """The content of gzip members one after another; None where it is more than MAX_UNPACKED bytes.

    Raises:
        zlib.error: they are broken or cut off.
    """
    out = bytearray()
    rest: bytes | memoryview = packed
    while rest:
        member = zlib.decompressobj(wbits=31)
        out += member.decompress(rest, MAX_UNPACKED + 1 - len(out))
        if len(out) > MAX_UNPACKED:
            return None
        if not member.eof:
            raise zlib.error("gzip is cut off")
        rest = member.unused_data
    return bytes(out)


def _without_values(batch: Any, first: int) -> Iterator[list[Record]]:  # noqa: ANN401 - kafka-python has no types
    """What is known of the records of a batch that is not unpacked: that they are there."""
    why = Unreadable(f"its compressed batch unpacks to more than {MAX_UNPACKED} bytes")
    for at in range(max(first, batch.base_offset), batch.next_offset, SHARE):
        offsets = range(at, min(at + SHARE, batch.next_offset))
        yield [Record(offset, batch.max_timestamp, None, None, why, batch.timestamp_type) for offset in offsets]


def _records(data: bytes, fields: npt.NDArray[np.int64], timestamp_type: int) -> list[Record]:
    columns = (
        fields[OFFSET].tolist(),
        fields[TIME].tolist(),
        _cut(data, fields[KEY : KEY_END + 1]),
        _cut(data, fields[VALUE : VALUE_END + 1]),
        _headers(data, fields[HEADERS].tolist(), fields[END].tolist()),
        [timestamp_type] * fields.shape[1],
    )
    return list(map(Record._make, zip(*columns, strict=True)))


def _cut(data: bytes, places: npt.NDArray[np.int64]) -> list[bytes | None]:
    starts, ends = places.tolist()
    return [data[start:end] if start >= 0 else None for start, end in zip(starts, ends, strict=True)]


def _headers(data: bytes, starts: Sequence[int], ends: Sequence[int]) -> list[Headers]:
    """Headers of each record, `Unreadable` where they are not; equal ones, which are usual, are parsed once."""
    known: dict[bytes, Headers] = {b"\0": ()}
    found = []
    for start, end in zip(starts, ends, strict=True):
        raw = data[start:end]
        headers = known.get(raw)
        if headers is None:
            try:
                headers = known[raw] = _parse_headers(raw)
            except (ValueError, IndexError):
                headers = known[raw] = Unreadable()
        found.append(headers)
    return found


def _parse_headers(raw: bytes) -> Headers:
    if len(raw) > MAX_HEADERS:
        raise ValueError("too large")
    headers = []
    count, at = decode_varint(raw, 0)
    for _ in range(count):
        name, at = _field(raw, at)
        value, at = _field(raw, at)
        if name is None:
            raise ValueError("a header without a name")
        headers.append((name.decode(), value))
    if count < 0 or at != len(raw):
        raise ValueError("they do not end where the record does")
    return tuple(headers)


def _field(raw: bytes, at: int) -> tuple[bytes | None, int]:
    """A field with its length before it, and where what follows starts; lengths only lead forward, hence to an end."""
    length, at = decode_varint(raw, at)
    if length < 0:
        return None, at
    return raw[at : at + length], at + length


@compiled
def locate(data: npt.NDArray[np.uint8], at: Int, fields: npt.NDArray[np.int64]) -> Int:
    """Finds the fields of a batch's records.

    Args:
        data: the decompressed batch, uint8 [bytes].
        at: where its first record starts.
        fields: int64 [FIELDS, n], filled for its n records.

    Returns:
        Where the last record ends; -1 when a record is not laid out as it should be.
    """
    size = len(data)
    for row in range(fields.shape[1]):
        length, at = _varint(data, at, size)
        end = at + length
        if length < 0 or end > size:
            return -1
        fields[TIME, row], at = _varint(data, at + 1, end)  # after the attributes, which nothing uses
        fields[OFFSET, row], at = _varint(data, at, end)
        fields[KEY, row], fields[KEY_END, row], at = _bytes(data, at, end)
        fields[VALUE, row], fields[VALUE_END, row], at = _bytes(data, at, end)
        fields[HEADERS, row], fields[END, row] = at, end
        if at >= end:
            return -1
        at = end
    return at


@compiled
def _varint(data: npt.NDArray[np.uint8], at: Int, end: Int) -> tuple[Int, Int]:
    """A zigzag varint and where it ends; `end` + 1 when it is cut off, which no caller takes for a good end."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < 64:
        byte = np.uint64(data[at])
        value |= (byte & np.uint64(0x7F)) << shift
        at += 1
        if byte < 128:
            return np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1)), at
        shift += np.uint64(7)
    return -1, end + 1


@compiled
def _bytes(data: npt.NDArray[np.uint8], at: Int, end: Int) -> tuple[Int, Int, Int]:
    """Start and end of a field with its length before it (start -1: null), and where what follows starts."""
    length, at = _varint(data, at, end)
    if length < 0:
        return -1, -1, at
    if length > end - at:
        return -1, -1, end + 1
    return at, at + length, at + length
