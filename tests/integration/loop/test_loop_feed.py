"""From real topics into the ledger: everything that was committed, once, whatever happens in between."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from fraud.contracts.outbound import Announcement
from local.broker.address import KafkaAddress
from runtime.errors import Unavailable
from runtime.kafka.client import Cluster
from tests.conftest import MakeTopic
from training.labels.store import LedgerStore
from training.loop.announce import KafkaAnnouncer
from training.loop.feed import KafkaFeed

pytestmark = pytest.mark.kafka


def produce(
    broker: KafkaAddress, topic: str, count: int, *, transactional: str | None = None, abort: bool = False
) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=transactional)
    if transactional:
        producer.init_transactions()
        producer.begin_transaction()
    futures = [
        producer.send(topic, key=b"k", value=str(i).encode(), timestamp_ms=1_700_000_000_000 + i) for i in range(count)
    ]
    producer.flush()
    for future in futures:
        future.get(timeout=10)
    if transactional:
        producer.abort_transaction() if abort else producer.commit_transaction()
    producer.close()


def feed(broker: KafkaAddress, topic: str) -> KafkaFeed:
    return KafkaFeed.connect(Cluster(broker.bootstrap_servers), {topic: "decisions"})


def test_committed_records_arrive_once_and_a_restart_goes_on_where_the_ledger_ends(
    broker: KafkaAddress, make_topic: MakeTopic, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = make_topic("decisions", partitions=2)
    store = LedgerStore(tmp_path)
    produce(broker, topic, 20, transactional=unique_name("a"))
    produce(broker, topic, 5, transactional=unique_name("b"), abort=True)
    first = feed(broker, topic)
    assert first.pull(store) == 20
    assert first.pull(store) == 0
    first.close()
    produce(broker, topic, 10)
    second = feed(broker, topic)
    assert second.pull(LedgerStore(tmp_path)) == 10
    second.close()
    rows = store.read("decisions")
    assert sorted(int(value) for value in rows["value"].to_pylist()) == sorted([*range(20), *range(10)])
    assert rows["timestamp"].to_pylist()[0] == 1_700_000_000_000_000


class Name(str):
    """A header's name that is not UTF-8, which the broker takes."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:  # whatever a client asks for
        return b"tr\xe4ce"


def test_a_header_that_cannot_be_read_and_a_bomb_do_not_stop_the_ledger(
    broker: KafkaAddress, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic("decisions")
    store = LedgerStore(tmp_path)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, compression_type="gzip", linger_ms=0,
                             max_request_size=1 << 26, batch_size=1 << 26)  # fmt: skip
    for value, headers in ((b"1", []), (b"2", [(Name("trace"), b"1")]), (b" " * (17 << 20), []), (b"4", [])):
        producer.send(topic, value, headers=headers).get(timeout=30)
    producer.close()
    reader = feed(broker, topic)
    assert reader.pull(store) == 4
    reader.close()
    assert store.read("decisions")["value"].to_pylist() == [b"1", b"2", b"", b"4"]


def test_a_pull_ends_although_records_keep_coming(broker: KafkaAddress, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic("decisions")
    produce(broker, topic, 5)
    stop = threading.Event()

    def keep_sending() -> None:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
        while not stop.wait(0.01):
            producer.send(topic, value=b"x")
        producer.close()

    reader, sender = feed(broker, topic), threading.Thread(target=keep_sending)
    sender.start()
    with ThreadPoolExecutor(1) as pool:
        try:
            wait_until_grown(reader, 10)
            assert pool.submit(reader.pull, LedgerStore(tmp_path)).result(timeout=60) >= 10
        finally:
            stop.set()
            sender.join()
    reader.close()


def wait_until_grown(reader: KafkaFeed, records: int) -> None:
    deadline = time.monotonic() + 60
    while sum(reader.consumer.end_offsets(reader.consumer.assignment()).values()) < records:
        assert time.monotonic() < deadline, "nothing was sent"
        time.sleep(0.05)


def test_a_missing_topic_and_an_absent_broker_are_one_line(
    broker: KafkaAddress, unique_name: Callable[[str], str]
) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        feed(broker, unique_name("absent"))


def test_announcements_are_on_the_models_topic_once_announced(broker: KafkaAddress, make_topic: MakeTopic) -> None:
    topic = make_topic("models")
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all")
    said = Announcement(
        type="promotion",
        version=3,
        former=2,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        reason="better",
        features_fingerprint="f",
    )
    KafkaAnnouncer(producer, Cluster(broker.bootstrap_servers), topic).announce(said)
    producer.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    assert Announcement.model_validate_json(next(consumer).value) == said
    consumer.close()
