"""Follows topics from known positions on, or from their ends, in a thread: each committed record, through outages."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import structlog
from kafka import TopicPartition

from runtime.errors import Misconfigured, ServiceError
from runtime.kafka.batch_reader import Headers, read_in_batches
from runtime.kafka.client import REQUEST_MS, Cluster, open_consumer

POLL_MS: Final = 200
PAUSE_SECONDS: Final = 0.5
"""Between attempts to reach the broker."""

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""

_log = structlog.get_logger(__name__)


class Followed(NamedTuple):
    """A record of one of the topics."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Headers


class Follower:
    """Hands on what is committed to some topics.

    Args:
        cluster: where they are.
        topics: they; each must exist.
        positions: where to begin, by topic and partition; a topic without any begins with what comes from now on.
        take: called in this object's thread with the records of each fetch and with where to begin after them; the
            first time without records, once it is known where it begins.
    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        *,
        positions: Mapping[Place, int],
        take: Callable[[list[Followed], Mapping[Place, int]], None],
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._positions = {TopicPartition(*place): at for place, at in positions.items() if place[0] in topics}
        self._take = take
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self.started = threading.Event()
        """Set once it is known where it begins: nothing that is committed later is missed."""

    def start(self) -> None:
        """Begins; returns at once."""
        self._thread.start()

    def close(self, *, seconds: float = 2.0) -> None:
        """Ends, waiting for its thread so many seconds at most."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                self._follow()
            except ServiceError as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("cannot follow the topics", error=said)
                self._stop.wait(PAUSE_SECONDS)

    def _follow(self) -> None:
        with self._cluster.translated("following topics"):
            consumer = open_consumer(
                {
                    **self._cluster.config(),
                    "auto_offset_reset": "earliest",  # of what retention has taken away, the rest
                    "retry_backoff_ms": 50,
                }
            )
            try:
                read_in_batches(consumer)
                self._begin(consumer)
                while not self._stop.is_set():
                    self._poll(consumer)
            finally:
                consumer.close(timeout_ms=1_000)

    def _begin(self, consumer: Any) -> None:  # noqa: ANN401 - kafka-python has no types
        places = [TopicPartition(t, p) for t in self._topics for p in sorted(consumer.partitions_for_topic(t) or ())]
        missing = set(self._topics) - {place.topic for place in places}
        if missing:
            raise Misconfigured(f"topics {', '.join(sorted(missing))} do not exist: run python -m service topics")
        fresh = [place for place in places if place not in self._positions]
        if fresh:
            ends = consumer.end_offsets(fresh, timeout_ms=REQUEST_MS)
            self._positions |= {place: int(ends[place]) for place in fresh}
        consumer.assign(places)
        for place in places:
            consumer.seek(place, self._positions[place])
        if not self.started.is_set():
            self._take([], _named(self._positions))
            self.started.set()

    def _poll(self, consumer: Any) -> None:  # noqa: ANN401 - kafka-python has no types
        polled = consumer.poll(timeout_ms=POLL_MS)
        if polled:
            records = [
                Followed(place.topic, place.partition, record.offset, record.value, record.headers)
                for place, found in polled.items()
                for record in found
            ]
            moved = {place: found[-1].offset + 1 for place, found in polled.items()}
            self._take(records, _named(moved))
            self._positions |= moved


def _named(positions: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {(place.topic, place.partition): offset for place, offset in positions.items()}
