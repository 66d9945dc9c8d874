"""Reading a whole partition back, for tests of the broker."""

from collections.abc import Mapping
from typing import Literal

from kafka import KafkaConsumer
from kafka.structs import TopicPartition


def read_values(
    bootstrap_servers: str,
    topic: str,
    *,
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed",
    client: Mapping[str, object] | None = None,
) -> list[bytes]:
    """Return the values of partition 0 from its start to its present end, in order."""
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, isolation_level=isolation, **(client or {}))
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    values: list[bytes] = []
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=200).values():
            values += [record.value for record in records]
    consumer.close()
    return values
