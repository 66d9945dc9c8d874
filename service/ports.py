"""The ports: what the service needs of the outside, as protocols, and the values that pass through them.

Columns instead of one object per record: at tens of thousands of records a second the objects would cost more than the
work on them.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import Policy
from fraud.features.risk_tables import RiskTables
from fraud.history.history import History

Float32s: TypeAlias = npt.NDArray[np.float32]
Headers: TypeAlias = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Records:
    """n consecutive records of one partition of the input, in offset order.

    Attributes:
        partition: where they stand.
        offsets: ascending; gaps are transaction markers.
        timestamps_us: Kafka timestamps, µs since 1970 UTC.
        keys: as they came.
        values: as they came; None is a tombstone.
        headers: as they came; empty where they could not be read.
        unread: rows whose value the log cannot hand out (it is None), with why.
        bare: records that lost their headers because those cannot be read.
    """

    partition: int
    offsets: Sequence[int]
    timestamps_us: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers]
    unread: Mapping[int, str] = field(default_factory=dict)
    bare: int = 0

    def __len__(self) -> int:
        return len(self.offsets)

    def head(self, count: int) -> "Records":
        """The first of them."""
        return Records(
            self.partition,
            self.offsets[:count],
            self.timestamps_us[:count],
            self.keys[:count],
            self.values[:count],
            self.headers[:count],
            {row: why for row, why in self.unread.items() if row < count},
            self.bare if count >= len(self) else 0,
        )

    @property
    def end(self) -> int:
        """Offset after the last record: the position to commit."""
        return self.offsets[-1] + 1


class Channel(StrEnum):
    """Where a message goes; settings give each its topic."""

    ALERTS = "alerts"
    DECISIONS = "decisions"
    DEAD_LETTERS = "dead_letters"


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages for one channel, in order.

    Attributes:
        channel: where they go.
        keys: one a message.
        values: one a message.
        headers: one list a message; empty where no message has any.
    """

    channel: Channel
    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    headers: Sequence[list[tuple[str, bytes]]] = ()

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Output:
    """All that came of one partition's records, to be published together with the new position.

    Attributes:
        partition: of the input.
        start: position before these records; None on a first start, when nothing was ever committed.
        end: position after them.
        messages: what to publish.
    """

    partition: int
    start: int | None
    end: int
    messages: tuple[Messages, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which partitions this instance owns; `epoch` grows whenever that was decided anew."""

    epoch: int
    partitions: frozenset[int]


class Archive(Protocol):
    """The records of the input, read apart from any group and without moving any position.

    Every method may raise `Unavailable` (try again) or `Misconfigured` (stop).
    """

    def bounds(self, partition: int) -> tuple[int, int]:
        """First and next offset of the partition's log."""

    def offset_at(self, partition: int, timestamp_us: int) -> int:
        """The first offset whose timestamp is at or after the given one; the end of the log when there is none."""

    def timestamp_at(self, partition: int, offset: int) -> int | None:
        """Timestamp in µs of the first record at or after `offset`; None when there is none."""

    def replay(self, partition: int, start: int, end: int) -> Iterator[Records]:
        """The committed records of [start, end)."""


class Log(Archive, Protocol):
    """The input topic and the outputs, tied together: one commit moves both.

    Every method may raise `Unavailable` (try again), `Misconfigured` or `Fenced` (stop).
    """

    def open(self) -> None:
        """Connects, joins nothing yet. Blocks for a few seconds at most; may be called again after `Unavailable`."""

    def poll(self, timeout: float) -> Sequence[Records]:
        """The next records of the owned and resumed partitions, at most one item a partition.

        Blocks up to `timeout` seconds. Ownership changes happen here and nowhere else; a partition that was just
        gained is paused until `resume`.

        Raises:
            OffsetsLost: the position fell out of the log.
        """

    def assignment(self) -> Assignment:
        """The partitions that the last `poll` left this instance with. Never blocks.

        Raises:
            Misconfigured: the input has more partitions than it shall have, since it grew at run time.
        """

    def joined(self) -> bool:
        """Whether this instance is a member in good standing now. Never blocks."""

    def identity(self) -> str:
        """The ids of cluster and input topic, for naming what belongs to its offsets: a topic made anew has others."""

    def committed(self, partition: int) -> int | None:
        """The committed position, once every commit in doubt is settled; None when there was never any."""

    def resume(self, partition: int, position: int) -> None:
        """Lets `poll` deliver an owned partition from `position` on."""

    def commit(self, outputs: Sequence[Output]) -> "Future[Mapping[str, float]]":
        """Starts to publish all messages and to move the positions to each `end`, together or not at all.

        What it gives is done when that is: with the seconds spent by stage, "send" and "commit", or with an error.
        Until then nothing but `poll`, `assignment`, `joined` and `lag` may be called.

        Belongs to the ownership that the last `poll` saw: if that has passed on, nothing is published. After any
        `Unavailable` it is unknown whether it happened: `recover`, then ask `committed`.
        """

    def recover(self) -> None:
        """Settles whatever a failed `commit` left open and takes part in the group again; every partition is paused.

        Blocks for some seconds at most; may be called again after `Unavailable`.
        """

    def lag(self) -> dict[int, int]:
        """Records behind the end of the log as last heard, by partition. Never blocks."""

    def close(self) -> None:
        """Leaves everything, once a commit under way has ended; what was not committed stays so. Never raises."""


class Model(Protocol):
    """One loaded version."""

    version: int
    policy: Policy
    policy_version: str
    risk: RiskTables
    created_at_us: int

    def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
        """Calibrated and raw score, each [n], of features [n, d]."""

    def explain(self, features: Float32s) -> Float32s:
        """Contributions in log-odds, [n, d]."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models that score: a champion, and a shadow whose scores are only written down."""

    champion: Model
    shadow: Model | None = None


class ModelSource(Protocol):
    """Where models come from. Loading happens in the background, never in the caller."""

    def current(self) -> Models:
        """The newest verified and warmed-up models. Never blocks."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A partition's history as it stood before the record at `position`.

    Attributes:
        partition: whose it is.
        position: offset of the next record.
        history: the history.
        history_from: see `service.partition.Partition`.
    """

    partition: int
    position: int
    history: History
    history_from: int | None = None


class SnapshotStore(Protocol):
    """Histories kept outside the process, each named by the position that it stands for."""

    def open(self, log: str) -> None:
        """Takes the identity of the log that the positions belong to; Misconfigured where nothing can be kept."""

    def newest(self, partition: int, at_most: int) -> Snapshot | None:
        """The newest usable snapshot at or before a position."""

    def discard_after(self, partition: int, position: int) -> None:
        """Removes what stands for later positions: the log was set back, and will hold other records there."""

    def save(self, snapshot: Snapshot) -> bool:
        """Starts to write; returns as soon as the history may change again. False where one is still being written.

        Never raises: a failure is logged and counted, and the snapshot before it stays.
        """

    def wait(self) -> None:
        """Blocks until what `save` started is written or has failed."""


class ControlsSource(Protocol):
    """The controls log, followed beside the loop."""

    def open(self) -> None:
        """Reads it to its present end, then follows it. Raises `Unavailable` (try again) or `Misconfigured` (stop)."""

    def poll(self) -> Sequence[tuple[int, bytes]]:
        """The records that came since the last call, with their offsets, in order. Never blocks."""

    def age(self) -> float:
        """Seconds since it was last known to be read to its end. Never blocks."""

    def close(self) -> None:
        """Stops following. Never raises."""


class Clock(Protocol):
    """Wall time, for what people read; never for what decides."""

    def now_us(self) -> int:
        """µs since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""
