"""Tells whoever listens on the models topic what became of a version."""

from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from fraud.outputs import MODEL, Announcement
from training.loop.feed import BrokerUnavailable


class Announcer(Protocol):
    """Who is told."""

    def announce(self, announcement: Announcement) -> None:
        """Returns once the announcement cannot get lost. BrokerUnavailable: try again."""
        ...


@dataclass(frozen=True, slots=True)
class KafkaAnnouncer:
    """Writes to the models topic."""

    producer: KafkaProducer
    topic: str

    def announce(self, announcement: Announcement) -> None:
        """Sends and waits for all replicas."""
        value = announcement.model_dump_json().encode()
        try:
            self.producer.send(self.topic, key=MODEL.encode(), value=value).get(timeout=30)
        except KafkaError as error:
            raise BrokerUnavailable(f"{self.topic}: {type(error).__name__}: {error}") from None
