"""From the topics into the ledger's store, as far as they go, without a consumer group: the store is the progress."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from fraud.pan import Token, mask_bytes
from fraud.validation import MAX_BYTES
from training.ledger_store import Kind, LedgerStore, Record
from training.settings import Settings

POLL_MS: Final = 500
MAX_RECORDS: Final = 10_000
QUIET_POLLS: Final = 2


class BrokerUnavailable(Exception):  # noqa: N818 - named for what it says
    """The broker does not answer, or refuses; one line. The next turn tries again."""


class Feed(Protocol):
    """Where records come from."""

    def pull(self, store: LedgerStore) -> int:
        """Moves everything that is there into the store; how many records. May block for seconds.

        Raises:
            BrokerUnavailable: try again later; nothing is lost.
        """
        ...

    def close(self) -> None:
        """Lets go of what is held."""
        ...


def kafka_config(settings: Settings) -> dict[str, object]:
    """kafka-python's arguments that all of its clients share."""
    s = settings
    paths = {"ssl_cafile": s.kafka_ssl_cafile, "ssl_certfile": s.kafka_ssl_certfile, "ssl_keyfile": s.kafka_ssl_keyfile}
    secret = s.kafka_sasl_password.get_secret_value() if s.kafka_sasl_password else None
    key_password = s.kafka_ssl_key_password.get_secret_value() if s.kafka_ssl_key_password else None
    return {
        "bootstrap_servers": s.kafka_bootstrap_servers.split(","),
        "bootstrap_timeout_ms": 5_000,
        "security_protocol": s.kafka_security_protocol,
        "sasl_mechanism": s.kafka_sasl_mechanism,
        "sasl_plain_username": s.kafka_sasl_username,
        "sasl_plain_password": secret,
        "ssl_password": key_password,
        **{name: str(path) if path else None for name, path in paths.items()},
    }


@dataclass(frozen=True, slots=True)
class KafkaFeed:
    """Reads committed records of three topics.

    Attributes:
        consumer: assigned to all of their partitions.
        kinds: topic -> what it holds.
        token: replaces card numbers in what is stored; None leaves them.
    """

    consumer: KafkaConsumer
    kinds: Mapping[str, Kind]
    token: Token | None = None

    @classmethod
    def connect(
        cls, config: Mapping[str, object], kinds: Mapping[str, Kind], token: Token | None = None
    ) -> "KafkaFeed":
        """Connects; BrokerUnavailable when nobody answers or a topic is missing."""
        where = config["bootstrap_servers"]
        try:
            consumer = KafkaConsumer(
                **config,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                max_poll_records=MAX_RECORDS,
            )
        except KafkaError as error:
            raise BrokerUnavailable(f"{where}: {_line(error)}") from None
        try:
            consumer.assign([TopicPartition(topic, p) for topic in kinds for p in _partitions(consumer, topic)])
        except KafkaError as error:
            consumer.close()
            raise BrokerUnavailable(f"{where}: {_line(error)}") from None
        except BrokerUnavailable:
            consumer.close()
            raise
        return cls(consumer, kinds, token)

    def pull(self, store: LedgerStore) -> int:
        """Reads what was there when it began: a shop's payments never cease."""
        try:
            self._seek(store)
            ends = self.consumer.end_offsets(self.consumer.assignment())
            count = quiet = 0
            # The last records may be markers of transactions, which are never handed out: quiet ends it as well.
            while quiet < QUIET_POLLS and any(self.consumer.position(p) < end for p, end in ends.items()):
                batches = self.consumer.poll(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
                quiet = 0 if batches else quiet + 1
                for partition, records in batches.items():
                    store.append(self.kinds[partition.topic], list(self._converted(records)))
                    count += len(records)
        except OffsetOutOfRangeError as error:
            # Retention went past what was read: the gap cannot be read any more, the rest can.
            lost = [TopicPartition(p.topic, p.partition) for p in error.args[0]]
            self.consumer.seek_to_beginning(*lost)
            raise BrokerUnavailable(f"records were removed before they were read: {sorted(lost)}") from None
        except KafkaError as error:
            raise BrokerUnavailable(_line(error)) from None
        return count

    def close(self) -> None:
        """Closes the consumer."""
        self.consumer.close()

    def _seek(self, store: LedgerStore) -> None:
        first = self.consumer.beginning_offsets(self.consumer.assignment())
        for partition in self.consumer.assignment():
            reached = store.progress(self.kinds[partition.topic]).get(partition.partition, 0)
            self.consumer.seek(partition, max(reached, first[partition]))

    def _converted(self, records: Iterable[object]) -> Iterable[Record]:
        for r in records:
            value = r.value or b""  # type: ignore[attr-defined]  # kafka-python has no types
            key = r.key or b""  # type: ignore[attr-defined]  # as above
            if len(value) > MAX_BYTES:  # no event: neither worth the search nor the space
                value = f"{len(value)} bytes, SHA-256 {sha256(value).hexdigest()}".encode()
            elif self.token is not None:  # decisions as well: a score's digits are no card number
                value, _ = mask_bytes(value, self.token)
            yield Record(r.partition, r.offset, r.timestamp * 1000, key.decode(errors="replace"), value)  # type: ignore[attr-defined]  # as above


def _partitions(consumer: KafkaConsumer, topic: str) -> list[int]:
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise BrokerUnavailable(f"topic {topic} does not exist: create it with `python -m service topics`")
    return sorted(partitions)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
