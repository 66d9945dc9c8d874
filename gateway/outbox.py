"""Brings what the journal holds into Kafka, each entry once, in a thread of its own.

What was handed to a producer that is no more may or may not be in the log: so before a new one sends anything, the
topics are searched for what the journal lacks a place of (`settle`). An entry is known there by a header.
"""

import queue
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

import structlog

from gateway import entries as kept
from gateway.journal import Journal
from runtime.errors import ServiceError
from runtime.kafka.client import Cluster
from runtime.kafka.delivery import Delivery, Outgoing, Placed
from runtime.kafka.scan import records_since

ENTRY: Final = "gateway-entry"
"""Header that names the journal and its entry; it says nothing of what that holds, for alerts carry it too."""

PAUSE_SECONDS: Final = 0.5
SOON_MS: Final = 1_000
"""Before an entry's own timestamp, to be sure."""

_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who is told how the outbox fares; called in threads."""

    def opened(self, generation: int, unsent: Sequence[int]) -> None:
        """It sends again; these entries wait in the journal."""

    def placed(self, placed: Placed) -> None:
        """Kafka has a message."""

    def lost(self) -> None:
        """It sends no more, until it is `opened`."""


class Outbox:
    """The thread.

    Args:
        cluster: where to.
        journal: what is kept.
        topics: all that anything may go to.
        listener: who is told.
        ready: nothing is sent before it is set: else an answer might come that nobody reads.
    """

    def __init__(
        self, cluster: Cluster, journal: Journal, topics: Sequence[str], *, listener: Listener, ready: threading.Event
    ) -> None:
        self._cluster = cluster
        self._journal = journal
        self._topics = topics
        self._listener = listener
        self._ready = ready
        self._delivery = Delivery(cluster, placed=listener.placed, broken=self._broken)
        self._queue: queue.SimpleQueue[tuple[int, Sequence[Outgoing]] | None] = queue.SimpleQueue()
        self._generation = 0
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begins; returns at once."""
        self._thread.start()

    def send(self, generation: int, messages: Sequence[Outgoing]) -> None:
        """Sends entries; of another generation than the present one they are left to the journal. From any thread."""
        self._queue.put((generation, messages))

    def close(self, *, seconds: float) -> None:
        """Ends; what was handed over has so many seconds to arrive, the rest stays in the journal."""
        self._stop.set()
        self._queue.put(None)
        self._thread.join(seconds + 5.0)
        self._delivery.close(seconds=seconds)

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                if not self._ready.wait(PAUSE_SECONDS):
                    continue
                unsent = self._settle()
                self._failure = None
                self._delivery.open(self._topics)
                self._generation += 1
                self._listener.opened(self._generation, unsent)
                said = ""
                self._pump()
            except ServiceError as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("cannot deliver", error=said)
            if not self._stop.is_set():
                self._listener.lost()
                self._delivery.close()
                self._stop.wait(PAUSE_SECONDS)

    def _pump(self) -> None:
        while (item := self._queue.get()) is not None and self._failure is None:
            generation, messages = item
            if generation == self._generation:
                self._delivery.send(replace(m, headers=[*m.headers, (ENTRY, self._name(m.number))]) for m in messages)
        if self._failure is not None:
            _log.error("the producer is lost; its messages are looked for in the log", error=str(self._failure))

    def _broken(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._queue.put((0, ()))  # wakes the thread

    def _settle(self) -> list[int]:
        """Finds out which unsent entries the log has after all; the others."""
        waiting = self._journal.wait(kept.unsent)
        by_topic: dict[str, dict[bytes, int]] = defaultdict(dict)
        for number, topic, _ in waiting:
            by_topic[topic][self._name(number)] = number
        found: list[Placed] = []
        for topic, wanted in by_topic.items():
            since = min(at for _, where, at in waiting if where == topic) - SOON_MS
            for record in records_since(self._cluster, topic, since):
                headers = record.headers if isinstance(record.headers, Sequence) else ()
                for name, value in headers:
                    if name == ENTRY and value in wanted:
                        found.append(Placed(wanted.pop(value), record.partition, record.offset))
        if found:
            self._journal.wait(kept.place(found))
            for placed in found:
                self._listener.placed(placed)
        here = {placed.number for placed in found}
        return [number for number, *_ in waiting if number not in here]

    def _name(self, number: int) -> bytes:
        return f"{self._journal.name}/{number}".encode()
