"""The running training loop under broken events, labels and decisions, with valid labels and decisions between them."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from kafka import TopicPartition

from benchmarks.fuzz.failures import Failure, last_words
from benchmarks.fuzz.messages import PARTS, Part, broken, valid, valid_score
from benchmarks.fuzz.records import Record
from benchmarks.fuzz.scoring import SECRET, Figures, Stopped
from benchmarks.fuzz.sending import Sender
from fraud.decoding.batch import hash_ids
from fraud.privacy.card_numbers import tokeniser
from fraud.privacy.keys import CARD_NUMBERS, derived
from local.testbed.scorer_run import ScorerRun
from runtime.kafka.client import Cluster
from training.data.feature_context import FeatureContext as Features
from training.labels.store import Kind, LedgerStore
from training.loop.feed import KafkaFeed
from training.loop.ledger_view import LedgerViewReader
from training.loop.messages import decisions_frame, labels_frame

TOPICS: Final[Mapping[Part, str]] = {
    "event": "transactions_topic",
    "label": "labels_topic",
    "decision": "decisions_topic",
}
KIND: Final[Mapping[Part, Kind]] = {"event": "events", "label": "labels", "decision": "decisions"}
VALID_EVERY: Final = 4
"""To so many broken messages comes a valid one."""

ROUND: Final = 4_000
"""Messages of each part between two looks."""

PATIENCE: Final = 180.0
"""Seconds without progress after which the loop has stopped; a turn reads everything anew."""

YEAR_US: Final = 365 * 86_400_000_000


class LoopLap:
    """One run with a loop at work in it.

    Args:
        servers: of the broker.
        name: of the run.
        folder: for logs and the ledger.
        models: the model directory.
        seed: of every message.
        start_ms: the first message's time.
    """

    def __init__(self, servers: str, name: str, folder: Path, models: Path, *, seed: int, start_ms: int) -> None:
        self._seed, self._start_ms = seed, start_ms
        self._world = ScorerRun(servers, name, folder, models)
        self._senders = {part: Sender(servers, self._world.names[topic]) for part, topic in TOPICS.items()}
        self._data = folder / "data"
        self._store = LedgerStore(self._data / "ledger")
        self._numbers: list[int] = []
        self._sent: dict[Part, dict[int, Record]] = {part: {} for part in PARTS}
        self._loop = self._world.service(
            "loop", program=("training", "loop"), secret=SECRET, loop_data_dir=str(self._data), loop_http_port="0",
            loop_poll="0.5", loop_cooldown="0", loop_retention="P30000D", loop_window="P365D",
        )  # fmt: skip
        self._loop.start()

    def round(self, indices: range, without: frozenset[str]) -> None:
        """Sends what these numbers give, and waits until the ledger holds it.

        Raises:
            Stopped: the loop has ended, or stands still.
        """
        for part in PARTS:
            self._send(part, indices, without)
        self._numbers += indices
        moved, last = time.monotonic(), -1
        while any(self._reached(part) <= max(sender.places, default=-1) for part, sender in self._senders.items()):
            reached = sum(map(self._reached, PARTS))
            if reached > last:
                moved, last = time.monotonic(), reached
            if self._loop.code is not None:
                raise Stopped(f"the loop ended with {self._loop.code}: {last_words(self._loop)}")
            if time.monotonic() - moved > PATIENCE:
                raise Stopped(f"the ledger stands still for {PATIENCE:.0f} s: {last_words(self._loop)}")
            time.sleep(0.2)

    def _send(self, part: Part, indices: range, without: frozenset[str]) -> None:
        sender, seed, start_ms = self._senders[part], self._seed, self._start_ms
        self._sent[part] = {}
        for index in indices:
            made = broken(part, seed, index, start_ms=start_ms, without=without)
            if made is not None:
                self._sent[part][index] = made
                sender.send(index, made)
            if part != "event" and index % VALID_EVERY == 0:
                sender.send(-1 - index, valid(part, seed, index, start_ms=start_ms))
        sender.flush()

    def _reached(self, part: Part) -> int:
        return self._store.progress(KIND[part]).get(0, 0)

    def culprit(self, stopped: Stopped) -> Failure:
        """The first message behind the ledger's progress that the feed, or the view, does not get over by itself."""
        token = tokeniser(derived(SECRET, CARD_NUMBERS))
        for part in PARTS:
            for offset, number in sorted(self._senders[part].places.items()):
                made = self._sent[part].get(number)
                if offset < self._reached(part) or made is None:
                    continue
                store = LedgerStore(self._data / "tries" / f"{part}-{offset}")
                where = TopicPartition("topic", 0)
                try:
                    KafkaFeed(_OneRecord(where, made), Cluster("memory"), {"topic": KIND[part]}, token).pull(store)
                    LedgerViewReader(store, Features(token=token), max_events=1_000_000).read(
                        self._start_ms * 1000, window=YEAR_US, maturity_days=None
                    )
                except Exception as error:  # noqa: BLE001 - any error is what is looked for
                    return Failure(self._seed, number, part, made.kind, f"{stopped}; {type(error).__name__}: {error}")
        return Failure(self._seed, 0, "event", "unknown", f"{stopped}; no message does it alone")

    def close(self, figures: Figures, *, whole: bool) -> None:
        """Adds up; `whole`: the loop got through everything."""
        rows = {part: self._store.read(KIND[part]) for part in PARTS} if whole else {}
        for part, table in rows.items():
            figures.unaccounted += abs(len(table) - len(self._senders[part].places))
        if whole:
            figures.changed += self._changed(rows)
            code = self._loop.stop()
            if code != 0:
                raise AssertionError(f"the loop ended with {code}: {self._loop.last_line()}")
        for part, sender in self._senders.items():
            reached = self._reached(part)
            figures.records += sum(offset < reached for offset in sender.places)
            figures.refused += sender.refused
            sender.close()
        self._world.close()

    def _changed(self, rows: Mapping[Part, Any]) -> int:
        """Valid labels and decisions that the ledger does not hold as they were sent."""
        numbers = [n for n in self._numbers if n % VALID_EVERY == 0]
        ids = hash_ids((f"valid-t{n}" for n in numbers), len(numbers))
        labels, _ = labels_frame(rows["label"])
        decisions, _ = decisions_frame(rows["decision"]["value"].to_pylist())
        score = decisions.set_index("transaction")["score"].reindex(ids)
        wanted = [valid_score(self._seed, n) for n in numbers]
        missing = len(numbers) - int(labels["transaction"].isin(ids).sum())
        return missing + int((score.to_numpy() != wanted).sum())


class _OneRecord:
    """kafka-python's consumer, as far as the feed asks it, with one record in its topic."""

    def __init__(self, where: TopicPartition, record: Record) -> None:
        self._where, self._record, self._position = where, record, 0
        self.partition, self.offset = where.partition, 0
        self.value, self.key, self.timestamp = record.value, record.key, record.timestamp
        self.timestamp_type = 0

    def pause(self, *_partitions: object) -> None: ...

    def resume(self, *_partitions: object) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return {self._where}

    def beginning_offsets(self, _partitions: object) -> dict[TopicPartition, int]:
        return {self._where: 0}

    def end_offsets(self, _partitions: object) -> dict[TopicPartition, int]:
        return {self._where: 1}

    def seek(self, _partition: object, offset: int) -> None:
        self._position = offset

    def position(self, _partition: object) -> int:
        return self._position

    def poll(self, **_options: int) -> dict[TopicPartition, list["_OneRecord"]]:
        self._position = 1
        return {self._where: [self]}


def run_loop(
    servers: str, folder: Path, models: Path, *, seed: int, first: int, messages: int, until: float, start_ms: int,
    most_failures: int,
) -> Figures:  # fmt: skip
    """Messages `first` to `first + messages` of each part through the loop, or as many as there is time for.

    A message that stops the loop ends the lap; the next one leaves its kind out.
    """
    figures, index, end = Figures(), first, first + messages
    while index < end and time.monotonic() < until and len(figures.failures) < most_failures:
        without = frozenset(failure.kind for failure in figures.failures)
        name = f"fuzz-loop-{seed}-{first}-{len(figures.failures)}"
        lap = LoopLap(servers, name, folder / name, models, seed=seed, start_ms=start_ms)
        try:
            for part in _rounds(index, end, until):
                index = part.stop
                lap.round(part, without)
        except Stopped as stopped:
            figures.failures.append(lap.culprit(stopped))
            click.echo(str(figures.failures[-1]), err=True)
            lap.close(figures, whole=False)
        else:
            lap.close(figures, whole=True)
    return figures


def _rounds(first: int, end: int, until: float) -> Iterator[range]:
    while first < end and time.monotonic() < until:
        yield range(first, min(first + ROUND, end))
        first = min(first + ROUND, end)
