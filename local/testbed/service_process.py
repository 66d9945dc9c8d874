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

START_SECONDS = 300.0
"""Long, since a first start compiles, and other programs may share the machine; how long it took is a figure."""


class ServiceProcess:
    """One instance of the service; its log is appended to a file.

    Attributes:
        url: of its HTTP endpoint.
        log: its log file.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        port: int,
        log: Path,
        largest_file: int | None = None,
        program: Sequence[str] = ("service", "run"),
    ) -> None:
        """Prepares an instance; nothing is started.

        Args:
            environment: its settings.
            port: of its HTTP endpoint.
            log: where its log goes.
            largest_file: bytes that any file it writes may have, as on a full disk; its log goes through a pipe then.
            program: what to run instead, module and arguments.
        """
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")},  # noqa: TID251 - passed on
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "FRAUD_HTTP_PORT": str(port),
            **environment,
        }
        self._largest_file = largest_file
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; returns at once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", *self._program]
        with self.log.open("ab") as output:
            if self._largest_file is None:
                self._process = subprocess.Popen(command, stdout=output, stderr=output, env=self._environment)
                return
            limit = self._largest_file
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),  # noqa: PLW1509 - one thread here
            )

    def ready(self, *, seconds: float = START_SECONDS) -> float:
        """Blocks until it is ready; how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            code = self.code
            if code is not None:
                raise AssertionError(f"the service ended with {code}: {self.last_line()} (see {self.log})")
            if self._answers():
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"the service was not ready after {seconds:.0f} s: {self.last_line()} (see {self.log})")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own 127.0.0.1
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:  # noqa: S310 - our own 127.0.0.1
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def own_mb(self) -> float:
        """Its resident memory, MB, without pages of files: those come and go as other programs need memory."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))

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
            raise AssertionError(f"the service did not end in {seconds:.0f} s (see {self.log})") from None

    def last_line(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:300] if lines else "it said nothing"

    def close(self) -> None:
        """Makes sure that nothing of it is left."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise AssertionError("the service was not started")
        return self._process
