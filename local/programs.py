"""The project's own commands as child processes that run to their end."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec


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
        raise ProgramFailed(f"{program} {arguments[0]} ended with {done.returncode}: {last_line(log)} (see {log})")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return msgspec.json.decode(b"\n".join(lines) if lines[0].strip() == b"{" else lines[-1], type=dict[str, object])


def service_command(settings: Mapping[str, str], *arguments: str) -> None:
    """Runs `python -m service …` to its end; its output goes to this terminal.

    Raises:
        ProgramFailed: the command failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments], env=environment(settings), check=False, stdout=sys.stderr
    )
    if done.returncode:
        raise ProgramFailed(f"service {arguments[0]} ended with {done.returncode}")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Of a child process: this one's, with the `FRAUD_…` settings given and none of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}  # noqa: TID251 - passed on
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1", **settings}


def dies_with_parent() -> list[str]:
    """A prefix of commands that has Linux end the program when this one dies, however it dies; elsewhere nothing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def last_line(log: Path) -> str:
    """The end of a program's log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:400] if lines else "it said nothing"
