"""Sends a simulated stream to Kafka, at a chosen rate; the record's timestamp is the event's time.

Labels may go along: each is sent between the events among which it is received. Those that come after the stream's end
are not sent.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import repeat
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from runtime.event_tables import to_json
from runtime.kafka.client import Cluster, open_producer
from simulator.config import VERSION
from simulator.simulation import Simulation

HEADERS: Final = [("simulator-version", VERSION.encode())]
_TICK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Message:
    """One event or label as a Kafka record."""

    key: bytes
    value: bytes
    timestamp_ms: int
    is_label: bool = False


class Producer(Protocol):
    """What is needed of a Kafka producer. `send` may block while its buffer is full; `flush` waits for every send."""

    def send(self, message: Message) -> None:
        """Queues a message; raises what the broker said about earlier ones."""
        ...

    def flush(self) -> None:
        """Waits until everything is acknowledged; raises if anything was not."""
        ...


class DeliveryError(Exception):
    """The broker did not take every event; the text says why."""


class KafkaSink:
    """A `Producer` that writes events to one topic and labels to another."""

    def __init__(self, bootstrap_servers: str, topic: str, labels_topic: str | None = None) -> None:
        self._topic = topic
        self._labels_topic = labels_topic or topic
        self._failure: BaseException | None = None
        self._producer = open_producer(
            {
                **Cluster(bootstrap_servers).config(),
                "acks": "all", "linger_ms": 20, "batch_size": 131_072, "compression_type": None,
                "allow_auto_create_topics": False, "client_id": "fraud-simulator",
                "bootstrap_timeout_ms": 15_000, "max_block_ms": 15_000,
            }
        )  # fmt: skip

    def send(self, message: Message) -> None:
        """See `Producer`."""
        if self._failure is not None:
            raise DeliveryError(f"topic {self._topic}: {self._failure}")
        future = self._producer.send(
            self._labels_topic if message.is_label else self._topic,
            key=message.key,
            value=message.value,
            headers=HEADERS,
            timestamp_ms=message.timestamp_ms,
        )
        future.add_errback(self._failed)

    def flush(self) -> None:
        """See `Producer`."""
        self._producer.flush()
        if self._failure is not None:
            raise DeliveryError(f"topic {self._topic}: {self._failure}")

    def close(self) -> None:
        """Lets go of the connections."""
        self._producer.close()

    def _failed(self, error: BaseException) -> None:
        self._failure = error


def messages(simulation: Simulation, *, labels: bool = False) -> Iterator[Message]:
    """The events of a simulation as records in log order, labels between them where asked for."""
    events = _events(simulation)
    return merge(events, _labels(simulation), key=_time) if labels else events


def _time(message: Message) -> int:
    return message.timestamp_ms


def _labels(simulation: Simulation) -> Iterator[Message]:
    last = pa.scalar(int(simulation.log.time[-1]), pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    table = simulation.labels.filter(pc.less_equal(simulation.labels["received_at"], last))
    keys = table["transaction_id"].cast(pa.binary()).to_pylist()
    times = (table["received_at"].cast(pa.int64()).to_numpy() // 1000).tolist()
    return map(Message, keys, to_json(table), times, repeat(True))


def _events(simulation: Simulation) -> Iterator[Message]:
    for batch in simulation.event_batches():
        table = pa.Table.from_batches([batch])
        keys = table["customer_id"].cast(pa.binary()).to_pylist()
        times = (table["event_time"].cast(pa.int64()).to_numpy() // 1000).tolist()
        yield from map(Message, keys, to_json(table), times)


def publish(
    stream: Iterator[Message],
    producer: Producer,
    *,
    rate: float,
    progress: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Sends everything, or what comes before the stop; returns how many events.

    Args:
        stream: what to send.
        producer: where.
        rate: events per second, 0 for as fast as possible. A late sender catches up: the schedule never waits for it.
        progress: told how many events were sent since it was last told.
        clock: monotonic seconds.
        sleep: waits so many seconds, or until stopped.
        stopped: asked before each message.
    """
    begun, told, sent = clock(), 0, 0
    for message in stream:
        ahead = begun + sent / rate - clock() if rate else 0.0
        if ahead > _TICK_S or sent - told >= 10_000:
            progress(sent - told)
            told = sent
        if ahead > _TICK_S:
            sleep(ahead)
        if stopped():
            break
        producer.send(message)
        sent += 1
    producer.flush()
    progress(sent - told)
    return sent
