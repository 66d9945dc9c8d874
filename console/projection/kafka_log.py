"""`console.projection.log` on Kafka."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import OffsetOutOfRangeError

from console.projection.log import LogRecord
from runtime.errors import Unavailable
from runtime.kafka.batch_reader import read_in_batches
from runtime.kafka.client import REQUEST_MS, Cluster, open_consumer

POLL_MS: Final = 200
MAX_RECORDS: Final = 5_000


class KafkaReader:
    """See `LogReader`; without a consumer group: the projection keeps its own positions."""

    def __init__(self, cluster: Cluster, topics: Sequence[str]) -> None:
        self._cluster = cluster
        self._topics = topics
        self._consumer: Any = None

    def start(self, positions: Mapping[tuple[str, int], int]) -> None:
        """See `LogReader.start`. Records that are gone before they were read are skipped: retention is the topic's."""
        self.close()
        config = {
            **self._cluster.config(),
            "group_id": None,
            "auto_offset_reset": "none",
            "max_poll_records": MAX_RECORDS,
            "fetch_max_wait_ms": POLL_MS,
        }
        with self._cluster.translated("connecting"):
            consumer = open_consumer(config)
        read_in_batches(consumer)
        try:
            with self._cluster.translated("reading metadata"):
                places = [TopicPartition(topic, p) for topic in self._topics for p in _partitions(consumer, topic)]
                consumer.assign(places)
                first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
                for place in places:
                    wanted = positions.get((place.topic, place.partition), 0)
                    _check_end(place, wanted, ends[place])
                    consumer.seek(place, max(wanted, first[place]))
        except BaseException:
            consumer.close()
            raise
        self._consumer = consumer

    def start_from(self, time_us: int) -> None:
        """See `LogReader.start_from`."""
        with self._cluster.translated("looking for a time"):
            places = list(self._consumer.assignment())
            found = self._consumer.offsets_for_times(dict.fromkeys(places, time_us // 1000), timeout_ms=REQUEST_MS)
            ends = self._consumer.end_offsets(places)
            for place in places:
                first = found.get(place)
                self._consumer.seek(place, first.offset if first is not None and first.offset >= 0 else ends[place])

    def one(self, topic: str, partition: int, offset: int) -> LogRecord | None:
        """See `LogReader.one`."""
        place = TopicPartition(topic, partition)
        with self._cluster.translated(f"reading {topic}"):
            config = {**self._cluster.config(), "group_id": None, "auto_offset_reset": "none", "max_poll_records": 1}
            consumer = open_consumer(config)
            try:
                consumer.assign([place])
                consumer.seek(place, offset)
                records = consumer.poll(timeout_ms=REQUEST_MS).get(place, [])
            except OffsetOutOfRangeError:
                return None
            finally:
                consumer.close()
        found = next((record for record in records if record.offset == offset), None)
        return (
            None if found is None else LogRecord(topic, partition, offset, found.timestamp * 1000, found.value or b"")
        )

    def poll(self) -> Sequence[LogRecord]:
        """See `LogReader.poll`."""
        with self._cluster.translated("reading"):
            try:
                batches = self._consumer.poll(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
            except OffsetOutOfRangeError as error:
                raise Unavailable(f"records went while they were read: {error}") from None
        return [
            LogRecord(place.topic, place.partition, record.offset, record.timestamp * 1000, record.value or b"")
            for place, records in batches.items()
            for record in records
        ]

    def behind(self) -> int:
        """See `LogReader.behind`; markers of transactions count until they are passed."""
        with self._cluster.translated("asking for the ends of topics"):
            places = list(self._consumer.assignment())
            ends = self._consumer.end_offsets(places)
            return sum(max(0, ends[place] - self._consumer.position(place)) for place in places)

    def close(self) -> None:
        """See `LogReader.close`."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def _partitions(consumer: Any, topic: str) -> list[int]:  # noqa: ANN401 - kafka-python has no types
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise Unavailable(f"topic {topic} does not exist: `python -m service topics` and `python -m console topics`")
    return sorted(partitions)


def _check_end(place: TopicPartition, wanted: int, end: int) -> None:
    if wanted > end:
        raise Unavailable(
            f"{place.topic}-{place.partition} ends at {end}, before what was read of it ({wanted}): it was made again; "
            "stop the console and run `python -m console rebuild`"
        )
