"""Everything that is known at one time, read from the ledger's store."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from training.datasets import Events, Stream, World, to_stream
from training.datasets.events import from_lines
from training.ledger import DAY_US, Known
from training.ledger_store import RECORDS, LedgerStore
from training.loop.messages import decisions_frame, labels_frame

WARM_UP_US = 31 * DAY_US
"""Payments before the window that only fill the history."""


@dataclass(frozen=True, slots=True)
class View:
    """What the loop sees.

    Attributes:
        now: µs.
        since: start of the window; earlier payments only fill the history.
        stream: events and the ledger over them.
        decisions: frame of `training.loop.messages.DECISIONS`.
        known: labels as of now.
        refused_labels: messages on the labels topic that were no labels.
        refused_decisions: messages on the decisions topic that were no decisions.
    """

    now: int
    since: int
    stream: Stream
    decisions: pd.DataFrame
    known: Known
    refused_labels: int
    refused_decisions: int = 0

    @property
    def labels(self) -> pd.DataFrame:
        """Labels received by now, as they came."""
        labels = self.stream.ledger.records.labels
        return labels[labels["received_at"] <= self.now]

    @property
    def frauds(self) -> int:
        """Payments known as fraud."""
        return int((self.known.frame["label"] == 1).sum())


class ViewReader:
    """Reads views from the store; what was decoded once is kept in memory until it leaves the window."""

    def __init__(self, store: LedgerStore, world: World) -> None:
        self.store = store
        self.world = world
        self._held: dict[int, Events] = {}
        self._reached: dict[int, int] = {}

    def read(self, now: int, *, window: int, maturity_days: float | None) -> View:
        """What is known at `now` (µs).

        Args:
            now: the present; not before that of the last call.
            window: length of the window, µs.
            maturity_days: age at which silence counts as genuine; None estimates it.
        """
        since = now - window
        self._take_in(since - WARM_UP_US)
        parts = [self._held[partition] for partition in sorted(self._held)]
        events = Events.concatenate(parts) if parts else decode(RECORDS.empty_table(), self.world)
        decisions, left_out = decisions_frame(self.store.read("decisions")["value"].to_pylist())
        labels, refused = labels_frame(self.store.read("labels")["value"].to_pylist())
        stream = to_stream(events, labels, decisions=decisions, maturity_days=maturity_days)
        return View(now, since, stream, decisions, stream.ledger.as_of(now), refused, left_out)

    def _take_in(self, since: int) -> None:
        """Adds what is new in the log's own order (by offset, never by time), and lets go of what is too old."""
        rows = self.store.read("events", since=since)
        partitions, offsets = rows["partition"].to_numpy(), rows["offset"].to_numpy()
        for partition in np.unique(partitions).tolist():
            new = (partitions == partition) & (offsets >= self._reached.get(partition, 0))
            if not new.any():
                continue
            part = rows.filter(pa.array(new)).sort_by("offset")
            fresh = decode(part, self.world)
            held = self._held.get(partition)
            self._held[partition] = fresh if held is None else Events.concatenate([held, fresh])
            self._reached[partition] = int(part["offset"][-1].as_py()) + 1
        for partition, held in self._held.items():
            old = held.batch.time < since
            if old.any():
                keep = ~old
                self._held[partition] = Events(held.table.filter(pa.array(keep)), held.batch.take(keep), held.rejected)


def decode(rows: pa.Table, world: World, chunk: int = 20_000) -> Events:
    """Stored records as events, by the service's decoder."""
    values, timestamps = rows["value"].to_pylist(), rows["timestamp"].to_pylist()
    starts = range(0, max(len(values), 1), chunk)
    parts = [from_lines(values[s : s + chunk], world, timestamps=timestamps[s : s + chunk]) for s in starts]
    return Events.concatenate(parts)
