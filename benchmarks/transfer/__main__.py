"""`make bench-transfer`: average precision and recall of every method, by pair, budget (or days) and seed.

Resumable: each pair's figures are a table in `benchmarks/transfer/results`, and what is there is not measured again.
Streams and bases are kept in `build/transfer`. Everything takes many hours on one core; `--minutes` stops between two
cells, `--report` measures nothing.
"""

from training.process import prepare_libraries

prepare_libraries()

import subprocess
import sys
import time
from collections.abc import Sequence

import click
import tensorflow as tf

from benchmarks.report import report
from benchmarks.transfer.cells import Plan, base_of, run_cell
from benchmarks.transfer.pairs import PAIRS, NoData, open_pair
from benchmarks.transfer.results import Cell, load_all
from benchmarks.transfer.schedule import Turn, turns
from benchmarks.transfer.summary import by_method, by_rival, figures_of, pool, table, words
from training.data.errors import (
    InvalidDataset,
)


@click.command()
@click.option("--pair", "pairs", type=click.Choice(PAIRS), multiple=True, default=PAIRS, show_default=True)
@click.option(
    "--budget", "budgets", multiple=True, help="Labels, all, or days since launch as 60d. Default: every one."
)
@click.option("--seed", "seeds", type=int, multiple=True, help="Default: those of the final figures.")
@click.option("--method", "methods", multiple=True, help="Default: every one.")
@click.option("--source-rows", default=300_000, show_default=True, help="Of a simulated source.")
@click.option("--target-rows", default=200_000, show_default=True, help="Of a simulated target.")
@click.option("--minutes", type=float, default=float("inf"), help="Start no cell after so many.")
@click.option("--code", help="Commit of what is measured; default: this work tree's.")
@click.option("--report", "only_report", is_flag=True, help="Pool what is there.")
def main(
    *,
    pairs: Sequence[str],
    budgets: Sequence[str],
    seeds: Sequence[int],
    methods: Sequence[str],
    source_rows: int,
    target_rows: int,
    minutes: float,
    code: str | None,
    only_report: bool,
) -> None:
    """Measure what is missing, then print and write every figure."""
    if not only_report:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        end = time.monotonic() + 60 * minutes
        version = code or _commit()
        for turn in turns(seeds):
            wanted = [b for b in turn.budgets if not budgets or b in budgets]
            chosen = [m for m in turn.methods if not methods or m in methods]
            if turn.pair in pairs and wanted and chosen:
                _take(turn, wanted, chosen, sizes=(source_rows, target_rows), end=end, code=version)
    rows = pool([cell for cell in load_all() if cell.pair in pairs])
    report(
        "bench-transfer",
        [figure for row in rows for figure in figures_of(row)],
        title="Transfer, on each target's future",
    )
    click.echo(table(rows))
    click.echo(by_method(rows))
    click.echo(by_rival([row for row in rows if not row.cells[0].control]))
    click.echo(words(rows))


def _take(
    turn: Turn, budgets: Sequence[str], methods: Sequence[str], *, sizes: tuple[int, int], end: float, code: str
) -> None:
    """Opens the pair only where something is missing."""
    cells = [Cell(turn.pair, budget, turn.seed, turn.control).known() for budget in budgets]
    missing = [cell.budget for cell in cells if set(cell.possible(methods)) - set(cell.methods)]
    if not missing or time.monotonic() > end:
        return
    try:
        plan = Plan(open_pair(turn.pair, turn.seed, sizes), turn.seed, turn.control, code)
        base = base_of(plan)
    except NoData as error:
        click.echo(f"skipped {error}", err=True)
        return
    for budget in missing:
        if time.monotonic() < end:
            try:
                run_cell(plan, base, budget, methods)
            except (NoData, InvalidDataset) as error:
                click.echo(f"skipped {turn.pair} {budget} {turn.seed}: {error}", err=True)


def _commit() -> str:
    git = ["git", "log", "-1", "--format=%h", "--", "fraud", "training", "benchmarks/transfer"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
