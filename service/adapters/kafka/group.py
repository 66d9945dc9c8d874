"""The consuming side: membership in the group, polling, and offsets."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka import TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from kafka.structs import ConsumerGroupMetadata, MemberState, OffsetAndMetadata

from fraud.timestamps import within_range
from runtime.errors import OffsetsLost, Unavailable
from runtime.kafka.batch_reader import Record, Unreadable, read_in_batches
from runtime.kafka.client import REQUEST_MS, Cluster, open_consumer
from service.ports import Assignment, Records

HEARTBEAT_MS: Final = 2_000
REJOIN_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 10.0
FETCH_BYTES: Final = 8 << 20
"""Per partition and fetch; bounds what waits in memory beside the batch in hand."""


class Group:
    """One member of the consumer group. Not thread-safe."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        topic: str,
        group_id: str,
        instance_id: str,
        batch_records: int,
        session_timeout_ms: int,
        max_poll_interval_ms: int,
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._heartbeat_ms = min(HEARTBEAT_MS, session_timeout_ms // 3)
        self._config = {
            **reader_config(cluster),
            "group_id": group_id,
            "group_instance_id": instance_id,
            "client_id": instance_id,
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": self._heartbeat_ms,
            "max_poll_interval_ms": max_poll_interval_ms,
            "max_poll_records": batch_records,
        }
        self._consumer: Any = None
        self._owned = _Owned()
        self._suspected: int | None = None
        self._committed: dict[int, OffsetAndMetadata] = {}
        self.member = ConsumerGroupMetadata(group_id)
        self.epochs: dict[int, int] = {}
        """The leader's epoch of each partition's last polled record: committed with its offset, it shows a log that
        was cut back and has grown again (KIP-320)."""

    def open(self) -> None:
        """Connects and subscribes; joins with the first `poll`."""
        if self._consumer is not None:
            return
        with self._cluster.translated("connecting"):
            consumer = open_consumer(self._config)
            read_in_batches(consumer)
            self._owned.consumer = self._consumer = consumer
            consumer.subscribe([self._topic], listener=self._owned)

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; 0 where there is none."""
        with self._cluster.translated("reading metadata"):
            return len(self.consumer.partitions_for_topic(topic))

    @property
    def consumer(self) -> Any:  # noqa: ANN401 - kafka-python has no types; nothing past this package sees it
        """The consumer, once open."""
        if self._consumer is None:
            raise Unavailable(f"not connected to {self._cluster.servers}")
        return self._consumer

    def poll(self, timeout: float) -> list[Records]:
        """See `service.ports.Log.poll`."""
        with self._cluster.translated("polling"):
            try:
                polled = self.consumer.poll(timeout_ms=int(timeout * 1000))
            except NoOffsetForPartitionError:
                polled = {}  # newly owned and never committed: `resume` gives it a position
            except OffsetOutOfRangeError as error:
                raise self._lost(error) from error
            # Read right here: the commit must be refused if the group moves on before it.
            self.member = self.consumer.group_metadata()
            for where in polled:
                position = self._position(where)
                self.epochs[where.partition] = -1 if position is None else position.leader_epoch
        return [columns(partition.partition, records) for partition, records in polled.items()]

    def assignment(self) -> Assignment:
        """See `service.ports.Log.assignment`."""
        return Assignment(self._owned.epoch, frozenset(p.partition for p in self.consumer.assignment()))

    def joined(self) -> bool:
        """See `service.ports.Log.joined`."""
        if self._consumer is None:
            return False
        member = self._consumer.group_metadata()
        # The state stays what it was while the broker is away; only the coordinator is forgotten, after a heartbeat.
        reachable = not self._consumer._coordinator.coordinator_unknown()  # noqa: SLF001 - under no public name
        return bool(member.state == MemberState.STABLE and member.generation_id >= 0 and reachable)

    def rejoin(self) -> None:
        """Pauses everything and polls until this instance is a member in good standing.

        After `suspect`, only a heartbeat can tell the consumer the truth: wait until it has noticed, or until a few
        heartbeats have found nothing wrong.
        """
        start = time.monotonic()
        patience = 2.5 * self._heartbeat_ms / 1000 if self._suspected is not None else 0.0
        while time.monotonic() - start < REJOIN_SECONDS:
            with self._cluster.translated("rejoining the group"):
                self.consumer.pause(*self.consumer.assignment())
            self.poll(0.1)
            noticed = self.member.generation_id != self._suspected
            if self.joined() and (noticed or time.monotonic() - start > patience):
                self._suspected = None
                return
        raise Unavailable(f"rejoining the group at {self._cluster.servers}: no answer in {REJOIN_SECONDS:g} s")

    def suspect(self, member: ConsumerGroupMetadata) -> None:
        """Notes that the broker may have refused this membership."""
        self._suspected = int(member.generation_id)

    def must_rejoin(self) -> bool:
        """Whether the next `poll` joins the group anew, as far as heartbeats have told. Never blocks."""
        return bool(self.consumer._coordinator.need_rejoin())  # noqa: SLF001 - under no public name

    def committed(self, partition: int) -> int | None:
        """See `service.ports.Log.committed`."""
        with self._cluster.translated("reading the committed offset"):
            where = TopicPartition(self._topic, partition)
            position = self.consumer.committed(where, metadata=True, timeout_ms=REQUEST_MS)
        if position is None:
            return None
        self._committed[partition] = position
        return int(position.offset)

    def resume(self, partition: int, position: int) -> None:
        """See `service.ports.Log.resume`."""
        where = TopicPartition(self._topic, partition)
        if where in self.consumer.assignment():  # else it was lost again meanwhile; the next poll says so
            self.consumer.seek(where, position)
            committed = self._committed.get(partition)
            if committed is not None and committed.offset == position:
                # seek() takes no epoch; with it, the consumer asks the leader whether the log still is what it was.
                self.consumer._subscription.assignment[where].position = committed  # noqa: SLF001 - as above
            self.consumer.resume(where)

    def lag(self) -> dict[int, int]:
        """See `service.ports.Log.lag`."""
        behind = {}
        for where in self.consumer.assignment():
            end, position = self.consumer.highwater(where), self._position(where)
            if end is not None and position is not None:
                behind[where.partition] = max(0, end - position.offset)
        return behind

    def _position(self, where: TopicPartition) -> OffsetAndMetadata | None:
        state = self.consumer._subscription.assignment.get(where)  # noqa: SLF001 - position() may ask the broker
        return None if state is None else state.position

    def _lost(self, error: OffsetOutOfRangeError) -> OffsetsLost:
        ranges = []
        for where, offset in error.args[0].items():
            first = self.consumer.beginning_offsets([where], timeout_ms=REQUEST_MS)[where]
            ranges.append(f"partition {where.partition}: offsets {offset} to {first - 1}")
        return OffsetsLost(
            f"{self._topic} no longer holds what was not yet scored, {'; '.join(ranges)}: lengthen its retention, "
            "then move the group's committed offset to where it shall go on"
        )

    def close(self) -> None:
        """See `service.ports.Log.close`."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=2_000)


class _Owned(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Only pauses and counts: it runs on the client's I/O thread, where nothing may block."""

    def __init__(self) -> None:
        self.consumer: Any = None
        self.epoch = 0

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self.consumer.pause(*assigned)
        self.epoch += 1

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Joins are driven by `poll`: a commit under way ends before, or the broker refuses it as of a former owner."""

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:  # noqa: ARG002 - the signature is Kafka's
        self.epoch += 1


class Reader:
    """Reads single partitions apart from any group: for replays and look-ups."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._consumer: Any = None

    @property
    def _open(self) -> Any:  # noqa: ANN401 - kafka-python has no types
        if self._consumer is None:
            with self._cluster.translated("connecting"):
                self._consumer = open_consumer({**reader_config(self._cluster), "max_poll_records": 5_000})
                read_in_batches(self._consumer)
        return self._consumer

    def partitions(self) -> list[int]:
        """The topic's partitions, ascending; empty where there is no such topic."""
        with self._cluster.translated("reading metadata"):
            return sorted(self._open.partitions_for_topic(self._topic))

    def bounds(self, partition: int) -> tuple[int, int]:
        """See `service.ports.Log.bounds`."""
        where = TopicPartition(self._topic, partition)
        with self._cluster.translated("reading offsets"):
            first = self._open.beginning_offsets([where], timeout_ms=REQUEST_MS)[where]
            return int(first), int(self._open.end_offsets([where], timeout_ms=REQUEST_MS)[where])

    def offset_at(self, partition: int, timestamp_us: int) -> int:
        """See `service.ports.Log.offset_at`."""
        where = TopicPartition(self._topic, partition)
        with self._cluster.translated("looking up a time"):
            # Up to the next millisecond: Kafka's clock is coarser than ours.
            found = self._open.offsets_for_times({where: max(0, -(-timestamp_us // 1000))}, timeout_ms=REQUEST_MS)
        at = found.get(where)
        return int(at.offset) if at is not None and at.offset >= 0 else self.bounds(partition)[1]

    def timestamp_at(self, partition: int, offset: int) -> int | None:
        """See `service.ports.Log.timestamp_at`."""
        first, end = self.bounds(partition)
        for records in self.replay(partition, max(first, offset), end):
            return records.timestamps_us[0]
        return None

    def replay(self, partition: int, start: int, end: int) -> Iterator[Records]:
        """See `service.ports.Log.replay`."""
        where = TopicPartition(self._topic, partition)
        consumer = self._open
        with self._cluster.translated("replaying"):
            consumer.assign([where])
            consumer.seek(where, start)
            moved, position = time.monotonic(), start
            while position < end:
                found = list(consumer.poll(timeout_ms=1_000).values())
                before, position = position, consumer.position(where, timeout_ms=REQUEST_MS)
                if position != before:
                    moved = time.monotonic()
                elif time.monotonic() - moved > SILENCE_SECONDS:
                    # poll() itself waits for a broker for ever, and whoever reads would not turn meanwhile.
                    raise Unavailable(f"replaying at {self._cluster.servers}: no answer in {SILENCE_SECONDS:g} s")
                for polled in found:
                    inside = [record for record in polled if record.offset < end]
                    if inside:
                        yield columns(partition, inside)

    def identity(self) -> str:
        """The ids of cluster and topic; of the cluster alone where brokers, before 2.8, give topics none."""
        self.partitions()
        metadata = self._open._cluster  # noqa: SLF001 - what a consumer knows of its cluster has no public name
        topic = metadata.topic_id(self._topic)
        return f"{metadata.cluster_id}-{topic}" if topic is not None and topic.int else str(metadata.cluster_id)

    def close(self) -> None:
        """Disconnects."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=1_000)


def reader_config(cluster: Cluster) -> dict[str, object]:
    """kafka-python's arguments for reading committed records, without surprises."""
    return {
        **cluster.config(),
        "auto_offset_reset": "none",
        "max_partition_fetch_bytes": FETCH_BYTES,
        "fetch_max_bytes": 2 * FETCH_BYTES,
        "retry_backoff_ms": 50,
    }


def columns(partition: int, records: Sequence[Record]) -> Records:
    """Records (named tuples) as columns."""
    offsets, timestamps, keys, values, heads, _ = zip(*records, strict=True)
    times = within_range([time_ms * 1000 for time_ms in timestamps])
    odd = {row: head for row, head in enumerate(heads) if isinstance(head, Unreadable)}
    if not odd:
        return Records(partition, offsets, times, keys, values, heads)
    unread = {row: head.value for row, head in odd.items() if head.value is not None}
    headers = [() if row in odd else head for row, head in enumerate(heads)]
    return Records(partition, offsets, times, keys, values, headers, unread, len(odd) - len(unread))
