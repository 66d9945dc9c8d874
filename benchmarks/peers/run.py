"""One run of one contender over a loaded topic: its rate, its memory, and when its first decision came out."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.peers.commits import CommitLog, Progress

START_SECONDS = 90.0
STOP_SECONDS = 15.0


class Failed(Exception):  # noqa: N818 - named for what happened
    """A contender ended or stood still; one line with its log."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed.

    Attributes:
        events_per_second: committed records a second, after the warm-up.
        cpu_us: processor time of a record, in µs, after the first commit; steadier than the rate on a busy machine.
        memory_mb: the largest resident set.
        started_ms: wall time at which the process was started.
    """

    events_per_second: float
    cpu_us: float
    memory_mb: float
    started_ms: int


class Program:
    """A child process with its log; stopped when the `with` block ends."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self._arguments = [*_dies_with_parent(), sys.executable, *arguments]
        self._environment = {**_inherited(), **environment}
        self._log = log
        self.started_ms = 0

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self.started_ms = int(time.time() * 1000)  # noqa: TID251 - compared with the broker's wall time
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=self._environment
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raises `Failed` when the process has ended."""
        code = self._process.poll()
        if code is not None:
            lines = self._log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise Failed(
                f"{' '.join(self._arguments[-3:])[:80]} ended with {code}: {lines[-1][:300]} (see {self._log})"
            )

    def cpu_s(self) -> float:
        """Processor time so far, of all its threads."""
        after_name = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """The largest resident set so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def run(programs: Sequence[Program], log: CommitLog, group: str, *, records: int, seconds: float) -> Run:
    """Starts one contender (of one or more processes) and watches its commits.

    Args:
        programs: its processes, not started.
        log: the broker's commit log.
        group: the contender's consumer group.
        records: how many the topic holds.
        seconds: how long to watch, counted from the first commit; less when the topic ends before.

    Raises:
        Failed: it ended, or did not commit in time.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(program) for program in programs]
        first = wait(started, lambda: bool(committed(log, group)), seconds=START_SECONDS)
        if not first:
            raise Failed(f"{group} committed nothing within {START_SECONDS:.0f} s")
        before, cpu = committed(log, group), _cpu_s(started)
        wait(started, lambda: committed(log, group) >= records, seconds=seconds)
        done, spent = committed(log, group) - before, _cpu_s(started) - cpu
        memory = sum(program.memory_mb() for program in started)
    return Run(rate(log.of(group), records), 1e6 * spent / max(done, 1), memory, started[0].started_ms)


def wait(programs: Sequence[Program], enough: Callable[[], bool], *, seconds: float) -> bool:
    """Looks every 50 ms; whether it was enough in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.05)
        for program in programs:
            program.check()
        if enough():
            return True
    return False


def committed(log: CommitLog, group: str) -> int:
    """How many records a group has committed."""
    progress = log.of(group)
    return progress[-1].records if progress else 0


def _cpu_s(programs: Sequence[Program]) -> float:
    return sum(program.cpu_s() for program in programs)


def rate(progress: Sequence[Progress], records: int, *, warm: float = 0.25) -> float:
    """Records a second between the end of the warm-up and the last commit made while there was still work.

    The commit that reaches the end of the topic does not count where there are others: contenders that commit by the
    clock make it late.

    Args:
        progress: all commits of one run.
        records: how many the topic holds.
        warm: share of what was done that counts as warm-up.

    Raises:
        Failed: fewer than two commits are left to measure between.
    """
    busy = [step for step in progress if 0 < step.records < records] or list(progress)
    if busy:
        threshold = busy[0].records + warm * (busy[-1].records - busy[0].records)
        busy = [step for step in busy if step.records >= threshold]
    if len(busy) < 2 or busy[-1].time_ms == busy[0].time_ms:
        raise Failed("committed too seldom to be measured: give it more records or more seconds")
    return 1000 * (busy[-1].records - busy[0].records) / (busy[-1].time_ms - busy[0].time_ms)


def _dies_with_parent() -> list[str]:
    """A prefix that has Linux end the program when this one dies, however it dies; elsewhere nothing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _inherited() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}  # noqa: TID251 - passed on
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
