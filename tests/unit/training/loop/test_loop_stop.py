"""How the loop ends when it is told to: in order, whatever is at work, and the next start goes on."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.errors import Misconfigured
from runtime.shutdown import Shutdown
from tests.unit.training.loop.test_loop_runner import NOW, Ready, Shop
from training.commands import loop as command
from training.commands.loop import loop_command
from training.loop import program
from training.loop.ledger_view import LedgerView
from training.loop.program import Stopped, stopping, until
from training.loop.runner import Loop
from training.loop.state import BegunRun, LoopState, load_state
from training.loop.training_run import RunResult


def test_a_run_ends_at_its_next_step_once_told_to_stop() -> None:
    stop = Shutdown(seconds=1, monotonic=lambda: 0.0)
    check = until(stop)
    check("teacher 1", 0.1)
    stop.request()
    with pytest.raises(Stopped):
        check("teacher 1", 0.2)


def test_a_signal_sets_the_flag_and_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(10)
        assert stop.requested
    assert signal.getsignal(signal.SIGTERM) is before


HANGING = """
import time
from training.loop import program
program.GRACE_SECONDS = 0.2
with program.stopping():
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""


def test_what_comes_to_no_step_is_abandoned_at_the_deadline_with_exit_0() -> None:
    with subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait() == 0


@dataclass(frozen=True, slots=True)
class Interrupted(Ready):
    """Is told to stop in the middle of its first run."""

    def run(self, view: LedgerView, state: LoopState, begun: BegunRun) -> RunResult:
        if not self.seen:
            self.seen.append(begun)
            os.kill(os.getpid(), signal.SIGTERM)
            while True:
                self.progress("teacher 1", 0.5)
        return Ready.run(self, view, state, begun)


def test_sigterm_within_a_run_is_exit_0_and_the_next_start_takes_the_run_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    shop.label(range(5))

    def connect(_settings: object, _registry: object, *, progress: object) -> Loop:
        shop.trainer = Interrupted(shop.trainer.root, shop.trainer.context, shop.trainer.config, progress)  # type: ignore[arg-type]  # as given
        return shop.loop()

    monkeypatch.setattr(program, "connect", connect)
    monkeypatch.setattr(command, "configure_logs", lambda _level: None)
    monkeypatch.setattr(program, "wall_time", lambda: NOW)
    monkeypatch.setenv("FRAUD_LOOP_HTTP_PORT", "0")
    result = CliRunner().invoke(loop_command, ["--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert load_state(tmp_path).unfinished is not None
    done = shop.loop().turn(NOW + 1)
    assert done.run is not None
    assert (done.run.run, done.run.at_us, shop.champion) == (1, NOW, 1)


def test_a_broker_that_refuses_ends_the_loop_with_one_line_and_the_services_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> Loop:
        raise Misconfigured("localhost:9092: SaslAuthenticationFailedError: wrong password")

    monkeypatch.setattr(program, "connect", connect)
    monkeypatch.setattr(command, "configure_logs", lambda _level: None)
    monkeypatch.setenv("FRAUD_LOOP_HTTP_PORT", "0")
    result = CliRunner().invoke(loop_command, ["--data", str(tmp_path)])
    assert result.exit_code == 2
    assert [line for line in result.output.splitlines() if line.startswith("Error:")] == [
        "Error: localhost:9092: SaslAuthenticationFailedError: wrong password"
    ]
