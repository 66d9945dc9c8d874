"""The first model of a new stack, from simulated platforms: does nothing once the model directory has one.

`python -m local.first_model --models DIR --data DIR`
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click

from training.modelling.strategies import QUICK

Run = Callable[..., dict[str, int]]
"""Runs `python -m PROGRAM …` and returns the JSON that it prints."""


class StepFailed(click.ClickException):
    """A training command failed; it has said why on standard error."""


def run_program(program: str, *arguments: str) -> dict[str, int]:
    """Run one command as a process of its own, which gives its memory back.

    Raises:
        StepFailed: it ended with an error.
    """
    click.echo(f"bootstrap: {program} {' '.join(arguments)}", err=True)
    command = [sys.executable, "-m", program, *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise StepFailed(f"{program} {arguments[0]} ended with {done.returncode}")
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


def bootstrap(models: Path, data: Path, *, transactions: int, days: int, labels: int, run: Run) -> int | None:
    """Simulate two platforms, pre-train on one, adapt to the other, let the result serve.

    Returns:
        The version that serves, or None when one already did.
    """
    if (models / "serving.json").exists():
        return None
    for platform in ("source", "target"):
        # The stack's service declares no platform of its own.
        size = ("--transactions", str(transactions), "--days", str(days), "--no-own-fields")
        run("simulator", "--platform", platform, *size, "--out", str(data / platform))
    where = ("--models", str(models))
    quick = ("--teachers", "1", "--max-source-rows", "40000")
    base = run("training", "pretrain", "--source", str(data / "source" / "events.parquet"), *quick, *where)
    target = ("--target", str(data / "target" / "events.parquet"), "--labels", str(labels))
    # The loop's own strategy: one small net, a third of the time of the stack.
    adapted = run("training", "adapt", *target, "--strategy", QUICK, "--from", str(base["version"]), *where)
    run("training", "promote", "--version", str(adapted["version"]), *where)
    return adapted["version"]


@click.command()
@click.option("--models", type=click.Path(path_type=Path), required=True, help="The model directory.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Where simulated events are kept.")
@click.option("--transactions", default=100_000, show_default=True, help="Of each platform.")
@click.option("--days", default=210, show_default=True, help="Long enough for chargebacks to arrive.")
@click.option("--labels", default=1_000, show_default=True, help="Labels of the target that adapt may use.")
def main(models: Path, data: Path, transactions: int, days: int, labels: int) -> None:
    """Make the first model unless there is one."""
    version = bootstrap(models, data, transactions=transactions, days=days, labels=labels, run=run_program)
    click.echo(f"bootstrap: {'there is a model already' if version is None else f'version {version} serves'}")


if __name__ == "__main__":
    main()
