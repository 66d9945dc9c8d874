"""`console.projection.log` in memory: topics that outlive their readers, and a broker that may be away."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.projection.log import LogRecord
from fraud.contracts.controls import Control
from fraud.controls.state import ControlsState, Refusal
from runtime.errors import Misconfigured, Unavailable, VersionConflict


@dataclass
class MemoryTopics:
    """Topics of one partition each.

    Attributes:
        records: of each topic, in order.
        now_us: stamps what is appended.
        away: while true, every call fails as if no broker answered.
    """

    records: dict[str, list[LogRecord]] = field(default_factory=lambda: defaultdict(list))
    now_us: int = 1_800_000_000_000_000
    away: bool = False

    def append(self, topic: str, key: str, value: bytes) -> int:
        """See `LogWriter.append`."""
        assert key
        self._answer()
        log = self.records[topic]
        log.append(LogRecord(topic, 0, len(log), self.now_us, value))
        return len(log) - 1

    def close(self) -> None:
        """See `LogWriter.close`."""

    def reader(self) -> "MemoryReader":
        """A reader of all topics."""
        return MemoryReader(self)

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("no broker answers")


@dataclass
class MemoryReader:
    """See `LogReader`."""

    topics: MemoryTopics
    _next: dict[str, int] = field(default_factory=dict)

    def start(self, positions: Mapping[tuple[str, int], int]) -> None:
        """See `LogReader.start`."""
        self.topics._answer()
        self._next = {topic: offset for (topic, _), offset in positions.items()}

    def start_from(self, time_us: int) -> None:
        """See `LogReader.start_from`."""
        self.topics._answer()
        for topic, log in self.topics.records.items():
            self._next[topic] = sum(record.time_us < time_us for record in log)

    def one(self, topic: str, partition: int, offset: int) -> LogRecord | None:
        """See `LogReader.one`."""
        self.topics._answer()
        log = self.topics.records[topic]
        return log[offset] if partition == 0 and offset < len(log) else None

    def poll(self) -> Sequence[LogRecord]:
        """See `LogReader.poll`."""
        self.topics._answer()
        found = [
            record for topic, log in list(self.topics.records.items()) for record in log[self._next.get(topic, 0) :]
        ]
        for record in found:
            self._next[record.topic] = record.offset + 1
        if not found:
            time.sleep(0.002)  # as a broker holds a fetch back for a while
        return found

    def behind(self) -> int:
        """See `LogReader.behind`."""
        self.topics._answer()
        return sum(len(log) - self._next.get(topic, 0) for topic, log in self.topics.records.items())

    def close(self) -> None:
        """See `LogReader.close`."""


@dataclass
class MemoryControls:
    """`runtime.kafka.controls_log.ControlsWriter` on topics in memory, with the fold that every reader has."""

    topics: MemoryTopics

    def state(self) -> ControlsState:
        """The controls as of now."""
        state = ControlsState()
        for record in self.topics.records["controls"]:
            state.apply(record.value, record.offset)
        return state

    def put(self, control: Control) -> int:
        """See `ControlsWriter.put`."""
        refused = self.state().refusal(control)
        if refused is not None:
            raise (VersionConflict if refused.reason is Refusal.CONFLICT else Misconfigured)(refused.detail)
        return self.topics.append("controls", control.control_id, control.encode())

    def close(self) -> None:
        """See `ControlsWriter.close`."""
