"""The producing side: all messages of a batch and its positions, in one transaction or, at least once, in order."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from kafka import TopicPartition, errors
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureProduceResult
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from runtime.errors import Refused
from runtime.kafka import batch_writer as bulk
from runtime.kafka.client import REQUEST_MS, Cluster, open_producer
from service.ports import Channel, Messages, Output

RETRY_MS: Final = 5
"""Each retried transactional request sleeps this long, and one waits for the commit before it in most transactions."""

MAX_BATCH: Final = 1_000_000
"""Records of one partition that travel together, below what a broker takes by default."""

MAX_REQUEST: Final = 8 << 20
UNSENDABLE: Final = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidRecordError,
    errors.InvalidTimestampError,
    errors.PolicyViolationError,
    errors.UnsupportedForMessageFormatError,
)
"""What is said of messages, not of the moment: the same ones will be refused again."""

LINGER_MS: Final = 1_000
"""Longer than handing over a batch takes: `flush` sends it, as one request and not as one record and then the rest."""


class Publisher(Protocol):
    """Publishes a batch and moves the positions of the input."""

    def open(self) -> None:
        """Connects, and settles what a predecessor with the same id left open; may be called again."""

    def publish(
        self, outputs: Sequence[Output], member: ConsumerGroupMetadata, epochs: Mapping[int, int]
    ) -> Mapping[str, float]:
        """All or, on a KafkaError, an unknown part; it must then be closed. Seconds spent, as `Log.commit`."""

    def close(self) -> None:
        """Drops what was not committed; never raises."""


class TransactionalPublisher:
    """Everything in one Kafka transaction (KIP-98, KIP-447).

    kafka-python waits without limit for the end of a transaction, and lets a transaction commit although a batch of it
    has expired. So this class waits with a limit, through the transaction manager, and asks every send for its result.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        input_topic: str,
        topics: Mapping[Channel, str],
        transactional_id: str,
        timeout_ms: int,
    ) -> None:
        self._cluster = cluster
        self._input = input_topic
        self._topics = topics
        self._timeout = timeout_ms / 1000
        self._config = {
            **producer_config(cluster, timeout_ms),
            "transactional_id": transactional_id,
            "transaction_timeout_ms": timeout_ms,
        }
        self._producer: Any = None

    def open(self) -> None:
        """See `Publisher`."""
        if self._producer is None:
            producer = open_producer(self._config)
            try:
                producer.init_transactions()
            except BaseException:
                _discard(producer)
                raise
            self._producer = producer

    def publish(
        self, outputs: Sequence[Output], member: ConsumerGroupMetadata, epochs: Mapping[int, int]
    ) -> Mapping[str, float]:
        """See `Publisher`."""
        self.open()
        start = time.monotonic()
        deadline = start + self._timeout
        producer = self._producer
        producer.begin_transaction()
        _send(producer, outputs, self._topics, deadline)
        sent = time.monotonic()
        positions = _positions(self._input, outputs, epochs)
        manager = producer._transaction_manager  # noqa: SLF001 - the public methods wait without limit
        self._await(manager.send_offsets_to_transaction(positions, member), deadline)
        self._await(manager.begin_commit(), deadline)
        return {"send": sent - start, "commit": time.monotonic() - sent}

    def _await(self, result: Any, deadline: float) -> None:  # noqa: ANN401 - kafka-python has no types
        self._producer._sender.wakeup()  # noqa: SLF001 - as above
        if not result.wait(timeout_ms=max(0.0, deadline - time.monotonic()) * 1000):
            raise KafkaTimeoutError(f"transaction not finished in {self._timeout:g} s")

    def close(self) -> None:
        """See `Publisher`."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            _discard(producer)


class OrderedPublisher:
    """At least once: first the messages, then the positions; a failure in between publishes some messages again."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        input_topic: str,
        topics: Mapping[Channel, str],
        timeout_ms: int,
        consumer: Any,  # noqa: ANN401 - a callable that gives kafka-python's consumer, which has no types
    ) -> None:
        self._input = input_topic
        self._topics = topics
        self._timeout = timeout_ms / 1000
        self._consumer = consumer
        self._config = producer_config(cluster, timeout_ms)
        self._producer: Any = None

    def open(self) -> None:
        """See `Publisher`."""
        if self._producer is None:
            self._producer = open_producer(self._config)

    def publish(
        self,
        outputs: Sequence[Output],
        member: ConsumerGroupMetadata,  # noqa: ARG002 - the consumer commits with its own
        epochs: Mapping[int, int],
    ) -> Mapping[str, float]:
        """See `Publisher`."""
        self.open()
        start = time.monotonic()
        _send(self._producer, outputs, self._topics, start + self._timeout)
        sent = time.monotonic()
        self._consumer().commit(_positions(self._input, outputs, epochs), timeout_ms=REQUEST_MS)
        return {"send": sent - start, "commit": time.monotonic() - sent}

    def close(self) -> None:
        """See `Publisher`."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            _discard(producer)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for any topic, outside of the service's own flow; without a timestamp it is of the moment."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int | None = None


def send_all(cluster: Cluster, records: Sequence[Outgoing], *, timeout_ms: int = 30_000) -> None:
    """Sends records in order; returns when all of them are acknowledged.

    Raises:
        Unavailable: an unknown part of them is.
    """
    with cluster.translated("sending"):
        producer = open_producer(producer_config(cluster, timeout_ms))
        try:
            futures = [producer.send(r.topic, r.value, r.key, r.headers, r.partition, r.timestamp_ms) for r in records]
            producer.flush(timeout_ms / 1000)
            for future in futures:
                _confirm(future)
        finally:
            _discard(producer)


def producer_config(cluster: Cluster, timeout_ms: int) -> dict[str, object]:
    """kafka-python's arguments for producers that lose nothing and give up before the transaction does."""
    return {
        **cluster.config(),
        "acks": "all",
        "linger_ms": LINGER_MS,
        "batch_size": MAX_BATCH,
        "max_request_size": MAX_REQUEST,
        "request_timeout_ms": max(1_000, timeout_ms // 2 - LINGER_MS),
        "delivery_timeout_ms": max(2_000, timeout_ms * 4 // 5),
        "max_block_ms": max(1_000, timeout_ms // 2),
        "retry_backoff_ms": RETRY_MS,
    }


def _positions(
    topic: str, outputs: Sequence[Output], epochs: Mapping[int, int]
) -> dict[TopicPartition, OffsetAndMetadata]:
    return {
        TopicPartition(topic, output.partition): OffsetAndMetadata(output.end, "", epochs.get(output.partition, -1))
        for output in outputs
    }


def _send(producer: Any, outputs: Sequence[Output], topics: Mapping[Channel, str], deadline: float) -> None:  # noqa: ANN401 - kafka-python has no types
    """Sends every message and returns when each is acknowledged; raises the first error otherwise."""
    sent: list[tuple[str, Messages, list[Any]]] = []
    for output in outputs:
        for messages in output.messages:
            topic = topics[messages.channel]
            with _naming(topic, messages):
                sent.append((topic, messages, _queue(producer, topic, output.partition, messages)))
    producer.flush(max(0.0, deadline - time.monotonic()))
    for topic, messages, futures in sent:
        with _naming(topic, messages):
            for future in futures:
                _confirm(future)


@contextmanager
def _naming(topic: str, messages: Messages) -> Iterator[None]:
    """Names the topic and the largest message when it is the messages themselves that are refused."""
    try:
        yield
    except UNSENDABLE as error:
        largest = max(len(key or b"") + len(value) for key, value in zip(messages.keys, messages.values, strict=True))
        raise Refused(
            f"{topic} refuses messages ({type(error).__name__}), the largest of {largest} bytes without its headers: "
            "run python -m service check, which looks at the topic's configuration"
        ) from error


def _queue(producer: Any, topic: str, partition: int, messages: Messages) -> list[Any]:  # noqa: ANN401 - kafka-python has no types
    """Hands messages over; those without headers (decisions, the many) in bulk.

    They go to the partition of the input's number: those of one customer keep their order, and nothing is hashed again.
    """
    where = TopicPartition(topic, partition % len(producer.partitions_for(topic)))
    if not messages.headers:
        return bulk.append(producer, where, messages.keys, messages.values)
    rows = zip(messages.keys, messages.values, messages.headers, strict=True)
    return [producer.send(topic, value, key, headers, where.partition) for key, value, headers in rows]


def _confirm(future: Any) -> None:  # noqa: ANN401 - kafka-python has no types
    """Raises unless the future's messages are acknowledged: an expired batch is only logged by the library."""
    if not future.is_done:
        raise KafkaTimeoutError("messages were not acknowledged (max.message.bytes of the topic must be 1048588)")
    if future.failed():
        raise future.exception
    if isinstance(future, FutureProduceResult):
        _, _, errors = future.value
        if errors is not None:
            raise errors(0)


def _discard(producer: Any) -> None:  # noqa: ANN401 - kafka-python has no types
    """Closes without flushing: whatever is unsent belongs to a transaction that is given up."""
    try:
        producer._sender.force_close()  # noqa: SLF001 - close() alone flushes first, and leaves the thread when that fails
        producer.close(timeout=1.0)
    except KafkaError:
        producer._closed = True  # noqa: SLF001 - the sender thread ends by itself; a second close must not flush again
