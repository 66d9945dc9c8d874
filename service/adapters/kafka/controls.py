"""`service.ports.ControlsSource` on Kafka: a thread of its own follows the log, so that the loop never waits for it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from runtime.errors import ServiceError
from runtime.kafka.client import Cluster
from runtime.kafka.controls_log import ControlRecord, ControlsReader

POLL_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 2.0
"""Between two questions where the log ends: a fetch that brings nothing may also come of a broker that is away."""

RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class ControlsFollower:
    """One reader of the controls topic, and what it has read that the loop has not taken in."""

    def __init__(self, cluster: Cluster, topic: str, monotonic: Callable[[], float]) -> None:
        self._reader = ControlsReader(cluster, topic)
        self._monotonic = monotonic
        self._records: deque[tuple[int, bytes]] = deque()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._current: float | None = None

    def open(self) -> None:
        """See `service.ports.ControlsSource.open`."""
        if self._thread is not None:
            return
        self._take(self._reader.to_end())
        self._current = self._monotonic()
        self._thread = threading.Thread(target=self._follow, name="controls", daemon=True)
        self._thread.start()

    def poll(self) -> Sequence[tuple[int, bytes]]:
        """See `service.ports.ControlsSource.poll`."""
        return [self._records.popleft() for _ in range(len(self._records))]

    def age(self) -> float:
        """See `service.ports.ControlsSource.age`."""
        return 0.0 if self._current is None else self._monotonic() - self._current

    def close(self) -> None:
        """See `service.ports.ControlsSource.close`."""
        self._done.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        due, failing = 0.0, False
        try:
            while not self._done.is_set():
                try:
                    self._take(self._reader.poll(POLL_SECONDS))
                    if self._monotonic() >= due:
                        self._take(self._reader.to_end())
                        self._current = self._monotonic()
                        due = self._current + LOOK_SECONDS
                    failing = False
                except ServiceError as error:
                    if not failing:  # an outage is one line; the age tells how long it lasts
                        _log.warning("controls cannot be read; the known ones go on to act", error=str(error))
                    failing = True
                    self._done.wait(RETRY_SECONDS)
        finally:
            self._reader.close()

    def _take(self, records: Iterable[ControlRecord]) -> None:
        self._records.extend((record.offset, record.value) for record in records)
