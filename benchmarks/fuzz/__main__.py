"""`make fuzz`: hostile records to the running service and loop, damaged files to their loaders; figures and failures.

`--replay SEED:INDEX` runs one case again.
"""

from training.process import prepare_libraries

prepare_libraries()

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np

from benchmarks.fuzz.checking import Checked, run_files
from benchmarks.fuzz.failures import Failure
from benchmarks.fuzz.learning import run_loop
from benchmarks.fuzz.scoring import Figures, replay, run_records
from benchmarks.report import Figure, report
from local.broker.local_broker import LocalBroker
from local.testbed.bundles import serve, write_bundle

FOLDER: Final = Path("build/fuzz")
LOOP_SHARE: Final = 0.02
"""Of the records, how many messages of each part the loop gets besides."""

SCORING_TIME: Final = 0.6
LOOP_TIME: Final = 0.7
"""Shares of the time by which scoring, then the loop, must have ended; the files get the rest."""

ROUND: Final = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found, by part."""

    scoring: Figures
    loop: Figures
    files: Checked

    @property
    def failures(self) -> Sequence[Failure]:
        """All of them."""
        return (*self.scoring.failures, *self.loop.failures, *self.files.failures)

    def figures(self) -> list[Figure]:
        """As they are reported."""
        both = (self.scoring, self.loop)
        return [
            Figure("fuzz.records", sum(part.records for part in both), "records"),
            Figure("fuzz.valid", self.scoring.valid, "records"),
            Figure("fuzz.refused_by_broker", sum(part.refused for part in both), "records"),
            Figure("fuzz.files", self.files.files, "files"),
            Figure("fuzz.files_refused", self.files.refused, "files"),
            Figure("fuzz.crashes", len(self.failures), "cases"),
            Figure("fuzz.unaccounted", sum(part.unaccounted for part in both), "records"),
            Figure("fuzz.changed", sum(part.changed for part in both), "records"),
            Figure("fuzz.longest_turn_ms", self.scoring.longest_turn_s * 1000, "ms"),
            Figure("fuzz.memory_drift_mb", drift(self.scoring.memory), "MB"),
        ]

    @property
    def clean(self) -> bool:
        """Whether nothing did what no input may do."""
        return not self.failures and not any(part.unaccounted or part.changed for part in (self.scoring, self.loop))


def drift(memory: Sequence[float]) -> float:
    """How much a program's memory grew over the second half of its samples, in their unit."""
    half = memory[len(memory) // 2 :]
    tenth = max(1, len(half) // 10)
    return float(np.median(half[-tenth:]) - np.median(half[:tenth])) if half else 0.0


def run(folder: Path, servers: str, *, seed: int, records: int, files: int, seconds: float, most: int) -> Found:
    """All three parts, one after the other.

    Args:
        folder: for everything that is written.
        servers: of a broker.
        seed: of everything.
        records: for the service; the loop gets some besides.
        files: damaged ones.
        seconds: after which it ends, with what it has done by then.
        most: failures of one part after which that part ends.
    """
    began, start_ms = time.monotonic(), int(time.time() * 1000)  # noqa: TID251 - brokers refuse what is far from now
    models = folder / "models"
    write_bundle(models, 1)
    serve(models, 1)
    scoring = run_records(
        servers, folder, models, seed=seed, records=records, until=began + seconds * SCORING_TIME, start_ms=start_ms,
        round_size=min(ROUND, max(500, records // 4)), most_failures=most,
    )  # fmt: skip
    loop = run_loop(
        servers, folder, models, seed=seed, first=records, messages=max(300, int(records * LOOP_SHARE)),
        until=began + seconds * LOOP_TIME, start_ms=start_ms, most_failures=most,
    )  # fmt: skip
    checked = run_files(folder / "files", seed=seed, first=0, files=files, until=began + seconds)
    return Found(scoring, loop, checked)


def again(folder: Path, servers: str, *, seed: int, index: int, part: str) -> Sequence[Failure]:
    """One case alone."""
    start_ms = int(time.time() * 1000)  # noqa: TID251 - as above
    models = folder / "models"
    if part == "file":
        return run_files(folder / "files", seed=seed, first=index, files=1, until=float("inf")).failures
    write_bundle(models, 1)
    serve(models, 1)
    if part == "record":
        return replay(servers, folder, models, seed=seed, index=index, start_ms=start_ms).failures
    message = {"seed": seed, "first": index, "messages": 1, "start_ms": start_ms, "most_failures": 1}
    return run_loop(servers, folder, models, until=float("inf"), **message).failures


@click.command()
@click.option("--records", default=1_000_000, show_default=True, help="For the service; the loop gets 6 % more.")
@click.option("--files", default=2_000, show_default=True, help="Damaged files.")
@click.option("--seed", default=1, show_default=True, help="Of everything.")
@click.option("--seconds", default=1_500.0, show_default=True, help="After which it ends, with what was done by then.")
@click.option("--failures", "most", default=8, show_default=True, help="Of one part, after which that part ends.")
@click.option("--replay", "case", metavar="SEED:INDEX", help="Only this case.")
@click.option(
    "--part", default="record", type=click.Choice(["record", "event", "label", "decision", "file"]), show_default=True,
    help="Which the replayed case is of.",
)  # fmt: skip
def main(*, records: int, files: int, seed: int, seconds: float, most: int, case: str | None, part: str) -> None:
    """Sends what should not be sent, and looks whether anything breaks."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)  # refusals by the broker are part of it
    folder = (FOLDER / time.strftime("%H%M%S")).resolve()
    with LocalBroker() as broker:
        click.echo(f"Kafka {broker.version}, seed {seed}; logs in {folder}", err=True)
        if case is not None:
            of, _, index = case.partition(":")
            failures = again(folder, broker.bootstrap_servers, seed=int(of), index=int(index), part=part)
            click.echo("\n".join(map(str, failures)) or "nothing broke")
            sys.exit(1 if failures else 0)
        found = run(
            folder, broker.bootstrap_servers, seed=seed, records=records, files=files, seconds=seconds, most=most
        )
    report("fuzz", found.figures(), title="Hostile input")
    for failure in found.failures:
        click.echo(str(failure), err=True)
    sys.exit(0 if found.clean else 1)


if __name__ == "__main__":
    main()
