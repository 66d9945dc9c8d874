"""A world for one fault: topics, a model, a stream of events, and any number of service instances."""

import random
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer, TopicPartition

from local.testbed.service_process import ServiceProcess
from runtime.errors import Unavailable
from runtime.kafka.admin import committed_positions
from runtime.kafka.batch_writer import append
from runtime.kafka.client import Cluster
from runtime.kafka.topics import TopicAdmin
from service.adapters.kafka.group import Reader
from service.settings import Settings
from service.topics import wanted_topics

BULK_RATE = 2_000.0
MOST_AT_ONCE = 2_000
MOST_BATCHES = 50
"""Sent in bulk and not yet acknowledged; beyond it the load waits, on a machine that is too busy for its rate."""

PATIENCE = 600.0
"""Seconds within which the broker must take what was sent, once it is well."""

SECRET = "a secret of the tests"  # noqa: S105 - nothing is kept under it

KINDS = 20
"""One event in so many is broken, and one is an outcome."""


@dataclass(frozen=True, slots=True)
class Names:
    """The topics and the group of one world."""

    prefix: str

    def settings(self) -> dict[str, str]:
        """As settings of the service."""
        return {
            "transactions_topic": f"{self.prefix}.in",
            "alerts_topic": f"{self.prefix}.alerts",
            "decisions_topic": f"{self.prefix}.decisions",
            "dlq_topic": f"{self.prefix}.dlq",
            "labels_topic": f"{self.prefix}.labels",
            "models_topic": f"{self.prefix}.models",
            "group_id": self.prefix,
        }


@dataclass
class ScorerRun:
    """One fault's own topics and folders on a shared broker.

    Attributes:
        servers: of the broker.
        name: prefix of topics and group.
        folder: for logs and snapshots.
        models: the model directory.
        partitions: of the input.
        seed: of the events.
        topic_config: what the topics have beside the usual.
    """

    servers: str
    name: str
    folder: Path
    models: Path
    partitions: int = 1
    seed: int = 0
    topic_config: Mapping[str, str] = field(default_factory=dict)
    _instances: list[ServiceProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = Names(self.name).settings()
        self.cluster = Cluster(self.servers)
        wanted = Settings(**self.names, partitions=self.partitions, retention_days=20_000)  # type: ignore[arg-type]
        topics = [replace(topic, config={**topic.config, **self.topic_config}) for topic in wanted_topics(wanted)]
        TopicAdmin(self.cluster).create(topics)

    def service(
        self,
        instance: str = "one",
        *,
        snapshots: str = "snapshots",
        largest_file: int | None = None,
        program: Sequence[str] = ("service", "run"),
        **settings: str,
    ) -> ServiceProcess:
        """A new instance, not yet started; `settings` are lower-case names without prefix."""
        values = {
            **self.names,
            "kafka_bootstrap_servers": self.servers,
            "models_dir": str(self.models),
            "snapshots_dir": str(self.folder / snapshots),
            "partitions": str(self.partitions),
            "instance_id": instance,
            "deadletter_cap": "off",
            "secret": SECRET,
            "snapshot_interval": "5",
            **settings,
        }
        log = self.folder / f"{instance}-{len(self._instances)}.log"
        environment = {f"FRAUD_{name.upper()}": value for name, value in values.items()}
        made = ServiceProcess(environment, port=_free_port(), log=log, largest_file=largest_file, program=program)
        self._instances.append(made)
        return made

    @contextmanager
    def load(self, *, rate: float) -> Iterator["Load"]:
        """A stream of events, so many a second, for as long as the block lasts."""
        load = Load(self.servers, self.names["transactions_topic"], self.partitions, rate=rate, seed=self.seed)
        load.start()
        try:
            yield load
        finally:
            load.stop()

    def positions(self) -> dict[int, int]:
        """The group's committed position by partition; empty while the broker does not tell."""
        try:
            return committed_positions(self.cluster, self.name, self.names["transactions_topic"])
        except (Unavailable, KeyError):
            return {}

    def committed(self) -> int:
        """Sum of the committed positions; -1 while the broker does not tell."""
        positions = self.positions()
        return sum(positions.values()) if positions else -1

    def until_moved(self, since: int, *, seconds: float = 300.0) -> float:
        """Blocks until more than `since` is committed; how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.committed() > since:
                return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"{self.name}: nothing was committed for {seconds:.0f} s")

    @contextmanager
    def silences(self) -> Iterator[list[float]]:
        """Collects for how long, in seconds, a partition saw no commit, each time that it saw one again."""
        found: list[float] = []
        done = threading.Event()

        def watch() -> None:
            last: dict[int, tuple[int, float]] = {}
            while not done.wait(0.05):
                now = time.monotonic()
                for partition, position in self.positions().items():
                    before, moved = last.get(partition, (position, now))
                    if position > before:
                        found.append(now - moved)
                    if position > before or partition not in last:
                        last[partition] = position, now

        watcher = threading.Thread(target=watch, name="silences", daemon=True)
        watcher.start()
        try:
            yield found
        finally:
            done.set()
            watcher.join()

    def until_caught_up(self, *, seconds: float = 300.0) -> None:
        """Blocks until every input record is behind the group's position."""
        reader = Reader(self.cluster, self.names["transactions_topic"])
        try:
            end = sum(reader.bounds(partition)[1] for partition in range(self.partitions))
        finally:
            reader.close()
        began = time.monotonic()
        while self.committed() < end:
            if time.monotonic() - began > seconds:
                raise AssertionError(
                    f"{self.name}: {end - self.committed()} of {end} records left after {seconds:.0f} s"
                )
            time.sleep(0.2)

    def close(self) -> None:
        """Makes sure that nothing is left running."""
        for instance in self._instances:
            instance.close()


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
        producer = KafkaProducer(
            bootstrap_servers=self._servers,
            delivery_timeout_ms=int(PATIENCE * 1000),
            request_timeout_ms=5_000,
            reconnect_backoff_max_ms=1_000,
            linger_ms=10,
        )
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
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
