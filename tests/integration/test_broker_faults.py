"""A broker of one's own: restarts keep data and port, freezes thaw, TLS and SASL let only the right ones in."""

import socket
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from local.broker.configuration import Security
from local.broker.jars import BrokerUnavailable
from local.broker.local_broker import LocalBroker
from tests.support.kafka_values import read_values

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def own(broker: object) -> Iterator[LocalBroker]:
    """A broker that tests may hurt; ``broker`` has settled whether one can be had at all."""
    assert broker
    with LocalBroker() as local:
        yield local


def publish(broker: LocalBroker, topic: str, value: bytes) -> None:
    """Create the topic when new and send one record that is on the broker before this returns."""
    admin = KafkaAdminClient(**broker.client_config())
    if topic not in admin.list_topics():
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(**broker.client_config())
    producer.send(topic, value).get(30)
    producer.close()


def test_a_restart_keeps_data_and_port(own: LocalBroker) -> None:
    before = own.bootstrap_servers
    publish(own, "kept", b"before")
    own.stop()
    own.start()
    publish(own, "kept", b"after a stop")
    own.kill()
    own.start()
    publish(own, "kept", b"after a kill")
    assert own.bootstrap_servers == before
    assert read_values(before, "kept") == [b"before", b"after a stop", b"after a kill"]


def test_a_frozen_broker_answers_again_once_thawed(own: LocalBroker) -> None:
    own.pause()
    with pytest.raises(KafkaError):
        KafkaAdminClient(bootstrap_servers=own.bootstrap_servers, bootstrap_timeout_ms=1_000)
    own.resume()
    publish(own, "thawed", b"x")
    assert read_values(own.bootstrap_servers, "thawed") == [b"x"]


@pytest.mark.parametrize("security", ["ssl", "sasl_plain", "sasl_scram"])
def test_a_secured_broker_serves_who_may_and_refuses_who_may_not(broker: object, security: Security) -> None:
    assert broker
    with LocalBroker(security=security, users={"alice": "alice-secret"}) as secured:
        publish(secured, "secret", b"x")
        config = secured.client_config()
        servers = str(config.pop("bootstrap_servers"))
        assert read_values(servers, "secret", client=config) == [b"x"]
        wrong = {**config, "sasl_plain_password": "wrong"} if "sasl_mechanism" in config else {}
        with pytest.raises(KafkaError):
            KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=2_000, **wrong)


def test_a_broker_that_cannot_start_says_why(own: LocalBroker) -> None:
    broken = LocalBroker(properties={"log.retention.ms": "soon"})
    with pytest.raises(BrokerUnavailable, match=r"log\.retention\.ms"):
        broken.start()
    assert not broken.pid
    broken.close()
    assert not broken.storage.exists()
    assert own.pid, "another broker is left alone"


def test_a_port_that_another_program_holds_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        second = LocalBroker(port=port)
        with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{port} is in use"):
            second.start()
        second.close()
