"""A producer that writes each message once, however long the broker is away.

Idempotent (KIP-98) and without a limit of time: a batch that expired might be in the log or not, so none expires. Only
an error that repeating cannot mend breaks it, and whoever uses it then looks into the log before sending again.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from kafka.errors import KafkaError

from runtime.kafka.client import Cluster, open_producer

PATIENCE_MS: Final = 7 * 86_400_000
REQUEST_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to deliver.

    Attributes:
        number: the caller's name for it.
        topic: where it goes; its key chooses the partition.
        key: of the record.
        value: of the record.
        headers: of the record.
        timestamp_ms: of the record.
    """

    number: int
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a message stands in the log; the offset is -1 where a repetition left it unknown."""

    number: int
    partition: int
    offset: int


class Delivery:
    """Sends messages; to be used from one thread.

    Args:
        cluster: where to.
        placed: told of each message that the broker has, in a thread of the library's.
        broken: told once, with the error, that nothing more can be sent; the same thread.
    """

    def __init__(
        self, cluster: Cluster, *, placed: Callable[[Placed], None], broken: Callable[[BaseException], None]
    ) -> None:
        self._cluster = cluster
        self._placed = placed
        self._broken = broken
        self._producer: Any = None

    def open(self, topics: Iterable[str]) -> None:
        """Connects, and learns of the topics' partitions, so that `send` never waits for that.

        Raises:
            Unavailable: no broker answers.
            Misconfigured: wrong credentials.
        """
        with self._cluster.translated("connecting the producer"):
            producer = open_producer(
                {
                    **self._cluster.config(),
                    "acks": "all",
                    "enable_idempotence": True,
                    "linger_ms": 0,
                    "request_timeout_ms": REQUEST_MS,
                    "delivery_timeout_ms": PATIENCE_MS,
                    "max_block_ms": REQUEST_MS,
                    "retry_backoff_ms": 50,
                }
            )
            try:
                for topic in topics:
                    producer.partitions_for(topic)
            except BaseException:
                producer._sender.force_close()  # noqa: SLF001 - close() alone would wait for a broker
                producer.close(timeout=1.0)
                raise
            self._producer = producer

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Hands messages over; `placed` tells of each."""
        with self._cluster.translated("sending"):
            for m in messages:
                future = self._producer.send(m.topic, m.value, m.key, list(m.headers), timestamp_ms=m.timestamp_ms)
                future.add_callback(self._acknowledged, m.number)
                future.add_errback(self._broken)

    def _acknowledged(self, number: int, where: Any) -> None:  # noqa: ANN401 - kafka-python has no types
        self._placed(Placed(number, int(where.partition), int(where.offset)))

    def close(self, *, seconds: float = 0.0) -> None:
        """Gives what was handed over so many seconds to arrive, then drops it. Never raises."""
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        with suppress(KafkaError):
            if seconds:
                producer.flush(seconds)
        with suppress(KafkaError):
            producer._sender.force_close()  # noqa: SLF001 - as above
            producer.close(timeout=1.0)
