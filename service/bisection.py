"""The search for the record that a batch cannot be processed with.

By halves, and each half for good: one that passes is committed, one that fails costs the histories of its partitions,
which the runner restores from the committed position. So no history is ever left half-way, a failure that passes by
itself costs a restore and nothing else, and twelve attempts find one record among two thousand.
"""

from collections.abc import Sequence

from service.ports import Records


class Suspects:
    """The records of the last batch that failed; empty while nothing has."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}
        self._most = 0
        self._proven: str | None = None

    def share(self, polled: Sequence[Records]) -> Sequence[Records]:
        """What of the polled records to process now: all, or as many suspects of one partition as the search wants."""
        for records in polled:
            if records.partition in self._ends:
                within = sum(offset < self._ends[records.partition] for offset in records.offsets)
                return [records.head(max(1, min(self._most, within)))]
        return polled

    def failed(self, share: Sequence[Records]) -> bool:
        """Takes in a share that failed; whether it is one record that has failed before, among others or alone."""
        count = sum(map(len, share))
        found = count == 1 and self._within(share)
        self._ends = {records.partition: records.end for records in share}
        self._most = max(1, count // 2)
        self._proven = None
        return found

    def condemn(self, why: str) -> None:
        """Has the record that failed last go unscored."""
        self._proven = why

    def unscored(self, share: Sequence[Records]) -> str | None:
        """Why this share shall not be scored; None for all but the one record that was condemned."""
        return self._proven if self._within(share) else None

    def passed(self, share: Sequence[Records]) -> None:
        """Takes in a share that was committed."""
        for records in share:
            if records.end >= self._ends.get(records.partition, records.end + 1):
                del self._ends[records.partition]
        if not self._ends:
            self._proven = None

    def _within(self, share: Sequence[Records]) -> bool:
        return all(records.end <= self._ends.get(records.partition, 0) for records in share)
