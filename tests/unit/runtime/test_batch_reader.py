"""Fetches are read as kafka-python itself reads them."""

import os
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from fraud.contracts.inbound import Reason
from fraud.decoding.decoder import Decoder
from fraud.money import Rates
from local.testbed.events import raw, transaction
from runtime.errors import Damaged, Misconfigured
from runtime.kafka.batch_reader import (
    MAX_HEADERS,
    MAX_UNPACKED,
    SHARE,
    PartitionRecords,
    Record,
    Unreadable,
    _headers,
    read_batch,
)
from service.adapters.kafka.group import columns

WHERE = TopicPartition("topic", 0)
GZIP, NONE = 1, 0
DECODER = Decoder(rates=Rates.default("EUR"))

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
        builder = MemoryRecordsBuilder(2, compression, 100_000_000)
        for timestamp, key, value, head in batch:
            builder.append(timestamp, key, value, list(head))
        builder.close()
        out += offset.to_bytes(8, "big") + bytes(builder.buffer())[8:]
        offset += len(batch)
    return out


def records_of(data: bytes | bytearray) -> list[Record]:
    return list(chain.from_iterable(read_batch(DefaultRecordBatch(data), first=0)))


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
    assert [record.timestamp for record in records_of(data)] == [9, 9]


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
        found = records_of(data)
    except CorruptRecordError:
        return
    assert all(len(record.value or b"") < len(data) for record in found)


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(log([[(1, b"k", os.urandom(50), [])]]))
    data[-1] ^= 0xFF
    with pytest.raises(Damaged, match=r"topic-0@0 is damaged \(wrong checksum"):
        PartitionRecords(0, WHERE, MemoryRecords(data)).take(1)


def test_what_stands_before_a_damaged_batch_is_handed_out_and_the_next_fetch_meets_it() -> None:
    good, bad = log([[(1, b"k", b"v", [])]]), bytearray(log([[(1, b"k", b"w", [])]], base=1))
    bad[-1] ^= 0xFF
    records = PartitionRecords(0, WHERE, MemoryRecords(good + bytes(bad)))
    assert [record.value for record in records.take(10)] == [b"v"]
    assert not records, "else the library asks it for ever"
    assert records.next_fetch_offset == 1
    again = PartitionRecords(1, WHERE, MemoryRecords(bytes(bad)))
    with pytest.raises(Damaged, match="topic-0@1"):
        again.take(10)
    assert not again


class Name(str):
    """A header's name that is no UTF-8 on the wire."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"tr\xe4ce"


@pytest.mark.parametrize("head", [(Name("x"), b"1"), ("large", bytes(MAX_HEADERS))])
def test_headers_that_cannot_be_read_cost_their_record_its_headers_and_are_counted(head: tuple[str, bytes]) -> None:
    rows = [(1, b"k", b"%d" % i, [head] if i == 1 else [("trace", b"t")]) for i in range(3)]
    found = columns(0, PartitionRecords(0, WHERE, MemoryRecords(log([rows]))).take(10))
    assert list(found.values) == [b"0", b"1", b"2"]
    assert list(map(tuple, found.headers)) == [(("trace", b"t"),), (), (("trace", b"t"),)]
    assert (found.bare, found.unread) == (1, {})


@given(st.binary(max_size=60))
def test_any_bytes_for_headers_are_read_or_given_up_in_a_bounded_time(raw: bytes) -> None:
    (found,) = _headers(raw, [0], [len(raw)])
    assert isinstance(found, Unreadable | tuple)


def test_a_batch_that_unpacks_to_too_much_is_handed_out_without_values() -> None:
    rows: list[tuple[Any, ...]] = [(5, b"k", bytes(MAX_UNPACKED), []), (9, b"k", b"small", [])]
    data = log([[(1, b"k", b"before", [])], rows, [(1, b"k", b"after", [])]], compression=GZIP)
    assert len(data) < 100_000
    found = columns(0, PartitionRecords(0, WHERE, MemoryRecords(data)).take(10))
    assert list(found.values) == [b"before", None, None, b"after"]
    assert list(found.offsets) == [0, 1, 2, 3]
    assert sorted(found.unread) == [1, 2]
    assert "unpacks to more than" in found.unread[1]


def test_a_batch_of_very_many_records_is_cut_out_by_shares() -> None:
    data = log([[(1, None, None, [])] * (SHARE + 5)], compression=GZIP)
    shares = list(read_batch(DefaultRecordBatch(data), first=3))
    assert [len(share) for share in shares] == [SHARE, 2]
    assert [r.offset for share in shares for r in share] == list(range(3, SHARE + 5))


def test_gzip_that_is_none_is_a_damaged_batch() -> None:
    data = bytearray(log([[(1, b"k", b"v" * 100, [])]], compression=GZIP))
    data[70:80] = bytes(10)
    with pytest.raises(Damaged):
        PartitionRecords(0, WHERE, MemoryRecords(data), check_crcs=False).take(1)


def test_a_codec_that_is_not_installed_is_named() -> None:
    data = bytearray(log([[(1, b"k", b"v", [])]]))
    data[22] |= 4
    with pytest.raises(Misconfigured, match=r"topic-0@0.*zstd"):
        PartitionRecords(0, WHERE, MemoryRecords(data), check_crcs=False).take(1)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4))
def test_any_timestamp_of_a_record_is_one_that_the_decoder_takes(times_ms: list[int]) -> None:
    found = columns(0, [Record(i, time_ms, None, raw(transaction(i)), ()) for i, time_ms in enumerate(times_ms)])
    decoded = DECODER.decode(found.values, found.timestamps_us)
    assert len(decoded.rejects) + len(decoded.events) == len(times_ms)
    assert {reject.reason for reject in decoded.rejects} <= {Reason.TOO_FAR_AHEAD}
    assert np.asarray(found.timestamps_us, np.int64).min() >= 1000 * -2_208_988_800_000
