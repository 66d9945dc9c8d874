"""`service.ports.Log` in memory: for tests, and for reading what the port promises without Kafka in the way."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, TypeAlias

from fraud.history.history import History
from runtime.errors import Unavailable
from service.ports import Assignment, Channel, Headers, Output, Records, Snapshot

Fault: TypeAlias = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Message:
    """A published message."""

    key: bytes | None
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class _Stored:
    timestamp_us: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass
class MemoryBroker:
    """What survives its clients: the input, the committed outputs and positions, and who owns what.

    Attributes:
        partitions: of the input.
        published: committed messages by channel, in order.
        positions: committed position by partition.
        faults: what becomes of the next commits; "before" loses one, "after" does it but hides the answer.
        away: while true, every call fails as if no broker answered.
    """

    partitions: int = 1
    published: dict[Channel, list[Message]] = field(default_factory=lambda: defaultdict(list))
    positions: dict[int, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    away: bool = False
    epoch: int = 0
    _members: list[str] = field(default_factory=list)
    _input: dict[int, list[_Stored]] = field(default_factory=lambda: defaultdict(list))

    def produce(
        self,
        value: bytes | None,
        *,
        key: bytes | None = None,
        timestamp_us: int = 0,
        headers: Headers = (),
        partition: int = 0,
    ) -> int:
        """Appends to the input; the record's offset."""
        self._input[partition].append(_Stored(timestamp_us, key, value, headers))
        return len(self._input[partition]) - 1

    def join(self, member: str) -> None:
        """Takes a member in and shares the partitions out anew."""
        if member not in self._members:
            self._members.append(member)
            self.epoch += 1

    def leave(self, member: str) -> None:
        """Lets a member go, or declares it dead, and shares the partitions out anew."""
        if member in self._members:
            self._members.remove(member)
            self.epoch += 1

    def owned(self, member: str) -> frozenset[int]:
        """The member's partitions."""
        if member not in self._members:
            return frozenset()
        rank = self._members.index(member)
        return frozenset(p for p in range(self.partitions) if p % len(self._members) == rank)

    def read(self, partition: int, start: int, end: int) -> Records | None:
        """The records of [start, end) that exist."""
        stored = self._input[partition][start:end]
        if not stored:
            return None
        return Records(
            partition,
            range(start, start + len(stored)),
            [record.timestamp_us for record in stored],
            [record.key for record in stored],
            [record.value for record in stored],
            [record.headers for record in stored],
        )

    def end(self, partition: int) -> int:
        """The next offset."""
        return len(self._input[partition])

    def publish(self, outputs: Sequence[Output]) -> None:
        """Commits, all together."""
        for output in outputs:
            self.positions[output.partition] = output.end
            for messages in output.messages:
                headers = messages.headers or [[]] * len(messages)
                self.published[messages.channel] += map(Message, messages.keys, messages.values, headers)


class Underway(Future[Mapping[str, float]]):
    """A commit that happens as late as it may: when somebody waits for it."""

    def __init__(self, publish: Callable[[], Mapping[str, float]]) -> None:
        super().__init__()
        self._publish = publish

    def result(self, timeout: float | None = None) -> Mapping[str, float]:
        """What came of it."""
        if not self.done():
            try:
                self.set_result(self._publish())
            except Unavailable as error:
                self.set_exception(error)
        return super().result(timeout)


class MemoryLog:
    """One client of a `MemoryBroker`; see `service.ports.Log`."""

    def __init__(self, broker: MemoryBroker, *, instance_id: str = "memory-0", batch_records: int = 2_000) -> None:
        self._broker = broker
        self._id = instance_id
        self._batch = batch_records
        self._epoch = -1
        self._positions: dict[int, int] = {}

    def _reach(self) -> None:
        if self._broker.away:
            raise Unavailable("the memory broker is away")

    def open(self) -> None:
        """See `service.ports.Log.open`."""
        self._reach()

    def poll(self, timeout: float) -> list[Records]:  # noqa: ARG002 - nothing to wait for
        """See `service.ports.Log.poll`."""
        self._reach()
        self._broker.join(self._id)
        if self._epoch != self._broker.epoch:
            self._epoch = self._broker.epoch
            self._positions.clear()  # paused, all of them
            return []
        found = []
        for partition, position in self._positions.items():
            records = self._broker.read(partition, position, position + self._batch)
            if records is not None:
                found.append(records)
                self._positions[partition] = records.end
        return found

    def assignment(self) -> Assignment:
        """See `service.ports.Log.assignment`."""
        owned = self._broker.owned(self._id) if self._epoch == self._broker.epoch else frozenset()
        return Assignment(self._epoch, owned)

    def joined(self) -> bool:
        """See `service.ports.Log.joined`."""
        return not self._broker.away and self._epoch == self._broker.epoch

    def identity(self) -> str:
        """See `service.ports.Log.identity`."""
        return "memory"

    def committed(self, partition: int) -> int | None:
        """See `service.ports.Log.committed`."""
        self._reach()
        return self._broker.positions.get(partition)

    def bounds(self, partition: int) -> tuple[int, int]:
        """See `service.ports.Log.bounds`."""
        self._reach()
        return 0, self._broker.end(partition)

    def offset_at(self, partition: int, timestamp_us: int) -> int:
        """See `service.ports.Log.offset_at`."""
        records = self._all(partition)
        times = records.timestamps_us if records else ()
        return next((i for i, time_us in enumerate(times) if time_us >= timestamp_us), len(times))

    def timestamp_at(self, partition: int, offset: int) -> int | None:
        """See `service.ports.Log.timestamp_at`."""
        records = self._all(partition)
        return records.timestamps_us[offset] if records and offset < len(records) else None

    def _all(self, partition: int) -> Records | None:
        self._reach()
        return self._broker.read(partition, 0, self._broker.end(partition))

    def replay(self, partition: int, start: int, end: int) -> Iterator[Records]:
        """See `service.ports.Log.replay`."""
        self._reach()
        for first in range(start, end, self._batch):
            records = self._broker.read(partition, first, min(first + self._batch, end))
            if records is not None:
                yield records

    def resume(self, partition: int, position: int) -> None:
        """See `service.ports.Log.resume`."""
        if partition in self.assignment().partitions:
            self._positions[partition] = position

    def commit(self, outputs: Sequence[Output]) -> Future[Mapping[str, float]]:
        """See `service.ports.Log.commit`."""
        return Underway(partial(self._publish, outputs, self._epoch))

    def _publish(self, outputs: Sequence[Output], epoch: int) -> dict[str, float]:
        self._reach()
        fault = self._broker.faults.pop(0) if self._broker.faults else None
        if fault == "before":
            raise Unavailable("the commit was lost")
        if epoch != self._broker.epoch:
            raise Unavailable("the group has moved on")
        self._broker.publish(outputs)
        if fault == "after":
            raise Unavailable("the answer to the commit was lost")
        return {}

    def recover(self) -> None:
        """See `service.ports.Log.recover`."""
        self._reach()
        self._broker.join(self._id)
        self._epoch = self._broker.epoch
        self._positions.clear()

    def lag(self) -> dict[int, int]:
        """See `service.ports.Log.lag`."""
        return {p: self._broker.end(p) - position for p, position in self._positions.items()}

    def close(self) -> None:
        """See `service.ports.Log.close`."""
        self._broker.leave(self._id)


class MemorySnapshots:
    """See `service.ports.SnapshotStore`."""

    def __init__(self) -> None:
        self._kept: dict[int, list[Snapshot]] = defaultdict(list)

    def open(self, log: str) -> None:
        """Nothing to open."""

    def discard_after(self, partition: int, position: int) -> None:
        """See `service.ports.SnapshotStore.discard_after`."""
        self._kept[partition] = [snapshot for snapshot in self._kept[partition] if snapshot.position <= position]

    def newest(self, partition: int, at_most: int) -> Snapshot | None:
        """See `service.ports.SnapshotStore.newest`."""
        usable = [snapshot for snapshot in self._kept[partition] if snapshot.position <= at_most]
        return _copy(max(usable, key=lambda snapshot: snapshot.position)) if usable else None

    def save(self, snapshot: Snapshot) -> bool:
        """See `service.ports.SnapshotStore.save`."""
        self._kept[snapshot.partition].append(_copy(snapshot))
        return True

    def wait(self) -> None:
        """Nothing is ever under way."""


class MemoryControls:
    """See `service.ports.ControlsSource`; a test appends to `records`."""

    def __init__(self, *records: bytes) -> None:
        self.records = [*records]
        self._read = 0

    def open(self) -> None:
        """Nothing to open."""

    def poll(self) -> list[tuple[int, bytes]]:
        """See `service.ports.ControlsSource.poll`."""
        first, self._read = self._read, len(self.records)
        return [(offset, self.records[offset]) for offset in range(first, self._read)]

    def age(self) -> float:
        """Always read to its end."""
        return 0.0

    def close(self) -> None:
        """Nothing to close."""


def _copy(snapshot: Snapshot) -> Snapshot:
    arrays = {name: array.copy() for name, array in snapshot.history.arrays().items()}
    return replace(snapshot, history=History.from_arrays(snapshot.history.config, arrays))
