"""The warm-up of the reader of fetches, which compiles it: `python -m service.adapters.kafka.warmup`."""

from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from runtime.kafka.batch_reader import MAGIC, PartitionRecords


def warm_up() -> int:
    """Reads a made-up fetch; returns how many records it has."""
    builder = MemoryRecordsBuilder(MAGIC, 0, 4_096)
    builder.append(0, b"key", b"value", [("trace", b"1")])
    builder.append(0, None, None)
    builder.close()
    return len(PartitionRecords(0, TopicPartition("warmup", 0), MemoryRecords(bytes(builder.buffer()))).take())


if __name__ == "__main__":
    warm_up()
