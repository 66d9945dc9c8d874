"""The session's broker with kafka-python: what this project's guarantees stand on."""

import time
from collections.abc import Callable
from contextlib import closing, suppress

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import TopicPartition

from local.broker.address import KafkaAddress, ask
from runtime.kafka.client import Cluster, Security
from service.adapters.kafka.group import Reader
from tests.conftest import MakeTopic
from tests.support.kafka_values import read_values

pytestmark = pytest.mark.kafka


def test_a_produced_record_is_consumed_with_key_headers_and_timestamp(
    broker: KafkaAddress, make_topic: MakeTopic
) -> None:
    topic = make_topic("round-trip")
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    producer.send(topic, b"value", key=b"key", headers=[("trace", b"1")], timestamp_ms=1_700_000_000_123).get(30)
    producer.close()
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    record = next(consumer)
    consumer.close()
    assert (record.key, record.value, record.timestamp) == (b"key", b"value", 1_700_000_000_123)
    assert list(record.headers) == [("trace", b"1")]


def test_a_read_committed_consumer_sees_committed_transactions_only(
    broker: KafkaAddress, make_topic: MakeTopic, unique_name: Callable[[str], str]
) -> None:
    topic = make_topic("transactions")
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=unique_name("tx"))
    producer.init_transactions()
    for value, keep in ((b"kept", True), (b"dropped", False), (b"kept too", True)):
        producer.begin_transaction()
        producer.send(topic, value).get(30)
        producer.commit_transaction() if keep else producer.abort_transaction()
    producer.close()
    assert read_values(broker.bootstrap_servers, topic, isolation="read_committed") == [b"kept", b"kept too"]
    assert read_values(broker.bootstrap_servers, topic, isolation="read_uncommitted") == [
        b"kept",
        b"dropped",
        b"kept too",
    ]


def test_offsets_sent_in_a_transaction_are_committed_with_it(
    broker: KafkaAddress, make_topic: MakeTopic, unique_name: Callable[[str], str]
) -> None:
    source, sink, group = make_topic("source"), make_topic("sink"), unique_name("group")
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=unique_name("tx"))
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(source, b"in").get(30)
    producer.commit_transaction()
    consumer = KafkaConsumer(
        source,
        bootstrap_servers=broker.bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    record = next(consumer)
    producer.begin_transaction()
    producer.send(sink, record.value).get(30)
    position = {TopicPartition(source, 0): consumer_position(record.offset + 1)}
    producer.send_offsets_to_transaction(position, consumer.group_metadata())
    producer.commit_transaction()
    assert consumer.committed(TopicPartition(source, 0)) == record.offset + 1
    consumer.close()
    producer.close()


def consumer_position(offset: int) -> object:
    """Return kafka-python's form of an offset to commit."""
    from kafka.structs import OffsetAndMetadata

    return OffsetAndMetadata(offset, "", -1)


def test_a_topic_is_never_created_by_accident(broker: KafkaAddress, unique_name: Callable[[str], str]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, max_block_ms=500)
    name = unique_name("accident")
    with pytest.raises(KafkaTimeoutError):
        producer.send(name, b"x").get(5)
    assert name not in admin.list_topics()
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics([name])
    producer.close()
    admin.close()


def test_a_topic_gets_the_configuration_asked_for(broker: KafkaAddress, make_topic: MakeTopic) -> None:
    topic = make_topic("configured", partitions=3, configs={"retention.ms": "3600000"})
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    (described,) = admin.describe_topics([topic])
    admin.close()
    assert len(described["partitions"]) == 3


def test_the_broker_tells_its_version(broker: KafkaAddress) -> None:
    asked = ask(broker.bootstrap_servers)
    assert broker.version.startswith(asked.version.split(".")[0])


def test_a_topic_made_anew_under_its_name_has_another_identity(broker: KafkaAddress, make_topic: MakeTopic) -> None:
    topic = make_topic("anew")

    def identity() -> str:
        with closing(Reader(Cluster(broker.bootstrap_servers, Security()), topic)) as reader:
            return reader.identity()

    first = identity()
    assert identity() == first
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
        admin.delete_topics([topic])
        for _ in range(100):  # it goes in its own time
            time.sleep(0.1)
            with suppress(TopicAlreadyExistsError):
                admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
                break
    second = identity()
    assert second != first
    assert len(second) == len(first), "a topic id, not the lack of one"
