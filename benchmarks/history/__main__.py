"""Measures in parts, each in a process of its own, and reports them together.

Run: python -m benchmarks.history [--only cost] [--only scale] [--only keep] [--repeats 5] [--customers 1000000]
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import click

from benchmarks.history.parts import PARTS, run
from benchmarks.report import report


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="a part; all by default")
@click.option("--repeats", default=5, show_default=True, help="of everything; medians are reported")
@click.option("--customers", default=1_000_000, show_default=True, help="known customers of `cost` and `keep`")
def main(only: tuple[str, ...], repeats: int, customers: int) -> None:
    """Measure what the history costs: per event, at scale, in memory, to keep and to bring back."""
    figures = []
    context = multiprocessing.get_context("spawn")
    for part in only or PARTS:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            figures += pool.submit(run, part, repeats, customers).result()
    report("bench-history", figures, title=f"History and features with {customers:,} customers")


if __name__ == "__main__":
    main()
