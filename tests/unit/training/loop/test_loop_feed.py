"""What the loop makes of stamps, of topics that begin anew, and of brokers that refuse; over a log in memory."""

from collections import Counter as Counts
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    OffsetOutOfRangeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)
from kafka.structs import OffsetAndTimestamp
from prometheus_client import CollectorRegistry

from runtime.errors import Misconfigured, Unavailable
from runtime.kafka import client
from runtime.kafka.client import Cluster
from training.labels.store import KINDS, LedgerStore
from training.loop.feed import INCARNATION, KafkaFeed
from training.loop.metrics import LoopMetrics
from training.settings import load_settings

DAY = 86_400_000_000
NOW = 20_000 * DAY
CREATE, APPEND = 0, 1
CLUSTER = Cluster("somewhere:1")


@dataclass(frozen=True, slots=True)
class Message:
    """A record as kafka-python hands it out; `timestamp` in ms."""

    partition: int
    offset: int
    timestamp: int
    timestamp_type: int = CREATE
    key: bytes = b"k"
    value: bytes = b"{}"


@dataclass(slots=True)
class MemoryConsumer:
    """One partition a topic."""

    logs: dict[str, list[Message]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    first: int = 0
    at: dict[TopicPartition, int] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)

    def add(self, topic: str, *stamps: int, by: int = CREATE) -> None:
        log = self.logs[topic]
        log += [Message(0, self.first + len(log) + i, stamp // 1000, by) for i, stamp in enumerate(stamps)]

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(topic, 0) for topic in self.logs}

    def beginning_offsets(self, places: set[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.first)

    def end_offsets(self, places: set[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self.first + len(self.logs[place.topic]) for place in places}

    def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        found = {place: [m for m in self.logs[place.topic] if m.timestamp >= at] for place, at in times.items()}
        return {p: OffsetAndTimestamp(ms[0].offset, ms[0].timestamp, None) if ms else None for p, ms in found.items()}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def position(self, place: TopicPartition) -> int:
        return self.at[place]

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.paused -= set(places)

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Message]]:  # noqa: ARG002 - the client's signature
        found = {}
        for place in self.assignment() - self.paused:
            if messages := [m for m in self.logs[place.topic] if m.offset >= self.at[place]]:
                found[place] = messages
                self.at[place] = messages[-1].offset + 1
        return found

    def close(self) -> None: ...


class Topics:
    """A feed over logs in memory, and the ledger it fills."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.consumer, self.store = MemoryConsumer(), LedgerStore(folder)
        self.now = NOW
        self.metrics = LoopMetrics(CollectorRegistry())
        kinds = {kind: kind for kind in KINDS}
        self.feed = KafkaFeed(
            self.consumer, CLUSTER, kinds, wall=lambda: self.now, faults=self.metrics.faults, **options  # type: ignore[arg-type]  # built by name
        )  # fmt: skip

    def stored(self, kind: str) -> list[int]:
        return [int(t) for t in self.store.read(kind)["timestamp"].to_pylist()]  # type: ignore[arg-type]  # a Kind

    def fault(self, kind: str) -> float:
        return float(self.metrics.faults.labels(kind)._value.get())


@pytest.fixture
def topics(tmp_path: Path) -> Topics:
    return Topics(tmp_path)


@pytest.mark.parametrize("stamp_ms", [-(2**62), 2**62, -(2**63), 2**63 - 1, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_no_stamp_ends_the_loop(topics: Topics, kind: str, stamp_ms: int) -> None:
    topics.consumer.add(kind, NOW, NOW)
    topics.consumer.logs[kind].append(Message(0, 2, stamp_ms))
    assert topics.feed.pull(topics.store) == 3
    assert all(0 <= stamp <= NOW + DAY for stamp in topics.stored(kind))
    assert topics.fault("timestamp") == 1


def test_a_machine_whose_clock_is_behind_files_nothing(topics: Topics) -> None:
    topics.consumer.add("events", NOW, NOW)
    topics.now = NOW - 5 * DAY
    with pytest.raises(Unavailable, match="this machine's clock"):
        topics.feed.pull(topics.store)
    topics.now = NOW
    assert topics.feed.pull(topics.store) == 2
    assert topics.stored("events") == [NOW, NOW]


def test_a_label_has_arrived_when_the_broker_says_so_and_at_the_pull_where_its_producer_says(topics: Topics) -> None:
    topics.consumer.add("labels", NOW - 5 * DAY, by=APPEND)
    topics.consumer.add("labels", NOW - 5 * DAY, by=CREATE)
    topics.feed.pull(topics.store)
    assert topics.stored("labels") == [NOW - 5 * DAY, NOW]


def test_a_label_that_a_transaction_hid_has_not_arrived_before_the_last_pull(topics: Topics) -> None:
    topics.feed.pull(topics.store)
    topics.consumer.add("labels", NOW - DAY, by=APPEND)
    topics.now += DAY
    topics.feed.pull(topics.store)
    assert topics.stored("labels") == [NOW + 1]


def test_by_the_streams_clock_a_label_arrives_with_the_newest_payment(tmp_path: Path) -> None:
    topics = Topics(tmp_path, clock="stream")
    topics.consumer.add("labels", NOW, by=APPEND)
    topics.feed.pull(topics.store)
    assert topics.stored("labels") == []  # there is no now yet
    topics.consumer.add("events", NOW - 90 * DAY)
    topics.consumer.add("labels", NOW - 100 * DAY, by=CREATE)
    topics.feed.pull(topics.store)
    assert topics.stored("labels") == [NOW - 100 * DAY, NOW - 90 * DAY]


def test_a_topic_made_again_is_read_from_its_first_record_younger_than_the_ledgers_and_this_is_told_once(
    topics: Topics,
) -> None:
    topics.consumer.add("events", *(NOW - (9 - i) * DAY for i in range(10)))
    topics.feed.pull(topics.store)
    topics.consumer.logs["events"] = []
    topics.now += DAY
    topics.consumer.add("events", NOW, NOW + DAY)  # one old record sent again, one new
    assert topics.feed.pull(topics.store) == 1
    assert topics.feed.pull(topics.store) == 0
    assert topics.fault("begun_anew") == 1
    assert len(topics.stored("events")) == 11
    assert topics.store.progress("events") == {0: 10, INCARNATION: 2}
    again = replace(topics.feed)
    topics.consumer.add("events", NOW + DAY + 1_000_000)
    assert again.pull(topics.store) == 1


def test_records_that_went_before_they_were_read_are_told_once(topics: Topics) -> None:
    topics.consumer.add("events", NOW)
    topics.feed.pull(topics.store)
    topics.consumer.first = 5
    topics.consumer.logs["events"] = []
    topics.consumer.add("events", NOW)
    assert [topics.feed.pull(topics.store) for _ in range(2)] == [1, 0]
    assert topics.fault("lost") == 1


@pytest.mark.parametrize(
    ("error", "reaction"),
    [
        (SaslAuthenticationFailedError("no"), Misconfigured),
        (TopicAuthorizationFailedError("no"), Misconfigured),
        (KafkaConnectionError("no"), Unavailable),
        (OffsetOutOfRangeError({}), Unavailable),
    ],
)
def test_wrong_credentials_and_rights_are_not_tried_again_a_broker_that_is_away_is(
    error: KafkaError, reaction: type[Exception]
) -> None:
    with pytest.raises(reaction, match=type(error).__name__), CLUSTER.translated("reading"):
        raise error


def test_a_refusal_that_the_library_hides_behind_its_patience_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: Counts[str] = Counts()
    refused = SaslAuthenticationFailedError("wrong password")

    class Manager:
        def update_backoff(self, node_id: object) -> None: ...

    class Network:
        def __init__(self, **_: object) -> None:
            self._manager = Manager()

        def close(self) -> None:
            closed["network"] += 1

    def consumer(kafka_client: type[Network], **_: object) -> None:
        network = kafka_client()
        try:
            raise refused
        except SaslAuthenticationFailedError:
            network._manager.update_backoff(0)
        raise KafkaConnectionError

    monkeypatch.setattr(client, "KafkaNetClient", Network)
    with pytest.raises(Misconfigured, match="wrong password"), CLUSTER.translated("connecting"):
        client.connect(consumer, CLUSTER.config())
    assert closed["network"] == 1


def test_a_certificate_that_does_not_exist_is_named(tmp_path: Path) -> None:
    settings = load_settings(kafka_security_protocol="SSL", kafka_ssl_cafile=tmp_path / "ca.pem")
    with (
        pytest.raises(Misconfigured, match=r"FRAUD_KAFKA_SSL_CAFILE: .*ca.pem does not exist"),
        Cluster.of(settings).translated("connecting"),
    ):
        pass
    assert Cluster.of(load_settings()).config()["reconnect_backoff_max_ms"] == 1_000
