"""The running service under records of every kind, round by round, with valid payments between them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from benchmarks.fuzz.accounting import Account, Tail, Undisturbed
from benchmarks.fuzz.failures import Failure, last_words
from benchmarks.fuzz.payments import payment
from benchmarks.fuzz.records import MAX_AHEAD, Record, record
from benchmarks.fuzz.sending import Sender
from local.service_process import START_SECONDS, ServiceProcess
from local.testbed.scorer_run import ScorerRun
from service.adapters.kafka.warmup import warm_up as compile_reader
from service.settings import Settings

SECRET: Final = "the key of the fuzzer's own run"  # noqa: S105 - of a run that is thrown away
VALID_EVERY: Final = 10
"""One valid payment follows so many other records."""

FIRST_VALID: Final = 20
"""So many come before all others: from the very first events a history takes the time."""

PATIENCE: Final = 120.0
"""Seconds without a commit after which the service has stopped scoring."""

LOCATE_PATIENCE: Final = 30.0
"""The same when it takes one record at a time."""

ASSIGNED: Final = '"event": "partitions assigned"'
"""In the service's log, when it begins to read."""

LONGEST_TURN: Final = "fraud_longest_turn_seconds"
COUNTED_SILENT: Final = ('fraud_records_total{kind="outcome"}', "fraud_duplicates_total")


@dataclass
class Figures:
    """What the laps of one run add up to; `memory` in MB, after each round."""

    records: int = 0
    valid: int = 0
    refused: int = 0
    unaccounted: int = 0
    changed: int = 0
    longest_turn_s: float = 0.0
    memory: list[float] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class Stopped(Exception):  # noqa: N818 - named for what happened
    """The service has ended, or commits no more."""


class Lap:
    """One run: a topic, a service, and the books, until the service stops or the records are out.

    Args:
        servers: of the broker.
        name: of the run.
        folder: for logs and snapshots.
        models: the model directory.
        seed: of every record.
        start_ms: the first record's time.
    """

    def __init__(self, servers: str, name: str, folder: Path, models: Path, *, seed: int, start_ms: int) -> None:
        self._servers, self._seed, self._start_ms = servers, seed, start_ms
        self._world = ScorerRun(servers, name, folder, models, seed=seed)
        names = self._world.names
        self._sender = Sender(servers, names["transactions_topic"])
        self._tails = {part: Tail(servers, names[f"{part}_topic"]) for part in ("transactions", "decisions", "dlq")}
        settings = Settings(**names, secret=SECRET, deadletter_cap="off", max_ahead=MAX_AHEAD)  # type: ignore[arg-type] # pydantic validates
        self._undisturbed = Undisturbed(settings, seed=seed, start_ms=start_ms)
        self.account = Account()
        self.longest_turn_s = 0.0
        self._valid = self._end = 0
        # Before the service starts: its longest turn should not be that in which a fresh checkout is compiled.
        self.account.wanted |= self._undisturbed.upto(FIRST_VALID)
        compile_reader()
        self._service = self._started(batch_records=2_000)
        self._service.ready()
        for _ in range(FIRST_VALID):
            self._send_valid()
        self._sender.flush()

    def _started(self, *, batch_records: int) -> ServiceProcess:
        service = self._world.service(secret=SECRET, batch_records=str(batch_records), max_ahead=MAX_AHEAD)
        service.start()
        return service

    def round(self, records: Iterator[tuple[int, Record]]) -> float:
        """Sends records and valid payments while those of the round before are scored; memory in MB then.

        Raises:
            Stopped: the service does not get through.
        """
        for place, (index, made) in enumerate(records):
            self._sender.send(index, made)
            if place % VALID_EVERY == 0:
                self._send_valid()
        self._sender.flush()
        self.account.wanted |= self._undisturbed.upto(self._valid)
        before, self._end = self._end, self._tails["transactions"].end()
        self._until_done(before, PATIENCE)
        self._read()
        return self._service.own_mb()

    def finish(self) -> None:
        """Waits until all is done, and reads what came of it.

        Raises:
            Stopped: the service does not get through.
        """
        self._until_done(self._end, PATIENCE)
        self._read()

    def _send_valid(self) -> None:
        key, value, at = payment(self._seed, self._valid, start_ms=self._start_ms)
        self._valid += 1
        self._sender.send(-self._valid, Record("valid", value, at, key=key))

    def _until_done(self, end: int, patience: float) -> None:
        moved, last = time.monotonic(), -1
        while (committed := self._world.committed()) < end:
            if committed > last:
                moved, last = time.monotonic(), committed
            if self._service.code is not None:
                raise Stopped(f"the service ended with {self._service.code}: {last_words(self._service)}")
            if time.monotonic() - moved > patience:
                raise Stopped(f"nothing was committed for {patience:.0f} s: {last_words(self._service)}")
            time.sleep(0.1)

    def _read(self) -> None:
        for message in self._tails["decisions"].new():
            self.account.decided(message.value())
        for message in self._tails["dlq"].new():
            self.account.dead(dict(message.headers()))
        self.longest_turn_s = max(self.longest_turn_s, self._service.metric(LONGEST_TURN))

    def culprit(self, stopped: Stopped) -> Failure:
        """The record that the service does not get over: where it stands when it takes one at a time."""
        self._service.kill()
        self._service = self._started(batch_records=1)
        try:
            self._until_assigned()
            self._until_done(self._tails["transactions"].end(), LOCATE_PATIENCE)
        except Stopped as again:
            why = again
        else:
            return Failure(self._seed, 0, "record", "unknown", f"{stopped}; not again, one record at a time")
        number = self._sender.places.get(max(self._world.committed(), 0), 0)
        made = record(self._seed, number, start_ms=self._start_ms) if number >= 0 else None
        return Failure(self._seed, number, "record", made.kind if made else "valid payment", str(why))

    def _until_assigned(self) -> None:
        """Waits until it begins to read. Ready it need not become: the first record may be the one."""
        began = time.monotonic()
        while ASSIGNED not in self._service.log.read_text(errors="replace"):
            if self._service.code is not None or time.monotonic() - began > START_SECONDS:
                raise Stopped(f"it does not even start: {last_words(self._service)}")
            time.sleep(0.2)

    def close(self, figures: Figures, *, whole: bool) -> None:
        """Adds up; `whole`: the service got through everything, so that what it counted can be compared."""
        processed = self._sender.places
        for example in self.account.examples:
            click.echo(f"changed: {example}", err=True)
        if whole:
            silent = int(sum(self._service.metric(name) for name in COUNTED_SILENT))
            code = self._service.stop()
            if code != 0:
                raise AssertionError(f"the service ended with {code}: {self._service.last_line()}")
            self.account.changed += len(self.account.wanted)
            figures.unaccounted += self.account.unaccounted(processed, silent=silent)
        else:
            reached = self._world.committed()
            processed = {offset: number for offset, number in processed.items() if offset < reached}
        figures.longest_turn_s = max(figures.longest_turn_s, self.longest_turn_s)
        figures.records += len(processed)
        figures.valid += self._valid
        figures.refused += self._sender.refused
        figures.changed += self.account.changed
        self._sender.close()
        for tail in self._tails.values():
            tail.close()
        self._world.close()


def run_records(
    servers: str, folder: Path, models: Path, *, seed: int, records: int, until: float, start_ms: int, round_size: int,
    most_failures: int,
) -> Figures:  # fmt: skip
    """Records 0 to `records` of a seed through the service, or as many as there is time for.

    A record that stops the service ends the lap; the next one leaves records of its kind out, so that one hole does
    not hide the others.

    Args:
        servers: of the broker.
        folder: for logs and snapshots.
        models: the model directory.
        seed: of the records.
        records: how many.
        until: on the monotonic clock, when to end at the latest.
        start_ms: time of the first record.
        round_size: records between two looks.
        most_failures: after so many it ends.
    """
    figures, index = Figures(), 0
    while index < records and time.monotonic() < until and len(figures.failures) < most_failures:
        without = frozenset(failure.kind for failure in figures.failures)
        number = len(figures.failures)
        name = f"fuzz-{seed}-{number}"
        lap = Lap(servers, name, folder / name, models, seed=seed, start_ms=start_ms)
        try:
            while index < records and time.monotonic() < until:
                upto = min(index + round_size, records)
                figures.memory.append(lap.round(_numbered(seed, range(index, upto), start_ms, without)))
                index = upto
            lap.finish()
        except Stopped as stopped:
            figures.failures.append(lap.culprit(stopped))
            click.echo(str(figures.failures[-1]), err=True)
            index = upto
            lap.close(figures, whole=False)
        else:
            lap.close(figures, whole=True)
    return figures


def _numbered(seed: int, indices: range, start_ms: int, without: frozenset[str]) -> Iterator[tuple[int, Record]]:
    for index in indices:
        made = record(seed, index, start_ms=start_ms, without=without)
        if made is not None:
            yield index, made


def replay(servers: str, folder: Path, models: Path, *, seed: int, index: int, start_ms: int) -> Figures:
    """One record of a seed, with a few valid payments, through a service of its own."""
    made = record(seed, index, start_ms=start_ms)
    assert made is not None
    figures = Figures()
    lap = Lap(servers, f"fuzz-replay-{seed}-{index}", folder / "replay", models, seed=seed, start_ms=start_ms)
    try:
        figures.memory.append(lap.round(iter([(index, made)])))
        lap.finish()
    except Stopped as stopped:
        figures.failures.append(Failure(seed, index, "record", made.kind, str(stopped)))
        lap.close(figures, whole=False)
    else:
        lap.close(figures, whole=True)
    return figures
