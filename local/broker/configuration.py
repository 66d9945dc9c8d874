"""The broker's configuration: server properties, users and the log configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Security = Literal["plaintext", "ssl", "sasl_plain", "sasl_scram"]

PROTOCOLS: Mapping[Security, str] = {
    "plaintext": "PLAINTEXT",
    "ssl": "SSL",
    "sasl_plain": "SASL_SSL",  # passwords never cross a wire in the clear, not even here
    "sasl_scram": "SASL_SSL",
}
MECHANISMS: Mapping[Security, str] = {"sasl_plain": "PLAIN", "sasl_scram": "SCRAM-SHA-512"}

# Small and quick: one node, no rebalance delay, and few partitions for the internal topics, whose files are what a
# start waits for. Topics come from a command, never by accident.
DEFAULTS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "auto.create.topics.enable": "false",
    # Simulated events carry the dates of their simulation: a check of retention would delete them as long outdated.
    "log.retention.check.interval.ms": "86400000",
    "log.initial.task.delay.ms": "86400000",
    # A broker that was killed may register again only when its old session has run out (9 s by default).
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
}

_LOG4J = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{{1}} %m%n
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The three ports of a combined node, all on 127.0.0.1."""

    client: int
    internal: int
    controller: int


@dataclass(frozen=True, slots=True)
class Stores:
    """The broker's key store and the CA certificate that its clients trust."""

    keystore: Path
    password: str
    ca_pem: Path


def server_properties(
    ports: Ports,
    *,
    data: Path,
    security: Security,
    users: Mapping[str, str],
    stores: Stores | None,
    extra: Mapping[str, str],
) -> dict[str, str]:
    """Return the properties of one combined broker and controller; ``extra`` wins over everything."""
    listeners = {"CLIENT": ports.client, "INTERNAL": ports.internal, "CONTROLLER": ports.controller}
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in listeners.items()}
    return {
        **DEFAULTS,
        "log.dirs": str(data),
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": f"{addresses['CLIENT']},{addresses['INTERNAL']}",
        "listener.security.protocol.map": (f"CLIENT:{PROTOCOLS[security]},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        **(_tls(stores) if stores else {}),
        **(_sasl(MECHANISMS[security], users) if security in MECHANISMS else {}),
        **extra,
    }


def write_properties(path: Path, properties: Mapping[str, str]) -> None:
    """Write a Java properties file; backslashes are the one thing in a value that Java would read otherwise."""
    lines = (f"{key}={value}".replace("\\", "\\\\") for key, value in properties.items())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_log_config(path: Path, log_file: Path) -> None:
    """Write a log4j configuration that sends everything from INFO up to ``log_file`` and nothing to the terminal."""
    path.write_text(_LOG4J.format(file=log_file), encoding="utf-8")


def _tls(stores: Stores) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(stores.keystore),
        "ssl.keystore.password": stores.password,
        "ssl.key.password": stores.password,
    }


def _sasl(mechanism: str, users: Mapping[str, str]) -> dict[str, str]:
    """Return the listener's SASL part; SCRAM users live in the metadata log, PLAIN users in the JAAS line."""
    jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    if mechanism == "PLAIN":
        entries = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        jaas = f"org.apache.kafka.common.security.plain.PlainLoginModule required {entries};"
    prefix = f"listener.name.client.{mechanism.lower()}"
    return {"listener.name.client.sasl.enabled.mechanisms": mechanism, f"{prefix}.sasl.jaas.config": jaas}
