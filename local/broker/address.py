"""The address and version of a broker: all that a client of it needs to know."""

from dataclasses import dataclass

from local.broker.jars import BrokerUnavailable


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """A broker that answers, ours or another's."""

    bootstrap_servers: str
    version: str


def ask(bootstrap_servers: str) -> KafkaAddress:
    """Return the address with the version that the broker's API versions tell.

    Raises:
        BrokerUnavailable: nothing answers there.
    """
    # Imported here: conftest.py reads this module, and most test runs need no Kafka client.
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=10_000)
    except KafkaError as error:
        raise BrokerUnavailable(
            f"no Kafka answers at {bootstrap_servers} (FRAUD_KAFKA_BOOTSTRAP_SERVERS): {error}"
        ) from error
    try:
        version: tuple[int, ...] = admin.config["api_version"] or admin._manager.broker_version  # noqa: SLF001 - no public name
        return KafkaAddress(bootstrap_servers, ".".join(map(str, version)))
    finally:
        admin.close()
