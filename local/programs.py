"""The project's own programs as child processes: commands, and the service."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0


class ProgramFailed(Exception):  # noqa: N818 - named for what happened
    """A program ended with an error, or did not get ready; the text is one line and names its log."""


def run_program(program: str, *arguments: str, log: Path) -> dict[str, object]:
    """Runs `python -m PROGRAM …`, training or simulator, with its progress in a log.

    Returns:
        The JSON document that the command printed.

    Raises:
        ProgramFailed: the command failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments, "--json"], stdout=subprocess.PIPE, stderr=output, check=False
        )
    if done.returncode:
        raise ProgramFailed(f"{program} {arguments[0]} ended with {done.returncode}: {_last_line(log)} (see {log})")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return msgspec.json.decode(b"\n".join(lines) if lines[0].strip() == b"{" else lines[-1], type=dict[str, object])


class Service:
    """`python -m service run` as its own process, until the `with` block ends.

    Attributes:
        url: of its HTTP endpoint.
    """

    def __init__(self, environment: Mapping[str, str], *, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._environment = {**inherited(), **environment, "FRAUD_HTTP_PORT": str(port)}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "run"], stdout=output, stderr=output, env=self._environment
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if kind is None and code != 0:
            raise ProgramFailed(f"the service ended with {code}: {_last_line(self._log)} (see {self._log})")

    def stop(self) -> int:
        """Asks the service to stop, as an orchestrator does, and returns its exit code."""
        process = self._started()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def check(self) -> None:
        """Raises `ProgramFailed` when the service is dead."""
        code = self._started().poll()
        if code is not None:
            raise ProgramFailed(f"the service died with {code}: {_last_line(self._log)} (see {self._log})")

    def wait_until_ready(self) -> float:
        """Blocks until `/readyz` says yes; returns how long that took, in seconds."""
        began = time.monotonic()
        while time.monotonic() - began < START_SECONDS:
            self.check()
            try:
                self.get("/readyz")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return time.monotonic() - began
        raise ProgramFailed(f"the service was not ready after {START_SECONDS:.0f} s (see {self._log})")

    def get(self, path: str) -> str:
        """The body of an HTTP answer of the service."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own 127.0.0.1
            body: bytes = answer.read()
        return body.decode()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProgramFailed("the service has not been started")
        return self._process


def service_command(environment: Mapping[str, str], *arguments: str) -> None:
    """Runs `python -m service …` to its end; its output goes to this terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env={**inherited(), **environment},
        check=False,
        stdout=sys.stderr,
    )
    if done.returncode:
        raise ProgramFailed(f"service {arguments[0]} ended with {done.returncode}")


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def inherited() -> dict[str, str]:
    """This process' environment without its own `FRAUD_…` settings, which are the caller's to give."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}  # noqa: TID251 - passed on


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:400] if lines else "it said nothing"
