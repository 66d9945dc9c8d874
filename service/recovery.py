"""Recovery of a partition's history: the newest snapshot, then the records since, without output."""

from collections.abc import Callable
from typing import Final

import structlog

from fraud.history.history import AGREEING, History, HistoryConfig
from fraud.units import DAY_US
from runtime.errors import OffsetsLost, ServiceError, Unprocessable
from service.pipeline import Pipeline
from service.ports import Archive, Records, SnapshotStore

TOPIC_HINT: Final = "lengthen the topic's retention, then move the group's committed offset to where it shall go on"

_log = structlog.get_logger(__name__)


class HistoryRecovery:
    """Restores histories.

    Args:
        log: where the records are.
        snapshots: where the snapshots are.
        pipeline: takes the history over.
        config: of new histories.
        salt: of new histories.
    """

    def __init__(
        self,
        *,
        log: Archive,
        snapshots: SnapshotStore,
        pipeline: Pipeline,
        config: HistoryConfig,
        salt: int = 0,
    ) -> None:
        self._log = log
        self._snapshots = snapshots
        self._pipeline = pipeline
        self._config = config
        self._salt = salt

    def restore(self, partition: int, committed: int | None, alive: Callable[[], None]) -> None:
        """Gives the pipeline this partition's history as it stands at the committed position.

        `alive` is called between two steps, since a long log takes minutes; what it raises ends the restore.

        Raises:
            OffsetsLost: the log begins after the committed position.
            Unavailable: the broker is away; call again.
        """
        first, end = self._log.bounds(partition)
        if committed is None:
            self._pipeline.adopt(partition, self._new(), None, self._since(partition, first))
            _log.info("first start", partition=partition, offset=first)
            return
        if committed < first:
            raise OffsetsLost(
                f"partition {partition}: offsets {committed} to {first - 1} are gone unscored: {TOPIC_HINT}"
            )
        if committed > end:
            raise OffsetsLost(
                f"partition {partition}: offset {committed} is committed, but the log ends at {end}: the topic was "
                "made anew; reset the group's offsets"
            )
        self._rebuild(partition, first, committed, alive)

    def _rebuild(self, partition: int, first: int, committed: int, alive: Callable[[], None]) -> None:
        alive()
        found = self._snapshots.newest(partition, committed)
        alive()  # it may be gigabytes on a slow volume
        if found is not None and found.position >= first:
            start, source = found.position, "snapshot"
            self._pipeline.adopt(partition, found.history, start, found.history_from)
        else:
            start, source = self._begin(partition, first, committed), "log"
            since = self._since(partition, first) if start == first else None
            self._pipeline.adopt(partition, self._new(), start, since)
        for records in self._log.replay(partition, start, committed):
            self._learn(records)
            alive()
        # Markers of transactions may fill the last offsets, where no record moves the position.
        self._pipeline.partitions[partition].position = committed
        _log.info("history restored", partition=partition, source=source, start=start, committed=committed)

    def _learn(self, records: Records) -> None:
        try:
            self._pipeline.learn(records)
        except ServiceError:
            raise
        except Exception as error:
            where = f"partition {records.partition}, offsets {records.offsets[0]} to {records.end - 1}"
            _log.exception("a history cannot be restored", at=where)
            raise Unprocessable(
                f"{where}: their history cannot be restored ({type(error).__name__}, an error of the program)"
            ) from error

    def _begin(self, partition: int, first: int, committed: int) -> int:
        """Offset from which the records reach back over the horizon, counted from the newest that were scored.

        From the earliest of the last few: one record of a wrong clock must not make the history begin after it.
        """
        last = self._log.replay(partition, max(first, committed - AGREEING), committed)
        newest = min((min(records.timestamps_us) for records in last), default=None)
        if newest is None:
            return first
        horizon = self._config.horizon_days * DAY_US
        return min(max(first, self._log.offset_at(partition, max(0, newest - horizon))), committed)

    def _new(self) -> History:
        return History(self._config, self._salt)

    def _since(self, partition: int, first: int) -> int | None:
        """Where a history begins whose first record is the log's first; None where that is the very first ever."""
        return None if first == 0 else self._log.timestamp_at(partition, first)
