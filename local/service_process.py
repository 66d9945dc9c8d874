"""`python -m service run`, or another program of ours, as a child process that may be hurt."""

import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local.programs import ProgramFailed, dies_with_parent, environment, last_line

START_SECONDS = 300.0
"""Long, since a first start compiles, and other programs may share the machine; how long it took is a figure."""


class ServiceProcess:
    """One instance of the service; its log is appended to a file.

    A `with` block starts it, stops it as an orchestrator does, and wants it to end with 0.

    Attributes:
        url: of its HTTP endpoint.
        log: its log file.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        log: Path,
        port: int = 0,
        largest_file: int | None = None,
        program: Sequence[str] = ("service", "run"),
    ) -> None:
        """Prepares an instance; nothing is started.

        Args:
            settings: its `FRAUD_…` variables.
            log: where its log goes.
            port: of its HTTP endpoint; 0 where nobody asks it.
            largest_file: bytes that any file it writes may have, as on a full disk; its log goes nowhere then.
            program: what to run instead, module and arguments.
        """
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._environment = environment({"FRAUD_HTTP_PORT": str(port), **settings})
        self._largest_file = largest_file
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if kind is None and code != 0:
            raise ProgramFailed(f"the service ended with {code}: {self.last_line()} (see {self.log})")

    def start(self) -> None:
        """Starts it; returns at once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [*dies_with_parent(), sys.executable, "-m", *self._program]
        with self.log.open("ab") as output:
            if self._largest_file is None:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment
                )
                return
            limit = self._largest_file
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),  # noqa: PLW1509 - one thread here
            )

    def check(self) -> None:
        """Raises `ProgramFailed` when it has ended."""
        if self.code is not None:
            what = " ".join(self._program)[:80]
            raise ProgramFailed(f"{what} ended with {self.code}: {self.last_line()} (see {self.log})")

    def ready(self, *, seconds: float = START_SECONDS) -> float:
        """Blocks until `/readyz` says yes; how long that took, in seconds.

        Raises:
            ProgramFailed: it ended, or was not ready in time.
        """
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            self.check()
            if self._answers():
                return time.monotonic() - began
            time.sleep(0.1)
        raise ProgramFailed(f"the service was not ready after {seconds:.0f} s: {self.last_line()} (see {self.log})")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own 127.0.0.1
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str) -> str:
        """The body of an HTTP answer."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own 127.0.0.1
            body: bytes = answer.read()
        return body.decode()

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        lines = self.get("/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def own_mb(self) -> float:
        """Its resident memory, MB, without pages of files: those come and go as other programs need memory."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))

    def peak_mb(self) -> float:
        """Its largest resident memory so far, MB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def cpu_s(self) -> float:
        """Processor time so far, of all its threads, seconds."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    @property
    def code(self) -> int | None:
        """Its exit code once it has ended."""
        return self._running().poll()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        if self.code is None:
            self._running().send_signal(number)

    def kill(self) -> None:
        """Ends it at once, as the kernel would."""
        self.signal(signal.SIGKILL)
        self._running().wait()

    def stop(self, *, seconds: float = 120.0) -> int:
        """Asks it to stop, as an orchestrator does; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds=seconds)

    def wait(self, *, seconds: float = START_SECONDS) -> int:
        """Waits for its end; its exit code."""
        try:
            return self._running().wait(seconds)
        except subprocess.TimeoutExpired:
            self._running().kill()
            raise ProgramFailed(f"the service did not end in {seconds:.0f} s (see {self.log})") from None

    def last_line(self) -> str:
        """The end of its log."""
        return last_line(self.log)

    def close(self, *, grace: float = 0.0) -> None:
        """Makes sure that nothing of it is left; it may stop by itself for `grace` seconds."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        if grace:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
        self._process.kill()
        self._process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProgramFailed("the service was not started")
        return self._process
