"""The time that records waited. A record's timestamp is its producer's word; when the log was looked at is known here.

A record that was not in the log at the last look before it came cannot have waited longer than since then, whatever its
timestamp says: a replay, an import or a simulated shop has timestamps of another time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from service.ports import Records

LONGEST_US: Final = 86_400_000_000
"""What stood in the log when a partition was taken over has nothing but its timestamp; one older than this tells
nothing of how long the record waited."""


@dataclass(slots=True)
class _Looks:
    """What is known of one partition.

    Attributes:
        since_us: no later than this the records from the position on may have come.
        known: whether they really came after that; before it is, `since_us` is when the partition was taken over.
        seen_us: a later look at the log; once the position has passed what was in it then, this becomes `since_us`.
        ahead: how many offsets that is away.
        position: offset after the last polled record; None before the first.
        waits: whether there are records beyond the position.
        batch: `since_us` and `known` of the records that were polled last.
    """

    since_us: int
    known: bool
    seen_us: int
    ahead: int
    position: int | None
    waits: bool
    batch: tuple[int, bool]


class RecordLatency:
    """Follows the partitions that are owned."""

    def __init__(self) -> None:
        self._looks: dict[int, _Looks] = {}

    def look(self, polled: Sequence[Records], behind: Mapping[int, int], now_us: int) -> None:
        """Takes in what a poll brought and how many records each partition is behind after it."""
        came = {records.partition: records for records in polled}
        for gone in self._looks.keys() - behind.keys():
            del self._looks[gone]
        for partition, records_behind in behind.items():
            self._look(partition, came.get(partition), records_behind, now_us)

    def _look(self, partition: int, records: Records | None, behind: int, now_us: int) -> None:
        looks = self._looks.get(partition)
        if looks is None or (records and looks.position is not None and records.offsets[0] < looks.position):
            end = records.end if records else None
            empty = not records and not behind
            self._looks[partition] = _Looks(now_us, empty, now_us, behind, end, behind > 0, (now_us, False))
            return
        if records:
            looks.ahead -= records.end - (records.offsets[0] if looks.position is None else looks.position)
            looks.position = records.end
            looks.batch = looks.since_us, looks.known
        if looks.ahead <= 0:
            looks.since_us, looks.known = looks.seen_us, True
            looks.seen_us, looks.ahead = now_us, behind
        looks.waits = behind > 0

    def latencies(self, records: Records, committed_us: int) -> npt.NDArray[np.float64]:
        """Seconds from arrival to commit of the records that were polled last, at most; where they can be told."""
        stamped = np.asarray(records.timestamps_us, np.int64)
        looks = self._looks.get(records.partition)
        since, known = (0, False) if looks is None else looks.batch
        if known:
            return (committed_us - np.maximum(stamped, since)) / 1e6
        waited = committed_us - stamped
        return waited[waited < LONGEST_US] / 1e6

    def longest(self, now_us: int) -> float:
        """Seconds that a record may have waited by now, at most; 0 where none waits."""
        return max(((now_us - looks.since_us) / 1e6 for looks in self._looks.values() if looks.waits), default=0.0)
