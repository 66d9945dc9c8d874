"""The stream that every system reads: made once, kept as a file, loaded into fresh topics."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

FIRST_MS = 1_750_000_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One record to send; `timestamp_ms` is the event's own time."""

    key: bytes
    value: bytes
    timestamp_ms: int


class _Head(msgspec.Struct):
    customer_id: str
    event_time: str


def read(path: Path) -> Iterator[Message]:
    """The records of a JSONL file of wire events, in its order."""
    decode = msgspec.json.Decoder(_Head).decode
    with path.open("rb") as lines:
        for line in lines:
            value = line.rstrip(b"\n")
            head = decode(value)
            at = datetime.fromisoformat(head.event_time)
            yield Message(head.customer_id.encode(), value, int(at.timestamp() * 1000))


def uniform(count: int, *, customers: int, seed: int, step_ms: int = 1_000) -> Iterator[Message]:
    """Transactions of customers drawn evenly from `customers`, each with a card and a device of its own.

    For questions of size: every event touches another part of the history, which is the worst case for caches. Events
    are `step_ms` apart, which decides how often a customer buys.
    """
    draw = random.Random(seed)  # noqa: S311 - a benchmark's stream
    encode = msgspec.json.Encoder().encode
    for number in range(count):
        customer = draw.randrange(customers)
        at = FIRST_MS + number * step_ms
        event = {
            "type": "transaction",
            "schema_version": "1.0",
            "transaction_id": f"t{seed}-{number}",
            "customer_id": f"c{customer}",
            "event_time": datetime.fromtimestamp(at / 1000, UTC).isoformat(),
            "amount": f"{draw.randrange(100, 30_000) / 100:.2f}",
            "currency": "EUR",
            "order_id": f"o{seed}-{number}",
            "attempt_no": 1,
            "merchant_id": f"m{draw.randrange(5_000)}",
            "merchant_category": "5732",
            "card_id": f"k{customer}",
            "bin": f"{400_000 + customer % 2_000}",
            "card_country": "DE",
            "card_funding": "credit",
            "payment_method": "card",
            "device_id": f"d{customer}",
            "ip": f"10.0.{customer >> 8 & 63}.{customer & 255}",
            "ip_country": "DE",
            "email_domain": "example.org",
            "billing_country": "DE",
            "shipping_country": "DE",
            "channel": "web",
            "items_count": draw.randrange(1, 6),
        }
        yield Message(str(event["customer_id"]).encode(), encode(event), at)


def create(bootstrap_servers: str, topics: Iterable[str], *, partitions: int = 1) -> None:
    """Creates topics for one benchmark; nothing is ever deleted from them, however old its timestamps are."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    config = {"retention.ms": "-1", "segment.bytes": str(1 << 30)}
    wanted = [NewTopic(name, partitions, 1, config=config) for name in topics]
    for future in admin.create_topics(wanted).values():
        future.result(timeout=30)


def load(bootstrap_servers: str, topic: str, messages: Iterable[Message], *, partitions: int = 1) -> int:
    """Sends every message as fast as librdkafka can; returns how many the broker has.

    Raises:
        RuntimeError: the broker did not take them all.
    """
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "acks": "all"})
    count = 0
    for message in messages:
        partition = hash(message.key) % partitions if partitions > 1 else 0
        while True:
            try:
                producer.produce(topic, message.value, message.key, partition=partition, timestamp=message.timestamp_ms)
                break
            except BufferError:
                producer.poll(0.05)
        count += 1
        if count % 10_000 == 0:
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError(f"the broker did not take every record of {topic}")
    return count


def first_append_ms(bootstrap_servers: str, topic: str) -> int | None:
    """When the broker got the first record of a topic's partition 0, or None."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "first-append"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(2.0)
    consumer.close()
    if message is None or message.error():
        return None
    stamp: tuple[int, int] = message.timestamp()
    return stamp[1]
