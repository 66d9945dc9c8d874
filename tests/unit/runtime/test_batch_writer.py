"""The bulk encoder writes what kafka-python itself would write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from runtime.kafka import batch_writer as bulk

SIZE = 1_000_000
Pair = tuple[bytes | None, bytes]


def read(builder: MemoryRecordsBuilder) -> list[tuple[int, int, bytes | None, bytes, list[object]]]:
    builder.close()
    records = MemoryRecords(builder.buffer())
    batch = records.next_batch()
    assert batch.validate_crc()
    assert not records.has_next()
    return [(record.offset, record.timestamp, record.key, record.value, record.headers) for record in batch]


@given(st.lists(st.tuples(st.none() | st.binary(max_size=300), st.binary(max_size=9_000)), min_size=1, max_size=40))
def test_a_batch_reads_back_as_the_records_that_went_in(pairs: list[Pair]) -> None:
    keys, values = [key for key, _ in pairs], [value for _, value in pairs]

    found = read(bulk.encode(keys, values, batch_size=SIZE))

    assert [(offset, key, value) for offset, _, key, value, _ in found] == [
        (offset, key, value) for offset, (key, value) in enumerate(pairs)
    ]
    assert len({timestamp for _, timestamp, *_ in found}) == 1
    assert all(headers == [] for *_, headers in found)


def test_the_bytes_are_those_that_the_library_writes_one_by_one() -> None:
    values = [b"v" * (17 * number) for number in range(500)]
    ours = bulk.encode([b"key"] * 500, values, batch_size=SIZE * 100)
    theirs = MemoryRecordsBuilder(2, 0, SIZE * 100)
    for value in values:
        theirs.append(ours._builder._first_timestamp, b"key", value)
    ours.close()
    theirs.close()
    assert bytes(ours.buffer()) == bytes(theirs.buffer())


@pytest.mark.parametrize("count", [1, 4_095, 4_096, 20_000])
def test_offsets_are_counted_past_every_width_of_varint(count: int) -> None:
    found = read(bulk.encode([None] * count, [b"x"] * count, batch_size=SIZE * 100))
    assert [offset for offset, *_ in found] == list(range(count))


def test_records_are_split_into_batches_that_stay_below_the_limit() -> None:
    values = [b"x" * 300] * 100 + [b"y" * 5_000] + [b"z"] * 3
    keys: list[bytes | None] = [b"k"] * len(values)
    parts = list(bulk._parts(keys, values, 4_000))

    assert [value for part in parts for value in values[part]] == values
    for part in parts:
        builder = bulk.encode(keys[part], values[part], batch_size=4_000)
        builder.close()
        assert len(builder.buffer()) <= 4_000 or part.stop - part.start == 1
