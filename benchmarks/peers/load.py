"""An open-loop generator with its reader: sends by a fixed timetable and counts every late moment as latency.

A closed loop would wait for a slow system and so hide its waiting time (coordinated omission). Here each record has a
time at which it is due, whatever happened to the ones before, and its latency runs from then until a read-committed
consumer holds what came of it. Both sides use librdkafka, so that measuring takes little from what is measured.
"""

import re
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.peers.payments import Message
from local.load import paced

PATIENCE_S = 20.0
TICK_S = 0.001
"""What has become due within a tick is sent together, up to a tick late, which counts as latency: a generator that
wakes up for every single record takes the processor from what it measures."""
_ID = re.compile(rb'"transaction_id":"([^"]+)"')


class Incomplete(Exception):  # noqa: N818 - named for what it says
    """Not every record came out in time."""


class Load:
    """Sends to one topic and waits for what comes out of another; both have one partition."""

    def __init__(self, bootstrap_servers: str, source: str, sink: str) -> None:
        self._source = source
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 1, "acks": "1"})
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": f"{sink}-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
            }
        )
        self._consumer.assign([TopicPartition(sink, 0, 0)])
        self._seen: dict[bytes, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="load-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def latencies_ms(
        self, messages: Sequence[Message], rate: float, *, patience_s: float = PATIENCE_S
    ) -> npt.NDArray[np.float64]:
        """Sends transactions at `rate` a second; milliseconds from due to seen, in the order sent.

        Raises:
            Incomplete: some had not come out `patience_s` after the last one was due.
        """
        names = [_identity(message.value) for message in messages]
        due = self._send(messages, rate)
        deadline = time.monotonic() + patience_s
        while not all(name in self._seen for name in names):
            if time.monotonic() > deadline:
                missing = sum(name not in self._seen for name in names)
                raise Incomplete(f"{missing:,} of {len(names):,} records had not come out {patience_s:.0f} s later")
            time.sleep(0.05)
        seen = np.array([self._seen[name] for name in names])
        return np.asarray(1000 * (seen - np.array(due)), np.float64)

    def _send(self, messages: Sequence[Message], rate: float) -> list[float]:
        due = []
        for message, at in paced(messages, rate, tick=TICK_S):
            due.append(at)
            self._producer.produce(
                self._source, message.value, message.key, partition=0, timestamp=message.timestamp_ms
            )
            self._producer.poll(0)
        self._producer.flush(10)
        return due

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error():
                continue
            self._seen.setdefault(_identity(message.value()), time.monotonic())


def _identity(value: bytes) -> bytes:
    found = _ID.search(value)
    return found[1] if found else b""
