"""The Kafka adapter over TLS and SASL: let in with the right credentials, one clear error with the wrong ones."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import certifi
import pytest
from kafka import KafkaProducer

from local.broker.configuration import Security as BrokerSecurity
from local.broker.local_broker import LocalBroker
from runtime.errors import Misconfigured, Unavailable
from runtime.kafka.client import Cluster, Security
from runtime.kafka.topics import Topic, TopicAdmin
from service.adapters.kafka.log import KafkaLog
from service.ports import Channel, Messages, Output

pytestmark = pytest.mark.kafka

TOPICS = {channel: channel.value for channel in Channel}


@pytest.fixture(scope="module", params=["ssl", "sasl_plain", "sasl_scram"])
def secured(request: pytest.FixtureRequest, broker: object) -> Iterator[LocalBroker]:
    """A broker of its own; ``broker`` has settled whether one can be had at all."""
    assert broker
    security: BrokerSecurity = request.param
    with LocalBroker(security=security, users={"service": "service-secret"}) as local:
        TopicAdmin(cluster(local)).create([Topic(name, 1, 1) for name in ("input", *TOPICS.values())])
        yield local


def cluster(local: LocalBroker) -> Cluster:
    config = local.client_config()

    def text(name: str) -> str | None:
        value = config.get(name)
        return None if value is None else str(value)

    return Cluster(
        local.bootstrap_servers,
        Security(
            protocol=str(config["security_protocol"]),
            cafile=Path(str(config["ssl_cafile"])),
            mechanism=text("sasl_mechanism"),
            username=text("sasl_plain_username"),
            password=text("sasl_plain_password"),
        ),
    )


def log(where: Cluster) -> KafkaLog:
    return KafkaLog(where, input_topic="input", topics=TOPICS, group_id="group", instance_id="one")


def test_records_are_polled_and_committed(secured: LocalBroker) -> None:
    where = cluster(secured)
    producer = KafkaProducer(**where.config())
    producer.send("input", b"value").get(30)
    producer.close()
    client = log(where)
    client.open()
    epoch = -1
    for _ in range(200):
        records = client.poll(0.1)
        if records:
            break
        if client.assignment().epoch != epoch and client.assignment().partitions:
            epoch = client.assignment().epoch
            client.resume(0, client.committed(0) or 0)
    client.commit([Output(0, None, 1, (Messages(Channel.ALERTS, [b"k"], [b"v"]),))]).result()
    assert client.committed(0) == 1
    client.close()


def test_wrong_credentials_are_one_clear_error(secured: LocalBroker) -> None:
    where = cluster(secured)
    if where.security.mechanism is None:
        pytest.skip("TLS alone asks for no credentials")
    wrong = replace(where, security=replace(where.security, password="wrong"))  # noqa: S106 - wrong on purpose
    with pytest.raises(Misconfigured, match=r"(?i)authentication") as error:
        open_patiently(wrong)
    assert "wrong" not in str(error.value)


def open_patiently(where: Cluster) -> None:
    """As the service does: a broker that does not answer in time, as on a busy machine, is asked again."""
    for _ in range(10):
        with suppress(Unavailable):
            return log(where).open()
    pytest.fail(f"the broker at {where.servers} never answered")


def checked(where: Cluster, **settings: str) -> subprocess.CompletedProcess[str]:
    """`python -m service check` with this cluster's settings; these replace or add some."""
    given = {
        "FRAUD_KAFKA_BOOTSTRAP_SERVERS": where.servers,
        "FRAUD_KAFKA_SECURITY_PROTOCOL": where.security.protocol,
        "FRAUD_KAFKA_SSL_CAFILE": str(where.security.cafile),
        "FRAUD_KAFKA_SASL_MECHANISM": where.security.mechanism or "",
        "FRAUD_KAFKA_SASL_USERNAME": where.security.username or "",
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}  # noqa: TID251 - passed on
    return subprocess.run(  # a process of its own: the library does not close the sockets of failed handshakes
        [sys.executable, "-m", "service", "check"],
        env={**inherited, **{name: value for name, value in given.items() if value}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_broker_that_nobody_vouches_for_is_refused(secured: LocalBroker) -> None:
    where = cluster(secured)
    done = checked(
        where,
        FRAUD_KAFKA_SSL_CAFILE=certifi.where(),
        FRAUD_KAFKA_SASL_PASSWORD=where.security.password or "",
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("error    broker")]
    assert where.servers in line
    assert "Traceback" not in done.stderr


def test_the_password_may_come_from_a_file_and_is_never_shown(secured: LocalBroker, tmp_path: Path) -> None:
    where = cluster(secured)
    file = tmp_path / "password"
    file.write_text(f"{where.security.password}\n")
    done = checked(where, FRAUD_KAFKA_SASL_PASSWORD_FILE=str(file) if where.security.password else "")
    assert any(line.startswith("ok       broker") for line in done.stdout.splitlines()), done.stdout
    assert (where.security.password or "no password") not in done.stdout + done.stderr


def test_an_authority_that_does_not_exist_is_named(secured: LocalBroker, tmp_path: Path) -> None:
    where = cluster(secured)
    with pytest.raises(Misconfigured, match=r"none\.pem does not exist"):
        log(replace(where, security=replace(where.security, cafile=tmp_path / "none.pem"))).open()
