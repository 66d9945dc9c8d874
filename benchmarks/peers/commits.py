"""Progress of any consumer group as the broker itself writes it down: offset and time of every commit.

The same clock for every system, whatever library it uses, and nothing is asked of the system.
"""

import struct
import threading
from collections import defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, TopicPartition

OFFSETS_TOPIC = "__consumer_offsets"


NEWEST_OFFSET_KEY = 1
"""Keys of this version or older speak of offsets, newer ones of members."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many records a group had committed when: `time_ms` is the broker's, `records` the sum over partitions."""

    time_ms: int
    records: int


@dataclass(frozen=True, slots=True)
class _Raw:
    time_ms: int
    partition: int
    offset: int


class CommitLog:
    """Reads the broker's offsets topic in the background from the moment it is entered."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._commits: dict[str, list[_Raw]] = defaultdict(list)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "commit-log",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 200,
            }
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commits", daemon=True)

    def __enter__(self) -> Self:
        partitions = self._consumer.list_topics(OFFSETS_TOPIC, 10).topics[OFFSETS_TOPIC].partitions
        self._consumer.assign([TopicPartition(OFFSETS_TOPIC, number, 0) for number in partitions])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def of(self, group: str) -> list[Progress]:
        """The group's commits so far, in order."""
        latest: dict[int, int] = {}
        progress = []
        for commit in list(self._commits[group]):
            latest[commit.partition] = commit.offset
            progress.append(Progress(commit.time_ms, sum(latest.values())))
        return progress

    def _run(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(500, timeout=0.2):
                parsed = None if message.error() else parse(message.key(), message.value())
                if parsed:
                    group, partition, offset = parsed
                    self._commits[group].append(_Raw(message.timestamp()[1], partition, offset))


def parse(key: bytes | None, value: bytes | None) -> tuple[str, int, int] | None:
    """Group, partition and offset of a record of the offsets topic; None for every other kind of record.

    Layout: the beginnings of Kafka's OffsetCommitKey and OffsetCommitValue, equal in all their versions; big-endian.
    """
    if not key or not value or struct.unpack_from(">h", key)[0] > NEWEST_OFFSET_KEY:
        return None
    group, after = _text(key, 2)
    _topic, after = _text(key, after)
    (partition,) = struct.unpack_from(">i", key, after)
    (offset,) = struct.unpack_from(">q", value, 2)
    return group, partition, offset


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length
