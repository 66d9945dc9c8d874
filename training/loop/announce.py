"""Tells whoever listens on the models topic what became of a version."""

from dataclasses import dataclass
from typing import Any, Protocol

from fraud.contracts.outbound import MODEL, Announcement
from runtime.kafka.client import Cluster


class Announcer(Protocol):
    """Who is told."""

    def announce(self, announcement: Announcement) -> None:
        """Returns once the announcement cannot get lost. Unavailable: try again."""
        ...


@dataclass(frozen=True, slots=True)
class KafkaAnnouncer:
    """Writes to the models topic."""

    producer: Any
    cluster: Cluster
    topic: str

    def announce(self, announcement: Announcement) -> None:
        """Sends and waits for all replicas."""
        value = announcement.model_dump_json().encode()
        with self.cluster.translated(f"announcing on {self.topic}"):
            self.producer.send(self.topic, key=MODEL.encode(), value=value).get(timeout=30)
