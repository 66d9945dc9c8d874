"""One run of one system over a loaded topic: its rate, its memory, and when its first decision came out."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.peers.commits import CommitLog, Progress
from local.programs import ProgramFailed
from local.service_process import ServiceProcess

START_SECONDS = 90.0
STOP_SECONDS = 15.0


class Failed(Exception):  # noqa: N818 - named for what happened
    """A system ended or stood still; one line with its log."""


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


@contextmanager
def running(program: ServiceProcess) -> Iterator[ServiceProcess]:
    """A system's process while the block lasts; how it ends is no figure."""
    program.start()
    try:
        yield program
    finally:
        program.close(grace=STOP_SECONDS)


def run(programs: Sequence[ServiceProcess], log: CommitLog, group: str, *, records: int, seconds: float) -> Run:
    """Starts one system (of one or more processes) and watches its commits.

    Args:
        programs: its processes, not started.
        log: the broker's commit log.
        group: the system's consumer group.
        records: how many the topic holds.
        seconds: how long to watch, counted from the first commit; less when the topic ends before.

    Raises:
        Failed: it ended, or did not commit in time.
    """
    with ExitStack() as stack:
        began_ms = int(time.time() * 1000)  # noqa: TID251 - compared with the broker's wall time
        started = [stack.enter_context(running(program)) for program in programs]
        first = wait(started, lambda: bool(committed(log, group)), seconds=START_SECONDS)
        if not first:
            raise Failed(f"{group} committed nothing within {START_SECONDS:.0f} s")
        before, cpu = committed(log, group), _cpu_s(started)
        wait(started, lambda: committed(log, group) >= records, seconds=seconds)
        done, spent = committed(log, group) - before, _cpu_s(started) - cpu
        memory = sum(program.peak_mb() for program in started)
    return Run(rate(log.of(group), records), 1e6 * spent / max(done, 1), memory, began_ms)


def wait(programs: Sequence[ServiceProcess], enough: Callable[[], bool], *, seconds: float) -> bool:
    """Looks every 50 ms; whether it was enough in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.05)
        for program in programs:
            try:
                program.check()
            except ProgramFailed as error:
                raise Failed(str(error)) from None
        if enough():
            return True
    return False


def committed(log: CommitLog, group: str) -> int:
    """How many records a group has committed."""
    progress = log.of(group)
    return progress[-1].records if progress else 0


def _cpu_s(programs: Sequence[ServiceProcess]) -> float:
    return sum(program.cpu_s() for program in programs)


def rate(progress: Sequence[Progress], records: int, *, warm: float = 0.25) -> float:
    """Records a second between the end of the warm-up and the last commit made while there was still work.

    The commit that reaches the end of the topic does not count where there are others: systems that commit by the
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
