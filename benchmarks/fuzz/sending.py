"""Records to the broker, in bulk, and where in the log each came to lie."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final, Self

from confluent_kafka import KafkaException, Producer
from confluent_kafka import Message as Told
from kafka import KafkaProducer
from kafka.errors import KafkaError

from benchmarks.fuzz.records import Record

PARTITION: Final = 0
LARGEST: Final = 100_000_000
"""Bytes that the client would send; what may come is for the broker to say."""

FLUSH_SECONDS: Final = 120.0
QUEUED: Final = 20_000


class Sender:
    """Sends to one partition of a topic; `places` holds what each offset was made from.

    Records that the broker may refuse go in batches of their own: it refuses whole batches.

    Attributes:
        places: offset -> the number that was sent with the record.
        refused: how many records the broker did not take.
    """

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic
        self._producers: dict[tuple[str, bool], Producer] = {}
        self._odd: KafkaProducer | None = None
        self.places: dict[int, int] = {}
        self.refused = 0

    def send(self, number: int, record: Record) -> None:
        """Sends a record, at some time before the next `flush` returns."""
        if any(not _is_text(name) for name, _ in record.headers):
            self._send_odd(number, record)
            return
        headers = [(name.decode(), value) for name, value in record.headers]
        producer = self._producer(record.compression, alone=record.alone)
        arguments: dict[str, Any] = {"value": record.value, "key": record.key, "headers": headers}
        try:
            # To the client 0 means now.
            producer.produce(
                self._topic, **arguments, partition=PARTITION, timestamp=record.timestamp or 1,
                on_delivery=partial(self._told, number),
            )  # fmt: skip
        except KafkaException:  # larger than any broker takes
            self.refused += 1
        if len(producer) > QUEUED:
            producer.poll(0.05)

    def send_all(self, numbered: Iterable[tuple[int, Record]]) -> Self:
        """Sends records and waits until each is in the log, or refused."""
        for number, record in numbered:
            self.send(number, record)
        self.flush()
        return self

    def flush(self) -> None:
        """Waits until everything is in the log, or refused."""
        for producer in self._producers.values():
            if producer.flush(FLUSH_SECONDS):
                raise AssertionError(f"the broker did not take what was sent to {self._topic}")

    def close(self) -> None:
        """Lets go of the connections."""
        self._producers.clear()
        if self._odd is not None:
            self._odd.close(timeout=5)

    def _told(self, number: int, error: object, message: Told) -> None:
        if error is None:
            self.places[message.offset()] = number
        else:
            self.refused += 1

    def _producer(self, compression: str, *, alone: bool) -> Producer:
        """One for each compression, and for records alone in their batches; each keeps its own order."""
        key = (compression, alone)
        if key not in self._producers:
            self._producers[key] = Producer(
                {
                    "bootstrap.servers": self._servers,
                    "compression.type": compression,
                    "message.max.bytes": LARGEST,
                    "queue.buffering.max.messages": 1_000_000,
                    "queue.buffering.max.kbytes": 1_000_000,
                    "enable.idempotence": not alone,
                    "batch.num.messages": 1 if alone else 1_000,
                    "linger.ms": 0 if alone else 20,
                    "log_level": 0,
                }
            )
        return self._producers[key]

    def _send_odd(self, number: int, record: Record) -> None:
        """With kafka-python, since librdkafka's binding only takes names of headers that are text."""
        if self._odd is None:
            self._odd = KafkaProducer(bootstrap_servers=self._servers, linger_ms=0)
        headers = [(_Name(name.decode("utf-8", "surrogateescape")), value) for name, value in record.headers]
        sent = self._odd.send(
            self._topic, record.value, record.key, headers, partition=PARTITION, timestamp_ms=record.timestamp
        )
        try:
            self.places[sent.get(FLUSH_SECONDS).offset] = number
        except KafkaError:
            self.refused += 1


class _Name(str):
    """The name of a header that is no UTF-8, where a client wants text that it then encodes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - str's signature
        """The bytes that it was made of."""
        return str.encode(self, "utf-8", "surrogateescape")


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
