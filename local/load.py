"""Load on the input topic: messages by a timetable, and an endless seeded stream that any fault leaves whole."""

import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from kafka import KafkaProducer, TopicPartition

from runtime.kafka.batch_writer import append
from runtime.kafka.client import Cluster, open_producer

BULK_RATE: Final = 2_000.0
MOST_AT_ONCE: Final = 2_000
MOST_BATCHES: Final = 50
"""Sent in bulk and not yet acknowledged; beyond it the load waits, on a machine that is too busy for its rate."""

PATIENCE: Final = 600.0
"""Seconds within which the broker must take what was sent, once it is well."""

KINDS: Final = 20
"""One event in so many is broken, and one is an outcome."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Message:
    """One record for the transactions topic.

    Attributes:
        key: customer_id.
        value: JSON, or what a broken client sends.
        timestamp_ms: the event's own time, as a replayed log has it.
        counts: whether it asks for a score (outcomes do not).
        transaction_id: of a well-formed transaction.
    """

    key: bytes
    value: bytes
    timestamp_ms: int
    counts: bool
    transaction_id: str | None = None


def send(bootstrap_servers: str, topic: str, messages: Iterable[Message], *, rate: float = 0.0) -> dict[str, float]:
    """Sends every message and waits until the broker has them.

    Args:
        bootstrap_servers: where.
        topic: what to send to.
        messages: in log order.
        rate: messages per second by a fixed timetable (open loop); 0 is as fast as it goes.

    Returns:
        When each transaction was due (monotonic seconds), by transaction id.
    """
    options = {"acks": "all", "linger_ms": 0 if rate else 50, "batch_size": 1 << 18}
    producer = open_producer({**Cluster(bootstrap_servers).config(), **options})
    due: dict[str, float] = {}
    futures = []
    for message, at in paced(messages, rate):
        if message.transaction_id is not None:
            due[message.transaction_id] = at
        futures.append(producer.send(topic, key=message.key, value=message.value, timestamp_ms=message.timestamp_ms))
    producer.flush(timeout=60)
    for future in futures:
        future.get(timeout=1)
    producer.close()
    return due


def paced(items: Iterable[Item], rate: float, *, tick: float = 0.0) -> Iterator[tuple[Item, float]]:
    """Each item when it is due, with that time; waiting time of a late sender counts, as a customer would count it.

    Args:
        items: in order.
        rate: so many a second; 0 is as fast as it goes.
        tick: shortest pause, seconds: what becomes due within it goes together.
    """
    began = time.monotonic()
    for index, item in enumerate(items):
        at = began + index / rate if rate else time.monotonic()
        pause = at - time.monotonic()
        if pause > 0:
            time.sleep(max(pause, tick))
        yield item, at


class Load:
    """Sends seeded events from a thread of its own, each exactly once whatever the broker does."""

    def __init__(self, servers: str, topic: str, partitions: int, *, rate: float, seed: int) -> None:
        self._servers = servers
        self._topic = topic
        self._partitions = partitions
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 - seeded
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.sent = 0
        self._poison: str | None = None
        self._batches: deque[Any] = deque()

    def poison(self, amount: str) -> None:
        """Sends one transaction of this amount next."""
        self._poison = amount

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, with everything acknowledged."""
        self._stop.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise AssertionError("the load could not be delivered")

    def _run(self) -> None:
        # Idempotent, and patient beyond any fault: what is sent is in the log once.
        options = {"delivery_timeout_ms": int(PATIENCE * 1000), "request_timeout_ms": 5_000, "linger_ms": 10}
        producer = open_producer({**Cluster(self._servers).config(), **options})
        began = time.monotonic()
        while not self._stop.is_set():
            due = min(self.sent + MOST_AT_ONCE, int((time.monotonic() - began) * self._rate))
            if self._rate > BULK_RATE and due > self.sent:
                self._send_in_bulk(producer, due)
            while self.sent < due:
                amount, self._poison = self._poison, None
                customer, value = event(self.sent, self._random, amount=amount)
                producer.send(
                    self._topic, value, customer.encode(), [("trace", b"%d" % self.sent)], self._place(customer)
                )
                self.sent += 1
            self._stop.wait(0.01)
        producer.flush(PATIENCE)
        producer.close()

    def _send_in_bulk(self, producer: KafkaProducer, due: int) -> None:
        """The library's own way, a record at a time, would take a whole processor at such rates."""
        made = [event(number, self._random) for number in range(self.sent, due)]
        producer.partitions_for(self._topic)  # `append` does not ask for the topic's leader
        where = TopicPartition(self._topic, 0)
        self._batches += append(producer, where, [c.encode() for c, _ in made], [value for _, value in made])
        producer._sender.wakeup()  # noqa: SLF001 - it leaves that to `flush`
        self.sent = due
        while len(self._batches) > MOST_BATCHES or (self._batches and self._batches[0].is_done):
            if self._batches[0].is_done:
                self._batches.popleft()
            else:
                self._stop.wait(0.01)

    def _place(self, customer: str) -> int:
        return sum(customer.encode()) % self._partitions


def event(number: int, draw: random.Random, *, amount: str | None = None) -> tuple[str, bytes]:
    """A customer and an event: mostly transactions, some large enough to be flagged, some outcomes, some broken."""
    at = time.time()  # noqa: TID251 - the stream is live
    customer = f"c{draw.randrange(500)}"
    fields: dict[str, object] = {
        "type": "transaction",
        "schema_version": "1.0",
        "transaction_id": f"t{number}",
        "event_time": _iso(at - draw.random() * 2),
        "customer_id": customer,
        "amount": "900.00" if draw.random() < 0.02 else f"{draw.randrange(1, 60)}.{draw.randrange(100):02}",
        "currency": "EUR",
        "card_id": f"card-{customer}-{draw.randrange(2)}",
        "device_id": f"d{draw.randrange(300)}",
        "ip": f"192.0.2.{draw.randrange(200)}",
        "merchant_id": f"m{draw.randrange(20)}",
    }
    kind = number % KINDS
    if amount is not None:
        return customer, msgspec.json.encode({**fields, "amount": amount})
    if kind == 7:
        fields |= {
            "type": "outcome",
            "outcome_id": f"o{number}",
            "kind": "declined",
            "transaction_id": f"t{number - 1}",
        }
    if kind == 13:
        return customer, msgspec.json.encode(fields)[:-30]
    return customer, msgspec.json.encode(fields)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
