"""The part of a stream that stands in its topics already: sent again, it goes on where it ended.

The same seed and dials give the same bytes, so that a record is known by its value.
"""

from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

import xxhash
from kafka import TopicPartition

from runtime.kafka.client import Cluster, open_consumer
from simulator.output.publish import DeliveryError, Message

POLL_MS: Final = 5_000


def held(bootstrap_servers: str, topics: Iterable[str]) -> set[int]:
    """What every record of the topics is known by, as they stand now.

    Raises:
        DeliveryError: a topic does not exist.
        KafkaError: the broker does not answer.
    """
    consumer = open_consumer(
        {
            **Cluster(bootstrap_servers).config(),
            "client_id": "fraud-simulator", "bootstrap_timeout_ms": 15_000, "enable_auto_commit": False,
            "auto_offset_reset": "earliest", "max_poll_records": 5_000,
        }
    )  # fmt: skip
    try:
        partitions = [where for topic in topics for where in _partitions(consumer, topic)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning()
        found: set[int] = set()
        while any(consumer.position(where) < ends[where] for where in partitions):
            for records in consumer.poll(POLL_MS).values():
                found.update(known_by(record.value) for record in records if record.value is not None)
        return found
    finally:
        consumer.close(autocommit=False)


def _partitions(consumer: Any, topic: str) -> list[TopicPartition]:  # noqa: ANN401 - kafka-python has no types
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise DeliveryError(f"topic {topic}: it does not exist; create it first: python -m service topics")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def known_by(value: bytes) -> int:
    """A record's value as one number."""
    return xxhash.xxh3_64_intdigest(value)


def missing(stream: Iterator[Message], there: Container[int]) -> Iterator[Message]:
    """The messages of a stream that are not there yet, in order."""
    return (message for message in stream if known_by(message.value) not in there)
