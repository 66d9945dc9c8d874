"""`service.ports.Log` on Kafka: a group member, a publisher and a reader, tied by one commit."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from kafka.errors import KafkaError, RetriableError
from kafka.structs import ConsumerGroupMetadata

from runtime.errors import Misconfigured, Unavailable
from runtime.kafka.client import Cluster
from runtime.kafka.private_parts import check_private_parts
from service.adapters.kafka.group import Group, Reader
from service.adapters.kafka.publisher import OrderedPublisher, Publisher, TransactionalPublisher
from service.ports import Assignment, Channel, Output, Records


class KafkaLog:
    """See `service.ports.Log`, which says what each method promises."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        input_topic: str,
        topics: Mapping[Channel, str],
        group_id: str,
        instance_id: str,
        partitions: int = 1,
        exactly_once: bool = True,
        batch_records: int = 2_000,
        transaction_timeout_ms: int = 15_000,
        session_timeout_ms: int = 10_000,
        max_poll_interval_ms: int = 300_000,
    ) -> None:
        self._cluster = cluster
        self._input = input_topic
        self._partitions = partitions
        self._topics = topics
        self._group = Group(
            cluster,
            topic=input_topic,
            group_id=group_id,
            instance_id=instance_id,
            batch_records=batch_records,
            session_timeout_ms=session_timeout_ms,
            max_poll_interval_ms=max_poll_interval_ms,
        )
        self._reader = Reader(cluster, input_topic)
        self._publisher: Publisher = (
            TransactionalPublisher(
                cluster,
                input_topic=input_topic,
                topics=topics,
                transactional_id=f"{group_id}/{instance_id}",  # no name holds a slash: no two pairs give one id
                timeout_ms=transaction_timeout_ms,
            )
            if exactly_once
            else OrderedPublisher(
                cluster,
                input_topic=input_topic,
                topics=topics,
                timeout_ms=transaction_timeout_ms,
                consumer=lambda: self._group.consumer,
            )
        )
        self._committer = ThreadPoolExecutor(1, "commit")
        self._commit: Future[Mapping[str, float]] | None = None
        # What is the work of one of them alone.
        self.joined = self._group.joined
        self.resume, self.lag = self._group.resume, self._group.lag
        self.identity, self.bounds, self.replay = self._reader.identity, self._reader.bounds, self._reader.replay
        self.offset_at, self.timestamp_at = self._reader.offset_at, self._reader.timestamp_at

    def open(self) -> None:
        """Connects; refuses another kafka-python than this is written for, and topics that do not exist."""
        check_private_parts()
        self._group.open()
        for topic in (self._input, *sorted(set(self._topics.values()))):
            if not self._group.partitions(topic):
                raise Misconfigured(
                    f"topic {topic} does not exist at {self._cluster.servers}: run python -m service topics"
                )
        found = self._group.partitions(self._input)
        if found != self._partitions:
            raise self._of_another_size(str(found))

    def _of_another_size(self, found: str) -> Misconfigured:
        return Misconfigured(
            f"topic {self._input} has {found} partitions, the platform declares {self._partitions}: histories are "
            "kept by partition, and the model was made for that number"
        )

    def poll(self, timeout: float) -> list[Records]:
        """See `service.ports.Log.poll`."""
        if self._commit is not None and self._group.must_rejoin():
            wait([self._commit])  # a new generation of the group would refuse it
        return self._group.poll(timeout)

    def assignment(self) -> Assignment:
        """See `service.ports.Log.assignment`."""
        assignment = self._group.assignment()
        if max(assignment.partitions, default=0) >= self._partitions:
            raise self._of_another_size(f"at least {max(assignment.partitions) + 1}")
        return assignment

    def committed(self, partition: int) -> int | None:
        """See `service.ports.Log.committed`."""
        # A predecessor's open transaction hides its offsets until it is settled, which opening the publisher does.
        # Not earlier than here: whoever opens one has joined the group, so that of two processes with one id the
        # same one loses both its membership and its transactions.
        with self._cluster.translated("settling transactions"):
            self._publisher.open()
        return self._group.committed(partition)

    def commit(self, outputs: Sequence[Output]) -> Future[Mapping[str, float]]:
        """See `service.ports.Log.commit`."""
        # A thread of its own: most of the time is waiting for the broker, in which the next batch can be scored.
        self._commit = self._committer.submit(self._publish, outputs, self._group.member, dict(self._group.epochs))
        return self._commit

    def _publish(
        self, outputs: Sequence[Output], member: ConsumerGroupMetadata, epochs: Mapping[int, int]
    ) -> Mapping[str, float]:
        if member.generation_id < 0:
            # The broker checks no membership then, and would take the commit of a dead owner.
            raise Unavailable("committing: this instance has fallen out of the group")
        with self._cluster.translated("committing"):
            try:
                return self._publisher.publish(outputs, member, epochs)
            except RetriableError:
                raise  # an answer that did not come says nothing about who we are
            except KafkaError:
                # Perhaps we are not who we were: a newer generation, an expired transaction, or another process.
                self._group.suspect(member)
                raise

    def recover(self) -> None:
        """See `service.ports.Log.recover`."""
        self._publisher.close()
        self._group.open()
        self._group.rejoin()
        with self._cluster.translated("settling transactions"):
            self._publisher.open()

    def close(self) -> None:
        """See `service.ports.Log.close`."""
        self._committer.shutdown()
        self._publisher.close()
        self._group.close()
        self._reader.close()
