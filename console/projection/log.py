"""What the console needs of Kafka, as a port: tests have it in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of a topic; `time_us` is its Kafka timestamp, µs since 1970."""

    topic: str
    partition: int
    offset: int
    time_us: int
    value: bytes


class LogReader(Protocol):
    """Reads committed records of all topics of the projection."""

    def start(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Goes to the next offset of each (topic, partition); what is not named starts at its beginning."""
        ...

    def start_from(self, time_us: int) -> None:
        """Goes to the first records that are stamped at a time, µs, or later; after `start`. Raises as `poll`."""
        ...

    def one(self, topic: str, partition: int, offset: int) -> LogRecord | None:
        """A single record, apart from `start` and `poll`; None where it is gone. Raises as `poll`."""
        ...

    def poll(self) -> Sequence[LogRecord]:
        """What has come, in offset order by partition; waits for a moment when there is nothing.

        Raises:
            Unavailable: nobody answers; ask again.
        """
        ...

    def behind(self) -> int:
        """How many records are there that `poll` has not returned.

        Raises:
            Unavailable: as `poll`.
        """
        ...

    def close(self) -> None:
        """Lets go of what is held."""
        ...


class LogWriter(Protocol):
    """Appends records."""

    def append(self, topic: str, key: str, value: bytes) -> int:
        """Returns the record's offset once no broker's death can lose it.

        Raises:
            Unavailable: it may be in the log, or not.
        """
        ...

    def close(self) -> None:
        """Lets go of what is held."""
        ...
