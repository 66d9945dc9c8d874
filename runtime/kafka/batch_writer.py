"""A writer that hands a batch of records to kafka-python's producer at once.

`KafkaProducer.send` costs about 40 µs a record (a partitioner, two locks, a future and byte-wise encoding for each),
which is more than all other work on an event. Here a whole batch is encoded in one go, about 1 µs a record, and handed
to the producer's own accumulator; from there on (sequence numbers, transaction, retries, expiry) nothing is different.
The record format is Kafka's v2, https://kafka.apache.org/documentation/#recordbatch.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka import TopicPartition
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

MAGIC: Final = 2
NO_COMPRESSION: Final = 0
OVERHEAD: Final = 32
"""Bytes that a record takes beside its key and value, at most."""

_START: Final = b"\0\0"
"""Attributes, and a timestamp equal to the batch's."""

_NO_HEADERS: Final = b"\0"
_NO_KEY: Final = b"\x01"


def append(
    producer: Any,  # noqa: ANN401 - kafka-python has no types
    where: TopicPartition,
    keys: Sequence[bytes | None],
    values: Sequence[bytes],
) -> list[Any]:
    """Queues n records for one partition, as `send` would, to be sent by `flush`.

    Returns one future for each batch that they fill. It never completes when the broker finds the batch too large and
    the library splits it: whoever asks it after a flush takes that for a failure, as it must, since the parts have no
    future that could tell.

    Raises:
        KafkaError: the producer cannot send now.
    """
    size = producer.config["batch_size"]
    manager = producer._transaction_manager  # noqa: SLF001 - what `send` does for each record
    if manager is not None and manager.is_transactional():
        manager.maybe_add_partition_to_transaction(where)
    return [
        _queue(producer, where, encode(keys[part], values[part], batch_size=size))
        for part in _parts(keys, values, size)
    ]


def encode(keys: Sequence[bytes | None], values: Sequence[bytes], *, batch_size: int) -> MemoryRecordsBuilder:
    """A builder that holds n ≥ 1 records without headers, all of one time; the library itself writes the first."""
    builder = MemoryRecordsBuilder(MAGIC, NO_COMPRESSION, batch_size)
    builder.append(None, keys[0], values[0])
    inner = builder._builder  # noqa: SLF001 - its own `append` takes records one by one
    inner._buffer += b"".join(_records(keys, values))  # noqa: SLF001 - as above
    inner._num_records = builder._next_offset = len(values)  # noqa: SLF001 - as above
    inner._last_offset = len(values) - 1  # noqa: SLF001 - as above
    return builder


def varint(number: int) -> bytes:
    """A non-negative number in zigzag varint encoding."""
    rest = number << 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_VARINTS: Final = [varint(number) for number in range(4096)]
"""Most lengths and offsets."""


def _records(keys: Sequence[bytes | None], values: Sequence[bytes]) -> Iterator[bytes]:
    known, small = len(_VARINTS), _VARINTS
    for offset in range(1, len(values)):
        key, value = keys[offset], values[offset]
        length = len(value)
        body = b"".join(
            (
                _START,
                small[offset] if offset < known else varint(offset),
                _NO_KEY if key is None else _sized(key),
                small[length] if length < known else varint(length),
                value,
                _NO_HEADERS,
            )
        )
        length = len(body)
        yield small[length] if length < known else varint(length)
        yield body


def _sized(key: bytes) -> bytes:
    length = len(key)
    return (_VARINTS[length] if length < len(_VARINTS) else varint(length)) + key


def _parts(keys: Sequence[bytes | None], values: Sequence[bytes], size: int) -> Iterator[slice]:
    """Consecutive shares that fit into a batch of `size` bytes each, a larger record alone in its own."""
    first = taken = 0
    for row, (key, value) in enumerate(zip(keys, values, strict=True)):
        length = len(value) + len(key or b"") + OVERHEAD
        if taken and taken + length > size - OVERHEAD * 2:
            yield slice(first, row)
            first, taken = row, 0
        taken += length
    if taken:
        yield slice(first, len(values))


def _queue(producer: Any, where: TopicPartition, builder: MemoryRecordsBuilder) -> Any:  # noqa: ANN401 - kafka-python has no types
    """Puts a filled batch at the end of its partition's queue, under the same locks as a single record."""
    batch = ProducerBatch(where, builder)
    first = FutureRecordMetadata(batch.produce_future, 0, None, None, -1, -1, -1)
    batch._record_futures.append(first)  # noqa: SLF001 - the library counts on one
    accumulator = producer._accumulator  # noqa: SLF001 - `send` is its only public door
    with accumulator._tp_lock(where):  # noqa: SLF001 - as above
        accumulator._batches[where].append(batch)  # noqa: SLF001 - as above
        accumulator._incomplete.add(batch)  # noqa: SLF001 - as above
    return batch.produce_future
