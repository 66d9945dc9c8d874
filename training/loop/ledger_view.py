"""Everything that is known at one time, read from the ledger's store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from training.data.feature_context import FeatureContext
from training.data.files.events import Events, from_lines
from training.data.replayed_stream import Stream, to_stream
from training.labels.ledger import DAY_US, Known, empty
from training.labels.store import RECORDS, LedgerStore
from training.loop.messages import DECISIONS, decisions_frame, labels_frame

WARM_UP_US = 31 * DAY_US
"""Payments before the window that only fill the history."""

SLACK: Final = 50_000
"""Events beyond the limit that may be held until the next cut: a cut copies everything."""

COLUMNS: Final = (
    "transaction_id",
    "customer_id",
    "amount",
    "outcome_id",
    "billing_country",
    "ip_country",
    "card_country",
    "payment_method",
)
"""What the ledger, the gate's segments and the partitions need of an event beside its `Batch`; the rest is let go."""


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the loop sees.

    Attributes:
        now: µs.
        since: start of the window; earlier payments only fill the history.
        stream: events and the ledger over them.
        decisions: frame of `training.loop.messages.DECISIONS`.
        known: labels as of now.
        refused_labels: messages on the labels topic that were no labels.
        refused_decisions: messages on the decisions topic that were no decisions.
        reached: next offset of each partition of events.
    """

    now: int
    since: int
    stream: Stream
    decisions: pd.DataFrame
    known: Known
    refused_labels: int
    refused_decisions: int = 0
    reached: Mapping[int, int] = field(default_factory=dict)

    @property
    def labels(self) -> pd.DataFrame:
        """Labels received by now, as they came."""
        labels = self.stream.ledger.records.labels
        return labels[labels["received_at"] <= self.now]

    @property
    def frauds(self) -> int:
        """Payments known as fraud."""
        return int((self.known.frame["label"] == 1).sum())


class LedgerViewReader:
    """Reads views from the store, file by file; what was decoded once is kept in memory until it leaves the window.

    Memory is bounded by `max_events`: beyond it the window begins later. The oldest go, all at once and by event time
    only, so that what is held depends on the log and not on when it was looked at.
    """

    def __init__(self, store: LedgerStore, context: FeatureContext, *, max_events: int) -> None:
        self.store = store
        self.context = context
        self.max_events = max_events
        self._held: dict[int, Events] = {}
        self._reached: dict[int, int] = {}
        self._cut: int | None = None
        self._decisions = empty(DECISIONS)
        self._decided: dict[int, int] = {}
        self._refused_decisions = 0

    def read(self, now: int, *, window: int, maturity_days: float | None) -> LedgerView:
        """What is known at `now` (µs).

        Args:
            now: the present; not before that of the last call.
            window: length of the window, µs.
            maturity_days: age at which silence counts as genuine; None estimates it.

        Raises:
            DamagedLedger: a file cannot be read; it will be fetched again.
        """
        oldest = now - window - WARM_UP_US
        self._take_in(oldest)
        since = now - window
        if self._cut is not None:
            oldest = max(oldest, self._cut)
            since = max(since, oldest + min(WARM_UP_US, (now - oldest) // 4))
        self._take_in_decisions(oldest)
        parts = [self._held[partition] for partition in sorted(self._held)]
        events = Events.concatenate(parts) if parts else decode(RECORDS.empty_table(), self.context)
        labels, refused = labels_frame(self.store.read("labels"))
        stream = to_stream(events, labels, decisions=self._decisions, maturity_days=maturity_days)
        known = stream.ledger.as_of(now)
        return LedgerView(
            now, since, stream, self._decisions, known, refused, self._refused_decisions, dict(self._reached)
        )

    def _take_in(self, since: int) -> None:
        """Adds what is new in the log's own order (by offset, never by time), and lets go of what is too old."""
        for part in self.store.scan("events", after=self._reached, since=since):
            partition, last = part["partition"][0].as_py(), part["offset"][-1].as_py()
            fresh, held = decode(part, self.context), self._held.get(partition)
            self._held[partition] = fresh if held is None else Events.concatenate([held, fresh])
            self._reached[partition] = last + 1
            if sum(len(held.batch) for held in self._held.values()) > self.max_events + SLACK:
                self._shorten()
        self._shorten()
        self._let_go(since)

    def _shorten(self) -> None:
        times = np.concatenate([np.zeros(0, np.int64), *(held.batch.time for held in self._held.values())])
        if len(times) > self.max_events:
            place = len(times) - self.max_events
            self._cut = int(np.partition(times, place)[place])
            self._let_go(self._cut)

    def _let_go(self, since: int) -> None:
        for partition, held in self._held.items():
            keep = held.batch.time >= since
            if not keep.all():
                table = held.table.filter(pa.array(keep)).combine_chunks()
                self._held[partition] = Events(table, held.batch.take(keep), held.rejected)

    def _take_in_decisions(self, since: int) -> None:
        parts = [self._decisions]
        for part in self.store.scan("decisions", after=self._decided, since=since):
            made, refused = decisions_frame(part["value"].to_pylist())
            parts.append(made[made["time"] >= since])
            self._refused_decisions += refused
            self._decided[part["partition"][0].as_py()] = part["offset"][-1].as_py() + 1
        whole = pd.concat(parts, ignore_index=True).drop_duplicates("transaction")
        self._decisions = whole[whole["time"] >= since].reset_index(drop=True)


def decode(rows: pa.Table, context: FeatureContext, chunk: int = 20_000) -> Events:
    """Stored records as events, by the service's decoder, with the columns that a loop reads."""
    values, timestamps = rows["value"].to_pylist(), rows["timestamp"].to_pylist()
    parts = []
    for start in range(0, max(len(values), 1), chunk):
        whole = from_lines(values[start : start + chunk], context, timestamps=timestamps[start : start + chunk])
        parts.append(Events(whole.table.select(list(COLUMNS)), whole.batch, whole.rejected))
    return Events.concatenate(parts)
