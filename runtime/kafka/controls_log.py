"""The controls topic: read whole and in order, followed, and written without overwriting anybody."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import TopicPartition

from fraud.contracts.controls import Control
from fraud.controls.state import Applied, ControlsState, Refusal, Refused
from runtime.errors import Misconfigured, Unavailable, VersionConflict
from runtime.kafka.appender import Appender
from runtime.kafka.client import REQUEST_MS, Cluster, open_consumer
from runtime.kafka.topics import Topic

TOPIC: Final = "fraud.controls.v1"
CREATE: Final = "create it with `python -m service topics`"
WAIT_MS: Final = 10_000
MAX_RECORDS: Final = 2_000


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """A record of the controls topic.

    Attributes:
        offset: where it stands.
        timestamp_us: when the broker took it, µs since 1970 UTC.
        value: a `Control`, if its writer kept to the contract.
    """

    offset: int
    timestamp_us: int
    value: bytes


class ControlsReader:
    """Follows the controls topic from a position, without a group. Not thread-safe."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._where = TopicPartition(topic, 0)
        self._consumer: Any = None
        self.position = 0
        """Offset of the next record."""

    def poll(self, timeout: float = 0.0) -> Sequence[ControlRecord]:
        """The next records; none when there are none by `timeout` seconds. Connects on first use.

        Raises:
            Unavailable: the broker is away; ask again.
            Misconfigured: the topic is absent, has more than one partition, or has lost its beginning.
        """
        consumer = self._opened()
        with self._cluster.translated(f"reading {self._where.topic}"):
            polled = consumer.poll(timeout_ms=int(timeout * 1000), max_records=MAX_RECORDS)
            self.position = int(consumer.position(self._where, timeout_ms=REQUEST_MS))
        return [
            ControlRecord(record.offset, record.timestamp * 1000, record.value or b"")
            for record in polled.get(self._where, ())
        ]

    def end(self) -> int:
        """The next offset of the log as of now. Asks the broker; raises as `poll`."""
        with self._cluster.translated(f"reading the end of {self._where.topic}"):
            return int(self._opened().end_offsets([self._where], timeout_ms=REQUEST_MS)[self._where])

    def to_end(self) -> Iterator[ControlRecord]:
        """The records up to the end as of now; raises as `poll`."""
        end, silent = self.end(), 0
        while self.position < end:
            before = self.position
            yield from self.poll(0.5)
            silent = silent + 1 if self.position == before else 0
            if silent > WAIT_MS / 500:
                raise Unavailable(f"reading {self._where.topic}: no answer in {WAIT_MS / 1000:g} s")

    def close(self) -> None:
        """Disconnects."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=1_000)

    def _opened(self) -> Any:  # noqa: ANN401 - kafka-python has no types
        if self._consumer is not None:
            return self._consumer
        with self._cluster.translated(f"reading {self._where.topic}"):
            consumer = open_consumer(_reading(self._cluster))
            try:
                self._check(consumer)
                consumer.assign([self._where])
                consumer.seek(self._where, self.position)
            except BaseException:
                consumer.close(autocommit=False, timeout_ms=1_000)
                raise
        self._consumer = consumer
        return consumer

    def _check(self, consumer: Any) -> None:  # noqa: ANN401 - kafka-python has no types
        topic = self._where.topic
        partitions = consumer.partitions_for_topic(topic) or set()
        if len(partitions) != 1:
            raise Misconfigured(f"topic {topic} has {len(partitions)} partitions and needs 1: {CREATE}")
        first = consumer.beginning_offsets([self._where], timeout_ms=REQUEST_MS)[self._where]
        if first > self.position:
            raise Misconfigured(
                f"topic {topic} begins at offset {first}: controls before it are lost; set its retention.ms to -1, "
                "then put every control anew under a new topic (FRAUD_CONTROLS_TOPIC)"
            )


class ControlsWriter:
    """Appends versions of controls; knows them all first, so that none is written blindly."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._topic = topic
        self._reader = ControlsReader(cluster, topic)
        self._appender = Appender(cluster)
        self.state = ControlsState()
        """The controls as of the last `refresh` or `put`."""

    def refresh(self) -> ControlsState:
        """The controls as of now."""
        for record in self._reader.to_end():
            self.state.apply(record.value, record.offset)
        self.state.offset = max(self.state.offset, self._reader.position)
        return self.state

    def put(self, control: Control) -> int:
        """Appends one version; its offset, once it is in the log and counts there.

        Raises:
            VersionConflict: somebody else wrote that version first; theirs stands.
            Misconfigured: it would not count for another reason, which is named; nothing was written.
            Unavailable: it is unknown whether it was written; `refresh` tells.
        """
        _raise(self.refresh().refusal(control))
        offset = self._appender.append(self._topic, control.control_id, control.encode())
        while self.state.offset <= offset:
            for record in self._reader.to_end():
                taken = self.state.apply(record.value, record.offset)
                if record.offset == offset:
                    _raise(taken)
        return offset

    def close(self) -> None:
        """Disconnects."""
        self._reader.close()
        self._appender.close()


def read_controls(cluster: Cluster, topic: str) -> ControlsState:
    """All controls as of now; raises as `ControlsReader.poll`."""
    writer = ControlsWriter(cluster, topic)
    try:
        return writer.refresh()
    finally:
        writer.close()


def controls_topic(name: str, replication: int) -> Topic:
    """The topic as it shall be: one partition, since the order of all versions decides, and nothing ever deleted."""
    return Topic(name, 1, replication, {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"})


def _raise(outcome: Applied | Refused | None) -> None:
    if isinstance(outcome, Refused):
        kind = VersionConflict if outcome.reason is Refusal.CONFLICT else Misconfigured
        raise kind(outcome.detail)


def _reading(cluster: Cluster) -> dict[str, object]:
    return {
        **cluster.config(),
        "group_id": None,
        "auto_offset_reset": "none",
        "fetch_max_wait_ms": 500,
        "retry_backoff_ms": 50,
    }
