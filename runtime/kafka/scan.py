"""Reads a topic from a time to its end, once: to look what is there."""

from collections.abc import Iterator
from typing import Any, Final

from kafka import TopicPartition

from runtime.errors import Unavailable
from runtime.kafka.batch_reader import read_in_batches
from runtime.kafka.client import REQUEST_MS, Cluster, open_consumer
from runtime.kafka.follower import Followed

SILENT_POLLS: Final = 10
"""Of a second each, without a record, after which the broker counts as away."""


def records_since(cluster: Cluster, topic: str, since_ms: int) -> Iterator[Followed]:
    """Every record of a topic, committed or not, whose timestamp may be at or after `since_ms`, up to its end now.

    Raises:
        Unavailable: the broker does not answer.
    """
    with cluster.translated(f"reading {topic}"):
        consumer = open_consumer(
            {
                **cluster.config(),
                "isolation_level": "read_uncommitted",
                "auto_offset_reset": "earliest",
            }
        )
        try:
            read_in_batches(consumer)
            places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
            ends = consumer.end_offsets(places, timeout_ms=REQUEST_MS)
            found = consumer.offsets_for_times(dict.fromkeys(places, since_ms), timeout_ms=REQUEST_MS)
            left = {}
            for place in places:
                start = found.get(place)
                if start is not None and 0 <= start.offset < ends[place]:
                    left[place] = int(ends[place])
            consumer.assign(list(left))
            for place in left:
                consumer.seek(place, found[place].offset)
            yield from _read(consumer, left)
        finally:
            consumer.close(timeout_ms=1_000)


def _read(consumer: Any, left: dict[TopicPartition, int]) -> Iterator[Followed]:  # noqa: ANN401 - kafka-python has no types
    silent = 0
    while left:
        polled = consumer.poll(timeout_ms=1_000)
        for place, records in polled.items():
            for record in records:
                if record.offset < left.get(place, 0):
                    yield Followed(place.topic, place.partition, record.offset, record.value, record.headers)
        before = len(left)
        left = {place: end for place, end in left.items() if consumer.position(place, timeout_ms=REQUEST_MS) < end}
        consumer.pause(*(place for place in consumer.assignment() if place not in left))
        silent = 0 if polled or len(left) < before else silent + 1
        if silent >= SILENT_POLLS:
            raise Unavailable(f"reading {', '.join(sorted({p.topic for p in left}))}: no answer")
