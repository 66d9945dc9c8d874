"""Work on a frozen image of this process: a forked child sees all memory as it was, while the parent goes on.

The system shares the pages and copies those that one of the two writes to. docs/adr/0012-snapshots-by-fork.md says why.
"""

import gc
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

NICE: Final = 10
"""How much the child gives way to the parent."""

_STANDARD: Final = 3
_MOST: Final = 300


@dataclass(frozen=True, slots=True)
class Child:
    """A forked process and the pipe on which it reports what went wrong."""

    pid: int
    pipe: int

    def wait(self, seconds: float) -> str | None:
        """Blocks until it has ended, and ends it after `seconds`; what went wrong, None when nothing did."""
        try:
            report = self._listen(time.monotonic() + seconds)
        finally:
            os.close(self.pipe)
        if report is None:
            os.kill(self.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if report is None:
            return f"not done after {seconds:g} s"
        return None if code == 0 else report or f"the process that wrote it ended with {code}"

    def _listen(self, deadline: float) -> str | None:
        """All that it reported before its end; None when that has not come in time."""
        poll, report = select.poll(), b""
        poll.register(self.pipe, select.POLLIN | select.POLLHUP)
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            read = os.read(self.pipe, _MOST)
            if not read:
                return report.decode(errors="replace")
            report += read
        return None


def fork(work: Callable[[], None]) -> Child:
    """Starts `work` in a child.

    It must need no lock and no thread of the parent's: the child has a copy of each lock, but of its owner it has none.

    Raises:
        OSError: the system has no room for a process.
    """
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid == 0:
        _work(work, writer)
    os.close(writer)
    return Child(pid, reader)


def _work(work: Callable[[], None], writer: int) -> NoReturn:
    code = 1
    try:
        gc.disable()  # no finaliser of the parent's objects shall run here
        # A parent that dies must free its ports and locks at once, though its child goes on for a moment.
        os.closerange(_STANDARD, writer)
        os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
        os.nice(NICE)
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent reports it
        os.write(writer, " ".join(f"{type(error).__name__}: {error}".split()).encode()[:_MOST])
    finally:
        os._exit(code)
