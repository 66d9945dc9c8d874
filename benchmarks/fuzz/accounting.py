"""The accounts of a run: each record of the input and its outputs, in bulk, from the topics that the service writes."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from benchmarks.fuzz.payments import payment
from fraud.features.encoder import SPEC
from fraud.history.history import History, HistoryConfig
from local.testbed.bundles import AmountModel
from runtime.clock import SystemClock
from service.bootstrap import Domain, build_pipeline
from service.ports import Channel, Models, Records
from service.settings import Settings

PARTITION: Final = 0
READ_SECONDS: Final = 120.0
"""Within which a topic must let itself be read to its end."""

SCORE_TOLERANCE: Final = 1e-4
"""Float products differ with the size of a batch; features do not."""


class _Source(msgspec.Struct):
    offset: int


class Seen(msgspec.Struct):
    """What is compared of a decision."""

    transaction_id: str
    source: _Source
    features_crc: int
    score: float | None
    action: str
    late: bool


_decision: Final = msgspec.json.Decoder(Seen).decode


class Tail:
    """Reads one partition of a topic from its start, as far as it was committed, each time that it is asked."""

    def __init__(self, servers: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "fuzz-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,  # the last offsets are markers of transactions, which are never seen
                "fetch.message.max.bytes": 16 << 20,
                "log_level": 0,
            }
        )
        self._where = TopicPartition(topic, PARTITION)
        self._consumer.assign([TopicPartition(topic, PARTITION, 0)])
        self._reached = 0

    def end(self) -> int:
        """The offset behind the last record."""
        return int(self._consumer.get_watermark_offsets(self._where, timeout=30)[1])

    def new(self) -> Iterator[Any]:
        """The messages that came since the last look."""
        end, began = self.end(), time.monotonic()
        while self._reached < end:
            for message in self._consumer.consume(10_000, 0.1):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    self._reached = message.offset()
            if time.monotonic() - began > READ_SECONDS:
                raise AssertionError(f"{self._where.topic} could not be read up to {end}, only to {self._reached}")

    def close(self) -> None:
        """Disconnects."""
        self._consumer.close()


class Undisturbed:
    """The decisions on the valid payments alone, in one process, by the service's own pipeline.

    Args:
        seed: of the payments.
        start_ms: when they begin.
        settings: of the service.
    """

    def __init__(self, settings: Settings, *, seed: int, start_ms: int) -> None:
        self._pipeline = build_pipeline(settings, Domain(SPEC, HistoryConfig()), SystemClock().monotonic)
        self._pipeline.adopt(PARTITION, History(HistoryConfig()), None)
        self._models = Models(AmountModel())
        self._seed, self._start_ms = seed, start_ms
        self._next = 0

    def upto(self, end: int) -> dict[str, Seen]:
        """The decisions on the payments from where the last call ended up to number `end`, by transaction."""
        numbers = range(self._next, end)
        self._next = max(self._next, end)
        if not numbers:
            return {}
        keys, values, stamps = zip(*(payment(self._seed, n, start_ms=self._start_ms) for n in numbers), strict=True)
        records = Records(PARTITION, numbers, [ms * 1000 for ms in stamps], keys, values, [()] * len(numbers))
        result = self._pipeline.process([records], self._models, 0)
        seen = (
            _decision(value)
            for output in result.outputs
            for messages in output.messages
            if messages.channel is Channel.DECISIONS
            for value in messages.values
        )
        return {decision.transaction_id: decision for decision in seen}


@dataclass
class Account:
    """The books of one run.

    Attributes:
        wanted: decisions on valid payments that are still to come.
        outputs: offset of an input record -> how many decisions and dead letters it gave.
        decisions, letters, alerts, flagged: messages.
        changed: decisions on valid payments that are not those of an undisturbed run.
        examples: a few of those, for people.
    """

    wanted: dict[str, Seen] = field(default_factory=dict)
    outputs: dict[int, int] = field(default_factory=dict)
    decisions: int = 0
    letters: int = 0
    changed: int = 0
    examples: list[str] = field(default_factory=list)

    def decided(self, value: bytes) -> None:
        """Takes in a decision."""
        seen = _decision(value)
        self.decisions += 1
        self._of(seen.source.offset)
        if not seen.transaction_id.startswith("valid-"):
            return
        wanted = self.wanted.pop(seen.transaction_id, None)
        if wanted is None or not _equal(seen, wanted):
            self.changed += 1
            self.examples += [f"{seen} instead of {wanted}"] if len(self.examples) < 3 else []

    def dead(self, headers: Mapping[str, bytes]) -> None:
        """Takes in a dead letter."""
        self.letters += 1
        self._of(int(headers["source_offset"]))

    def unaccounted(self, offsets: Mapping[int, int], *, silent: int) -> int:
        """Records that gave more or other than they should.

        Args:
            offsets: offset -> number, of every record that was processed.
            silent: outcomes and duplicates that the service has counted; they give no message.
        """
        told = sum(1 for offset in offsets if offset in self.outputs)
        doubled = sum(count - 1 for count in self.outputs.values())
        strange = sum(1 for offset in self.outputs if offset not in offsets)
        return abs(len(offsets) - told - silent) + doubled + strange

    def _of(self, offset: int) -> None:
        self.outputs[offset] = self.outputs.get(offset, 0) + 1


def _equal(one: Seen, other: Seen) -> bool:
    if one.score is None or other.score is None:
        return one.score is other.score
    same = (one.features_crc, one.action, one.late) == (other.features_crc, other.action, other.late)
    return same and abs(one.score - other.score) <= SCORE_TOLERANCE
