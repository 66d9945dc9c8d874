"""`make bench-own-fields`: `auto` against plain LightGBM on the raw columns of the same labelled payments.

Resumable: each cell is a file in `build/own-fields/cells`, and what is there is not measured again. `--quick` takes the
credit card payments alone with two budgets and one seed; everything takes hours on one core. `--report` measures
nothing.
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

from benchmarks.own_fields.cells import Cell, load_all, run_cell
from benchmarks.own_fields.sets import NAMES, open_set
from benchmarks.own_fields.summary import figures_of, rows_of, table
from benchmarks.report import report
from benchmarks.transfer.pairs import NoData
from training.data.errors import InvalidDataset

TABLE: Final = Path("build/bench/own-fields.md")
QUICK: Final = (("credit-card",), ("10000", "all"), (101,))
SEEDS: Final = (101, 102, 103)


@click.command()
@click.option("--set", "names", type=click.Choice(NAMES), multiple=True, default=NAMES, help="Default: every one.")
@click.option("--budget", "budgets", multiple=True, help="Labels, or all. Default: those of the set.")
@click.option("--seed", "seeds", type=int, multiple=True, default=SEEDS, show_default=True)
@click.option("--quick", is_flag=True, help="One set, two budgets, one seed.")
@click.option("--minutes", type=float, default=float("inf"), help="Start no cell after so many.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of LightGBM.")
@click.option("--report", "only_report", is_flag=True, help="Pool what is there.")
def main(
    *,
    names: Sequence[str],
    budgets: Sequence[str],
    seeds: Sequence[int],
    quick: bool,
    minutes: float,
    threads: int,
    only_report: bool,
) -> None:
    """Measure what is missing, then print and write every figure."""
    end = time.monotonic() + 60 * minutes
    if quick:
        names, budgets, seeds = QUICK
    for seed in () if only_report else seeds:
        for name in names:
            _take(name, budgets, seed, threads=threads, end=end)
    rows = rows_of(load_all())
    report(
        "bench-own-fields",
        [figure for row in rows for figure in figures_of(row)],
        title="Own fields: auto against raw LightGBM, average precision on the future",
    )
    TABLE.write_text(table(rows) + "\n", encoding="utf-8")
    click.echo(table(rows))


def _take(name: str, budgets: Sequence[str], seed: int, *, threads: int, end: float) -> None:
    """Every budget of a set and seed."""
    if time.monotonic() > end:
        return
    try:
        own = open_set(name, seed)
    except NoData as error:
        click.echo(f"skipped {error}", err=True)
        return
    code = _commit()
    for budget in budgets or own.budgets:
        cell = Cell(name, budget, seed).known()
        wanted = {"auto", "raw_target"} | ({"raw_pooled"} if own.source else set())
        if wanted - set(cell.methods) and time.monotonic() < end:
            try:
                run_cell(own, cell, threads=threads, code=code)
            except InvalidDataset as error:
                click.echo(f"skipped {name} {budget} {seed}: {error}", err=True)
                continue
            told = ", ".join(f"{method} {figures.ap:.3f}" for method, figures in cell.methods.items())
            click.echo(f"{time.strftime('%H:%M:%S')} {name} {budget} {seed}: {told}; {cell.why}")


def _commit() -> str:
    git = ["git", "log", "-1", "--format=%h", "--", "fraud", "training", "benchmarks/own_fields"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
