"""Fetches are read as kafka-python itself reads them."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from service.adapters.kafka.fetched import PartitionRecords, read_batch

WHERE = TopicPartition("topic", 0)
GZIP, NONE = 1, 0

headers = st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=20)), max_size=3)
record = st.tuples(
    st.integers(0, 2**41), st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=400), headers
)
batches = st.lists(st.lists(record, min_size=1, max_size=20), min_size=1, max_size=4)
Rows = list[list[tuple[Any, ...]]]


def log(rows: Rows, *, base: int = 0, compression: int = NONE) -> bytes:
    """Batches one after another, as a broker returns them: with their base offsets set."""
    out, offset = b"", base
    for batch in rows:
        builder = MemoryRecordsBuilder(2, compression, 10_000_000)
        for timestamp, key, value, head in batch:
            builder.append(timestamp, key, value, list(head))
        builder.close()
        out += offset.to_bytes(8, "big") + bytes(builder.buffer())[8:]
        offset += len(batch)
    return out


def taken(kind: type, data: bytes, *, fetch_offset: int, sizes: list[int | None]) -> list[list[tuple[Any, ...]]]:
    records = kind(fetch_offset, WHERE, MemoryRecords(data))
    shares = []
    for size in sizes:
        share = records.take(size) if records else []
        shares.append([
            *((r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in share),
            ("next", records.next_fetch_offset),
        ])  # fmt: skip
    return shares


@given(batches, st.sampled_from([NONE, GZIP]), st.integers(0, 30), st.lists(st.integers(1, 9), max_size=12))
def test_every_take_gives_what_the_library_gives(rows: Rows, compression: int, start: int, sizes: list[int]) -> None:
    data = log(rows, base=7, compression=compression)
    wanted: list[int | None] = [*sizes, 10_000, 10_000]
    first = 7 + start % sum(map(len, rows))  # a fetch never starts behind the data that it brings

    ours = taken(PartitionRecords, data, fetch_offset=first, sizes=wanted)

    assert ours == taken(Fetcher.PartitionRecords, data, fetch_offset=first, sizes=wanted)


def test_the_time_of_a_log_that_the_broker_stamps_is_its_own() -> None:
    data = bytearray(log([[(5, b"k", b"v", []), (9, b"k", b"w", [])]]))
    data[22] |= DefaultRecordBatch.TIMESTAMP_TYPE_MASK
    assert [record.timestamp for record in read_batch(DefaultRecordBatch(data), first=0)] == [9, 9]


def test_aborted_transactions_and_markers_are_passed_over() -> None:
    class Aborted:
        producer_id, first_offset = 12, 0

    def transactional(value: bytes, producer: int) -> bytes:
        builder = DefaultRecordBatchBuilder(2, NONE, True, producer, 0, 0, 1_000)
        builder.append(0, 1, b"k", value, [])
        return bytes(builder.build())

    first, second = transactional(b"aborted", 12), transactional(b"committed", 13)
    data = first + (1).to_bytes(8, "big") + second[8:]
    records = PartitionRecords(0, WHERE, MemoryRecords(data), isolation_level=1, aborted_transactions=[Aborted()])

    assert [(record.offset, record.value) for record in records.take(10)] == [(1, b"committed")]


@pytest.mark.parametrize("seed", range(200))
def test_a_mangled_batch_is_refused_or_read_but_never_past_its_end(seed: int) -> None:
    data = bytearray(log([[(1, b"key", b"value" * 30, [("a", b"b")])] * 5]))
    noise = (seed * 7919).to_bytes(4, "big")
    data[61 + seed * 3 % 800 : 61 + seed * 3 % 800 + 4] = noise
    try:
        found = read_batch(DefaultRecordBatch(data), first=0)
    except CorruptRecordError:
        return
    assert all(len(record.value or b"") < len(data) for record in found)


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(log([[(1, b"k", os.urandom(50), [])]]))
    data[-1] ^= 0xFF
    with pytest.raises(CorruptRecordError, match="wrong checksum"):
        PartitionRecords(0, WHERE, MemoryRecords(data)).take(1)
