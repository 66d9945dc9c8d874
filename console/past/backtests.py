"""Backtests that run beside the pages: one at a time, each in a thread, its outcome kept until the console stops."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import structlog

from console.projection.database import Readers
from console.projection.known import decisions, verdicts
from console.projection.log import LogReader, LogRecord
from fraud.contracts.controls import Control
from fraud.contracts.inbound import Verdict
from fraud.controls.backtest import Backtest, Tallying
from fraud.decisions.policy import ACTIONS
from fraud.privacy.card_numbers import Token
from fraud.units import DAY_US
from runtime.errors import Unavailable
from runtime.platform_file import DeclaredPlatform

KEPT: Final = 100
"""Outcomes that are remembered, the newest."""

SHARE: Final = 1_000
"""Records decided together: compiled code lets no page be answered meanwhile, some ten milliseconds."""

_log = structlog.get_logger("console")


@dataclass
class Trial:
    """One backtest of one version of a control.

    Attributes:
        name: `id@version`.
        days: that were asked for.
        by: who asked.
        read: records so far.
        history_us: from when on payments were read.
        from_us: from when on they are judged.
        undecided: judged by nobody, since no decision on them is known.
        found: the outcome so far; final once `done`.
        done: whether it has ended.
        failed: why it ended without an outcome; a key of the texts, or a line about the control.
    """

    name: str
    days: int
    by: str
    read: int = 0
    history_us: int = 0
    from_us: int = 0
    undecided: int = 0
    found: Backtest | None = None
    done: bool = False
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """Where past payments come from, and how they are read.

    Attributes:
        declared: the platform.
        token: replaces card numbers as the service does.
        open: a reader of the transactions topic alone.
        topic: its name.
        most: records that are read at most.
    """

    declared: DeclaredPlatform
    token: Token | None
    open: Callable[[], LogReader]
    topic: str
    most: int


class Backtests:
    """Starts them, and knows what they found; safe to use from any thread."""

    def __init__(self, readers: Readers, past: Past, now_us: Callable[[], int]) -> None:
        self._readers = readers
        self._past = past
        self._now_us = now_us
        self._lock = threading.Lock()
        self._trials: dict[str, Trial] = {}

    def of(self, name: str) -> Trial | None:
        """The latest of a control's version, `id@version`."""
        with self._lock:
            return self._trials.get(name)

    def start(self, draft: Control, *, days: int, by: str) -> bool:
        """Begins one; False: another is at work."""
        with self._lock:
            if any(not trial.done for trial in self._trials.values()):
                return False
            trial = Trial(draft.name, days, by)
            self._trials.pop(draft.name, None)
            self._trials = dict([*self._trials.items(), (draft.name, trial)][-KEPT:])
        threading.Thread(target=self._run, args=(draft, trial), name="backtest", daemon=True).start()
        return True

    def _run(self, draft: Control, trial: Trial) -> None:
        try:
            self._judge(draft, trial)
        except Unavailable:
            trial.failed = "away"
        except ValueError as error:
            trial.failed = str(error)
        except Exception:  # noqa: BLE001 - the last resort of a thread: the page says so, the log says why
            _log.exception("a backtest failed", control=draft.name)
            trial.failed = "broken"
        finally:
            trial.done = True

    def _judge(self, draft: Control, trial: Trial) -> None:
        from console.past.judge import Books, Made, PastPayments  # with compiled code, which pages do without

        with self._readers.view() as connection:
            controls = [tuple(row) for row in connection.execute("SELECT offset, raw FROM control_record")]
        books, said = Books.of(self._past.declared, controls, draft), dict[str, Verdict]()
        tallying, reader = Tallying([draft], said), self._past.open()

        def decided(ids: Sequence[str]) -> dict[str, Made]:
            with self._readers.view() as connection:
                said.update(verdicts(connection, ids))
                found = decisions(connection, ids)
            return {name: Made(score, ACTIONS.index(action)) for name, (score, action) in found.items()}

        try:
            left = self._begin(reader, trial)
            payments = PastPayments(self._past.declared, books, decided, token=self._past.token, from_us=trial.from_us)
            trial.found = tallying.found
            for records in _shares(reader, self._past.topic, left):
                tallying.add(payments.take(records))
                said.clear()
                trial.read += len(records)
                trial.undecided = payments.undecided
        finally:
            reader.close()

    def _begin(self, reader: LogReader, trial: Trial) -> int:
        """Goes back twice the days, as far as so many records reach; how many are to be read."""
        now_us = self._now_us()
        span_us = 2 * trial.days * DAY_US
        reader.start({})
        reader.start_from(now_us - span_us)
        left = reader.behind()
        if left > self._past.most:
            span_us = span_us * self._past.most // left
            reader.start_from(now_us - span_us)
            left = reader.behind()
        trial.history_us, trial.from_us = now_us - span_us, now_us - span_us // 2
        return left


def _shares(reader: LogReader, topic: str, left: int) -> Iterator[list[LogRecord]]:
    """Records up to where the log ended at first, each share of one partition and small."""
    while left > 0:
        polled = [record for record in reader.poll() if record.topic == topic]
        if not polled and reader.behind() == 0:
            return
        for _, records in groupby(polled, lambda record: record.partition):
            found = list(records)
            yield from (found[first : first + SHARE] for first in range(0, len(found), SHARE))
            left -= len(found)
