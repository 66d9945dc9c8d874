"""`make bench-pretraining`: what learning without labels adds, by set, budget and seed.

Resumable: each cell is a file in `build/pretraining/cells`, and what is there is not measured again. Everything takes a
day on one core; `--quick` takes smaller streams and one net of each kind, `--minutes` starts nothing later, `--report`
measures nothing.
"""

from training.process import prepare_libraries

prepare_libraries()

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import tensorflow as tf

from benchmarks.pretraining.cells import BY_DAYS, BY_LABELS, FULL, PARTS, QUICK, Cell, Effort, load_all, run_cell
from benchmarks.pretraining.summary import figures_of, rows_of, table
from benchmarks.report import report
from benchmarks.transfer.pairs import PAIRS, PRESETS, NoData, open_pair
from training.data.errors import InvalidDataset

TABLE: Final = Path("build/bench/pretraining.md")
SEEDS: Final = (201, 202, 203)
"""No choice was made on them, nor on their worlds."""


@click.command()
@click.option("--pair", "pairs", type=click.Choice(PAIRS), multiple=True, default=PAIRS, show_default=True)
@click.option("--budget", "budgets", multiple=True, help="0, days as 60d, or labels. Default: those of the pair.")
@click.option("--seed", "seeds", type=int, multiple=True, default=SEEDS, show_default=True)
@click.option("--part", "parts", type=click.Choice(list(PARTS)), multiple=True, default=list(PARTS), show_default=True)
@click.option("--quick", is_flag=True, help="Smaller streams, one net of each kind.")
@click.option("--minutes", type=float, default=float("inf"), help="Start no cell after so many.")
@click.option("--report", "only_report", is_flag=True, help="Pool what is there.")
def main(
    *,
    pairs: Sequence[str],
    budgets: Sequence[str],
    seeds: Sequence[int],
    parts: Sequence[str],
    quick: bool,
    minutes: float,
    only_report: bool,
) -> None:
    """Measure what is missing, then print and write every figure."""
    effort = QUICK if quick else FULL
    if not only_report:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    end = time.monotonic() + 60 * minutes
    for seed in () if only_report else seeds:
        for name in pairs:
            _take(name, seed, budgets, parts, effort=effort, end=end)
    rows = rows_of(load_all(effort))
    report("bench-pretraining", figures_of(rows), title="Learning without labels, on each target's future")
    TABLE.write_text(table(rows) + "\n", encoding="utf-8")
    click.echo(table(rows))


def _take(name: str, seed: int, budgets: Sequence[str], parts: Sequence[str], *, effort: Effort, end: float) -> None:
    """The budgets of a set and seed; opens it only where something is missing."""
    possible = BY_DAYS if name in PRESETS else BY_LABELS
    cells = [Cell(effort.name, name, budget, seed).known() for budget in possible if not budgets or budget in budgets]
    missing = [cell for cell in cells if set(parts) - set(cell.methods)]
    if not missing or time.monotonic() > end:
        return
    try:
        pair = open_pair(name, seed, effort.sizes)
    except NoData as error:
        click.echo(f"skipped {error}", err=True)
        return
    code = _commit()
    for cell in missing:
        if time.monotonic() < end:
            try:
                run_cell(pair, cell, effort, parts, code=code)
            except (NoData, InvalidDataset) as error:
                click.echo(f"skipped {name} {cell.budget} {seed}: {error}", err=True)
                continue
            told = ", ".join(f"{part} {figures.ap:.3f}" for part, figures in cell.methods.items())
            click.echo(f"{time.strftime('%H:%M:%S')} {name} {cell.budget} {seed}: {told or 'too few frauds'}")


def _commit() -> str:
    git = ["git", "log", "-1", "--format=%h", "--", "fraud", "training", "benchmarks/pretraining"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
