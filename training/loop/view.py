"""Everything that is known at one time, read from the ledger's store."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from training.datasets import Events, Stream, World, to_stream
from training.datasets.events import from_lines
from training.ledger import DAY_US, Known
from training.ledger_store import LedgerStore
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
    """

    now: int
    since: int
    stream: Stream
    decisions: pd.DataFrame
    known: Known
    refused_labels: int

    @property
    def labels(self) -> pd.DataFrame:
        """Labels received by now, as they came."""
        labels = self.stream.ledger.records.labels
        return labels[labels["received_at"] <= self.now]

    @property
    def frauds(self) -> int:
        """Payments known as fraud."""
        return int((self.known.frame["label"] == 1).sum())


def read_view(store: LedgerStore, world: World, now: int, *, window: int, maturity_days: float | None) -> View:
    """What is known at `now` (µs).

    Args:
        store: the ledger on disk.
        world: rates and features.
        now: the present.
        window: length of the window, µs.
        maturity_days: age at which silence counts as genuine; None estimates it.
    """
    since = now - window
    rows = store.read("events", since=since - WARM_UP_US, until=now + 1)
    # The log's own order, which history depends on: by partition and offset, never by time.
    rows = rows.sort_by([("partition", "ascending"), ("offset", "ascending")])
    events = decode(rows, world)
    decisions = decisions_frame(store.read("decisions")["value"].to_pylist())
    labels, refused = labels_frame(store.read("labels")["value"].to_pylist())
    stream = to_stream(events, labels, decisions=decisions, maturity_days=maturity_days)
    return View(now, since, stream, decisions, stream.ledger.as_of(now), refused)


def decode(rows: pa.Table, world: World, chunk: int = 20_000) -> Events:
    """Stored records as events, by the service's decoder."""
    values, timestamps = rows["value"].to_pylist(), rows["timestamp"].to_pylist()
    starts = range(0, max(len(values), 1), chunk)
    parts = [from_lines(values[s : s + chunk], world, timestamps=timestamps[s : s + chunk]) for s in starts]
    return Events.concatenate(parts)
