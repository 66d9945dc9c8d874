"""From the topics into the ledger's store, as far as they go, without a consumer group: the store is the progress.

A label counts from when it *arrived*, whatever it says itself. With the wall clock that is the broker's stamp
(`message.timestamp.type=LogAppendTime`); a stamp that its producer chose is not believed: the loop's own clock at the
pull stands in. With the stream's clock it is the time of the newest payment, or the stamp where producers stamp, as
replays do. What was not there at the last pull has not arrived before it: an open transaction hides records.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal, Protocol

import structlog
from kafka import TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError
from prometheus_client import Counter

from fraud.decoding.validation import MAX_BYTES
from fraud.privacy.card_numbers import Token, mask_bytes
from runtime.clock import SystemClock
from runtime.errors import Unavailable
from runtime.kafka.batch_reader import read_in_batches
from runtime.kafka.client import Cluster, open_consumer
from training.labels.ledger import DAY_US
from training.labels.store import Kind, LedgerStore, Record

POLL_MS: Final = 500
MAX_RECORDS: Final = 10_000
QUIET_POLLS: Final = 2
LOG_APPEND_TIME: Final = 1
INCARNATION: Final = 1_000_000
"""What is added to a partition's number in the ledger when its topic begins anew, so that offsets may come twice."""

log = structlog.get_logger()


class Feed(Protocol):
    """Where records come from."""

    def pull(self, store: LedgerStore) -> int:
        """Moves everything that is there into the store; how many records. May block for seconds.

        Raises:
            Unavailable: try again later; nothing is lost.
            Misconfigured: trying again would not help.
        """
        ...

    def close(self) -> None:
        """Lets go of what is held."""
        ...


def wall_time() -> int:
    """Now, µs."""
    return SystemClock().now_us()


@dataclass(slots=True)
class KafkaFeed:
    """Reads committed records of three topics.

    Attributes:
        consumer: assigned to all of their partitions.
        cluster: where it reads.
        kinds: topic -> what it holds.
        token: replaces card numbers in what is stored; None leaves them.
        clock: what the loop takes for now, "wall" or "stream": by it labels arrive.
        wall: the wall clock, µs.
        faults: counts, by kind, what was mended or lost.
    """

    consumer: Any
    cluster: Cluster
    kinds: Mapping[str, Kind]
    token: Token | None = None
    clock: Literal["wall", "stream"] = "wall"
    wall: Callable[[], int] = wall_time
    faults: Counter | None = None
    _pulled: int = field(default=0, init=False)

    @classmethod
    def connect(
        cls,
        cluster: Cluster,
        kinds: Mapping[str, Kind],
        token: Token | None = None,
        *,
        clock: Literal["wall", "stream"] = "wall",
    ) -> "KafkaFeed":
        """Connects.

        Raises:
            Unavailable: nobody answers, or a topic is missing.
            Misconfigured: wrong credentials, missing rights, or a certificate that does not exist.
        """
        config = {
            **cluster.config(),
            "group_id": None,
            "auto_offset_reset": "none",
            "max_poll_records": MAX_RECORDS,
        }
        with cluster.translated("connecting"):
            consumer = open_consumer(config)
        # The library's own way stops for good at a header name that is not UTF-8, and unpacks without limit.
        read_in_batches(consumer)
        try:
            with cluster.translated("reading metadata"):
                consumer.assign([TopicPartition(topic, p) for topic in kinds for p in _partitions(consumer, topic)])
        except BaseException:
            consumer.close()
            raise
        return cls(consumer, cluster, kinds, token, clock)

    def pull(self, store: LedgerStore) -> int:
        """Reads what was there when it began: a shop's payments never cease. Labels come last, after their payments."""
        with self.cluster.translated("reading"):
            try:
                return self._pull(store)
            except (OffsetOutOfRangeError, LogTruncationError) as error:
                # The next pull begins where the log does.
                raise Unavailable(f"records went while they were read: {error}") from None

    def close(self) -> None:
        """Closes the consumer."""
        self.consumer.close()

    def _pull(self, store: LedgerStore) -> int:
        began = self.wall()
        numbers = self._seek(store)
        every = self.consumer.assignment()
        ends = self.consumer.end_offsets(every)
        labels = {p for p in every if self.kinds[p.topic] == "labels"}
        self.consumer.pause(*labels)
        count = self._read(store, {p: end for p, end in ends.items() if p not in labels}, numbers, began=began)
        self.consumer.resume(*labels)
        arrived = began if self.clock == "wall" else store.newest("events")
        if arrived is not None:
            wanted = {p: end for p, end in ends.items() if p in labels}
            count += self._read(store, wanted, numbers, began=began, arrived=arrived)
            self._pulled = arrived
        return count

    def _read(
        self,
        store: LedgerStore,
        ends: Mapping[TopicPartition, int],
        numbers: Mapping[TopicPartition, int],
        *,
        began: int,
        arrived: int = 0,
    ) -> int:
        count = quiet = 0
        # The last records may be markers of transactions, which are never handed out: quiet ends it as well.
        while quiet < QUIET_POLLS and any(self.consumer.position(p) < end for p, end in ends.items()):
            batches = self.consumer.poll(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
            quiet = 0 if batches else quiet + 1
            for partition, records in batches.items():
                self._check_clock(partition.topic, records, began)
                kind = self.kinds[partition.topic]
                store.append(
                    kind, list(self._converted(records, kind, numbers[partition], began=began, arrived=arrived))
                )
                count += len(records)
        return count

    def _seek(self, store: LedgerStore) -> dict[TopicPartition, int]:
        """Goes to where the ledger ends; the number that each partition has there."""
        every = self.consumer.assignment()
        first, ends = self.consumer.beginning_offsets(every), self.consumer.end_offsets(every)
        numbers = {}
        for place in every:
            kind = self.kinds[place.topic]
            held = {p: offset for p, offset in store.progress(kind).items() if p % INCARNATION == place.partition}
            number = max(held, default=place.partition)
            offset = held.get(number, 0)
            if offset > ends[place]:
                number += INCARNATION
                offset = self._anew(store, place, number, offset)
            elif held and offset < first[place]:
                self._fault("lost")
                log.warning("records were removed before they were read", topic=place.topic, partition=place.partition,
                            offset=offset, begins=first[place])  # fmt: skip
                store.skip(kind, number, first[place])
            numbers[place] = number
            self.consumer.seek(place, max(offset, first[place]))
        return numbers

    def _anew(self, store: LedgerStore, place: TopicPartition, number: int, reached: int) -> int:
        """Where a log that ends before what was read of it is taken up: at its first record younger than the ledger's.

        It was made again, or lost its end: either way what is older has been read.
        """
        kind = self.kinds[place.topic]
        newest = store.newest(kind)
        found = self.consumer.offsets_for_times({place: 0 if newest is None else newest // 1000 + 1})[place]
        begins: int = self.consumer.end_offsets([place])[place] if found is None else found.offset
        store.skip(kind, number, begins)
        self._fault("begun_anew")
        log.warning("a topic ends before what was read of it: made again, or cut", topic=place.topic,
                    partition=place.partition, read=reached, goes_on_at=begins)  # fmt: skip
        return begins

    def _check_clock(self, topic: str, records: Iterable[object], now: int) -> None:
        """Refuses to file by a wall clock that is behind: not one record, most of them would be of the future."""
        ahead = [r.timestamp * 1000 > now + DAY_US for r in records]  # type: ignore[attr-defined]  # kafka-python has no types
        if 2 * sum(ahead) > len(ahead) and len(ahead) > 1:
            raise Unavailable(f"{topic}: most records are dated a day or more after this machine's clock: set it")

    def _converted(
        self, records: Iterable[object], kind: Kind, number: int, *, began: int, arrived: int
    ) -> Iterable[Record]:
        for r in records:
            value = r.value or b""  # type: ignore[attr-defined]  # kafka-python has no types
            key = r.key or b""  # type: ignore[attr-defined]  # as above
            if len(value) > MAX_BYTES:  # no event: neither worth the search nor the space
                value = f"{len(value)} bytes, SHA-256 {sha256(value).hexdigest()}".encode()
            elif self.token is not None:  # decisions as well: a score's digits are no card number
                value, _ = mask_bytes(value, self.token)
            # A stamp of before 1970, or of the future, is nobody's time: it would end the loop, or the ledger's order.
            stamp = min(max(r.timestamp * 1000, 0), began + DAY_US)  # type: ignore[attr-defined]  # as above
            if stamp != r.timestamp * 1000:  # type: ignore[attr-defined]  # as above
                self._fault("timestamp")
            if kind == "labels":
                by_broker = r.timestamp_type == LOG_APPEND_TIME  # type: ignore[attr-defined]  # as above
                believed = by_broker == (self.clock == "wall")
                stamp = max(stamp if believed else arrived, self._pulled + 1)
            yield Record(number, r.offset, stamp, key.decode(errors="replace"), value)  # type: ignore[attr-defined]  # as above

    def _fault(self, kind: str) -> None:
        if self.faults is not None:
            self.faults.labels(kind).inc()


def _partitions(consumer: Any, topic: str) -> list[int]:  # noqa: ANN401 - kafka-python has no types
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise Unavailable(f"topic {topic} does not exist: create it with `python -m service topics`")
    return sorted(partitions)
