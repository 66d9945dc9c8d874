"""The time that kafka-python needs to consume the same events from a real broker."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from local.broker.local_broker import LocalBroker

TOPIC = "bench-history"


@contextmanager
def consumer(events: int) -> Iterator[KafkaConsumer]:
    """A consumer of a topic with `events` complete transactions, on a broker of its own."""
    with LocalBroker() as broker:
        with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
            admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        with closing(KafkaProducer(bootstrap_servers=broker.bootstrap_servers, linger_ms=20)) as producer:
            for number in range(events):
                producer.send(TOPIC, _wire(number), str(number).encode())
            producer.flush()
        with closing(
            KafkaConsumer(
                bootstrap_servers=broker.bootstrap_servers,
                enable_auto_commit=False,
                max_poll_records=1000,
                fetch_max_bytes=4 << 20,
                max_partition_fetch_bytes=4 << 20,
            )
        ) as client:
            client.assign([TopicPartition(TOPIC, 0)])
            yield client


def consume(client: Any, events: int) -> float:  # noqa: ANN401 - kafka-python has no types
    """Processor µs per event over all events of the topic, from its beginning."""
    client.seek_to_beginning()
    taken = 0
    began = time.process_time_ns()
    while taken < events:
        taken += sum(map(len, client.poll(1000).values()))
    return (time.process_time_ns() - began) / 1e3 / taken


def _wire(number: int) -> bytes:
    """A transaction with every id."""
    customer = number * 7919 % 100_000
    event = {
        "type": "transaction",
        "schema_version": "1.0",
        "transaction_id": f"t{number}",
        "event_time": "2025-06-01T12:00:00+00:00",
        "amount": f"{customer % 300}.99",
        "currency": "EUR",
        "order_id": f"o{number}",
        "merchant_id": f"m{number % 50_000}",
        "customer_id": f"c{customer}",
        "card_fingerprint": f"f{customer}",
        "bin": f"{400_000 + customer % 2_000}",
        "card_country": "DE",
        "device_id": f"d{customer}",
        "ip": f"10.0.{customer >> 8 & 255}.{customer & 255}",
        "ip_country": "DE",
        "email_hash": f"{customer:064x}",
        "phone_hash": f"{customer + 1:064x}",
        "shipping_address_hash": f"{customer + 2:064x}",
        "billing_country": "DE",
        "shipping_country": "DE",
        "channel": "web",
    }
    return msgspec.json.encode(event)
