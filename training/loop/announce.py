"""Tells whoever listens on the models topic what became of a version."""

from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaProducer

from fraud.contracts.outbound import MODEL, Announcement
from training.loop.kafka import translated


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
        with translated(self.topic):
            self.producer.send(self.topic, key=MODEL.encode(), value=value).get(timeout=30)
