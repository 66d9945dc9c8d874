"""Tells whoever listens on the models topic what became of a version."""

from dataclasses import asdict, dataclass
from typing import Final, Literal, Protocol, TypeAlias

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from fraud.events import SCHEMA_VERSION
from training.loop.feed import BrokerUnavailable

MODEL: Final = "fraud"
Move: TypeAlias = Literal["promotion", "rollback", "shadow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One move in the model directory.

    Attributes:
        type: what happened.
        version: who serves (or shadows) now.
        former: who served before.
        at: when, ISO 8601, by the loop's clock.
        reason: why.
        features_fingerprint: for which features.
        run: number of the loop's run, 0 outside one.
    """

    type: Move
    version: int
    former: int | None
    at: str
    reason: str
    features_fingerprint: str
    run: int = 0

    def to_json(self) -> bytes:
        """The record's value."""
        return msgspec.json.encode({"schema_version": SCHEMA_VERSION, "model": MODEL, **asdict(self)})


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
        try:
            self.producer.send(self.topic, key=MODEL.encode(), value=announcement.to_json()).get(timeout=30)
        except KafkaError as error:
            raise BrokerUnavailable(f"{self.topic}: {type(error).__name__}: {error}") from None
