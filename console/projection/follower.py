"""The one thread that reads the log into the projection, and sends the labels that verdicts have made due."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from console.projection.database import positions
from console.projection.log import LogReader, LogRecord, LogWriter
from console.projection.projection import Projection
from runtime.errors import Unavailable

BEHIND_EVERY: Final = 2.0
"""Seconds between two looks at how far the log is ahead, which also finds out that the broker is away."""

PAUSE: Final = 1.0
"""Seconds before another try when the broker is away."""

OTHERS_US: Final = 20_000_000
"""Age, µs, at which a label that another console should have sent is sent from here: it may have been killed."""

PRUNE_EVERY: Final = 3600.0
"""Seconds between two looks for what has grown old."""

AGAIN: Final = 30.0
"""Seconds after which a label that was sent, and was not read back, is sent again; its id makes that harmless."""

_log = structlog.get_logger("console")


class Follower:
    """Reads, applies, sends labels; requests wait on it for what they have written.

    Args:
        connection: the projection's, for this thread alone once it runs.
        projection: on that connection.
        reader: of all topics.
        writer: for labels.
        cases_topic: where `wait_for` looks.
        labels_topic: where labels go.
        now_us: the wall clock, µs.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        projection: Projection,
        reader: LogReader,
        writer: LogWriter,
        *,
        cases_topic: str,
        labels_topic: str,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._projection = projection
        self._reader = reader
        self._writer = writer
        self._cases_topic = cases_topic
        self._labels_topic = labels_topic
        self._now_us = now_us
        self._monotonic = monotonic
        self._applied = threading.Condition()
        self._next: dict[tuple[str, int], int] = positions(connection)
        self._own: set[int] = set()
        self._sent: dict[str, float] = {}
        self._stop = threading.Event()
        self._started = False
        self._looked = -BEHIND_EVERY
        self._pruned = monotonic()
        self.trouble: str | None = "the log has not been read yet"
        self.behind: int | None = None
        self.turned = monotonic()

    def run(self) -> None:
        """Follows the log until `stop`."""
        while not self._stop.is_set():
            self.turned = self._monotonic()
            try:
                self.step()
            except Unavailable as error:
                if self.trouble != str(error):
                    _log.warning("the broker is away: pages are read-only", error=str(error))
                self.trouble = str(error)
                self._started = False
                self._stop.wait(PAUSE)
        self._reader.close()

    def stop(self) -> None:
        """Ends `run` after the step in hand."""
        self._stop.set()

    def step(self) -> int:
        """One turn; how many records it took in.

        Raises:
            Unavailable: try again later.
        """
        if not self._started:
            self._reader.start(self._next)
            self._started, self._looked = True, -BEHIND_EVERY
        records = self._reader.poll()
        if records:
            self.take_in(records)
        if self._monotonic() - self._looked >= BEHIND_EVERY:
            self.behind = self._reader.behind()
            self._looked = self._monotonic()
            self.trouble = None
        if self.behind is not None and self.behind < 1_000:
            self._send_labels()
            if self._monotonic() - self._pruned >= PRUNE_EVERY:
                self._projection.prune()
                self._pruned = self._monotonic()
        return len(records)

    def take_in(self, records: Sequence[LogRecord]) -> None:
        """Applies records and wakes whoever waits for them."""
        self._projection.apply(records)
        with self._applied:
            for record in records:
                place = (record.topic, record.partition)
                self._next[place] = max(self._next.get(place, 0), record.offset + 1)
            self._applied.notify_all()

    def wait_for(self, offset: int, *, seconds: float) -> bool:
        """Blocks until the projection holds the cases topic's record at an offset; whether it came in time.

        The label of a verdict that was written here goes out from here at once.
        """
        place = (self._cases_topic, 0)
        with self._applied:
            self._own.add(offset)
            return self._applied.wait_for(lambda: self._next.get(place, 0) > offset, timeout=seconds)

    def wait_for_control(self, topic: str, offset: int, *, seconds: float) -> bool:
        """The same for a record of the controls topic."""
        with self._applied:
            return self._applied.wait_for(lambda: self._next.get((topic, 0), 0) > offset, timeout=seconds)

    def _send_labels(self) -> None:
        due = self._connection.execute(
            "SELECT d.label_id, d.offset, d.transaction_id, d.raw, e.stamp_us"
            " FROM due_label d JOIN case_event e USING (offset) WHERE d.arrived = 0"
        ).fetchall()
        now, now_us = self._monotonic(), self._now_us()
        for label_id, offset, transaction_id, raw, stamp_us in due:
            fresh = offset not in self._own and now_us - stamp_us < OTHERS_US
            if fresh or now - self._sent.get(label_id, -AGAIN) < AGAIN:
                continue
            self._writer.append(self._labels_topic, transaction_id, raw)
            self._sent[label_id] = now
        if not due:
            self._sent.clear()
            with self._applied:  # what was appended and is not read yet may still become due
                read = self._next.get((self._cases_topic, 0), 0)
                self._own = {offset for offset in self._own if offset >= read}
