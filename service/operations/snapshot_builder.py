"""Snapshots built from the topic, so that a service that starts next need not."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.kafka.admin import committed_positions
from runtime.kafka.client import Cluster
from service.adapters.kafka.group import Reader
from service.bootstrap import build_pipeline, card_key, domain, snapshot_directory
from service.ports import Snapshot
from service.recovery import HistoryRecovery
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class BuiltSnapshot:
    """One partition's snapshot.

    Attributes:
        partition: whose.
        position: that it stands for.
        events: that its history has processed.
        complete: whether it reaches back over the whole horizon.
    """

    partition: int
    position: int
    events: int
    complete: bool


def build_snapshots(settings: Settings) -> Iterator[BuiltSnapshot]:
    """Writes a snapshot of each partition at the group's committed position, or at the end of the log without one.

    Needs no membership and disturbs no running service. A snapshot at the end of the log serves a group whose offsets
    are set there, to begin with new payments and a full history.
    """
    where, code = Cluster.of(settings), domain(settings)
    reader = Reader(where, settings.transactions_topic)
    try:
        committed = committed_positions(where, settings.group_id, settings.transactions_topic)
        numbers = reader.partitions()
        snapshots = snapshot_directory(settings, code, wrote=lambda _: None, failed=lambda: None)
        snapshots.open(reader.identity())
        pipeline = build_pipeline(settings, code, time.monotonic, card_key=card_key(settings))
        recovery = HistoryRecovery(
            log=reader, snapshots=snapshots, pipeline=pipeline, config=code.config, salt=code.salt
        )
        for partition in numbers:
            recovery.restore(partition, committed.get(partition, reader.bounds(partition)[1]), lambda: None)
            state = pipeline.partitions.pop(partition)
            history, position = state.encoder.history, state.position or 0
            snapshots.save(Snapshot(partition, position, history, state.history_from))
            snapshots.wait()
            yield BuiltSnapshot(partition, position, history.events, state.history_from is None)
    finally:
        reader.close()
