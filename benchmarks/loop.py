"""The closed loop at length, on a real broker of its own in simulated time: `make loop-test`."""

from training.process import prepare_libraries

prepare_libraries()

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.console import Console

from benchmarks.report import FOLDER as REPORTS
from benchmarks.report import Figure, report
from local.broker.local_broker import LocalBroker
from local.demo.closed_loop.plot import draw, table
from local.demo.closed_loop.recall import RECOVERED, Recall, decided_payments, measure
from local.demo.closed_loop.run import run_scenario
from local.demo.closed_loop.scenario import Scenario, prepare
from local.demo.outputs import Topics

FOLDER: Final = Path("build/loop")
UNITS: Final = {"days_to_learn": "days", "days_to_recover": "days", "promotions": "count", "after_to_oracle": "ratio",
                "frauds_after": "payments", "swapped_under": "payments", "lost": "payments",
                "doubled": "payments"}  # fmt: skip
"""Of figures that are no shares."""

SEEDS: Final = (11, 12, 13)
"""One stream has a hundred frauds of the new pattern behind the adaptation, which cannot tell 90 % from 100 %."""

WEIGHED: Final = ("recall_after", "recall_oracle", "recall_unadapted")
COUNTED: Final = tuple(name for name, unit in UNITS.items() if unit in {"count", "payments"})

console = Console(stderr=True, width=140)


@click.command()
@click.option("--transactions", default=Scenario().transactions, show_default=True)
@click.option("--strategy", default=Scenario().strategy, show_default=True)
@click.option("--seed", "seeds", multiple=True, default=SEEDS, show_default=True, help="Streams, one after the other.")
@click.option(
    "--bases",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A model directory whose base is taken, instead of pre-training one.",
)
def main(*, transactions: int, strategy: str, seeds: Sequence[int], bases: Path | None) -> None:
    """Run the closed loop in each stream and report how far recall came back in all of them together."""
    plans = [replace(Scenario(), transactions=transactions, strategy=strategy, seed=seed) for seed in seeds]
    runs = [run(scenario, bases) for scenario in plans]
    figures = pool(runs)
    report(
        "loop-test", figures, title="the closed loop: a new pattern, labels, re-adaptation (lowest and highest stream)"
    )
    value = {figure.name: figure.value for figure in figures}
    wrong = value["lost"] or value["doubled"] or not value["after_to_oracle"] >= RECOVERED
    raise SystemExit(1 if wrong else 0)


def run(scenario: Scenario, bases: Path | None) -> Recall:
    """One stream, on a broker of its own."""
    stream = prepare(scenario, FOLDER, bases=bases)
    with LocalBroker() as broker, run_scenario(
        scenario, stream, broker.bootstrap_servers, Topics(), folder=FOLDER, say=console.print
    ) as done:  # fmt: skip
        decided = decided_payments(done)
        recall = measure(done, decided)
    console.print(table(decided, scenario))
    console.print({"seed": scenario.seed} | recall.as_dict())
    draw(decided, scenario, recall, REPORTS / f"loop-test-{scenario.seed}.png")
    return recall


def pool(runs: Sequence[Recall]) -> list[Figure]:
    """Each figure over all streams, with its lowest and highest.

    What follows the adaptation is of all its frauds together, counts are sums, all else is the mean over streams.
    """
    figures = [recall.as_dict() for recall in runs]
    frauds = [recall.frauds_after for recall in runs]
    pooled = {
        name: float(np.average([t[name] for t in figures], weights=frauds if name in WEIGHED else None))
        for name in figures[0]
    }
    pooled |= {name: pooled[name] * len(runs) for name in COUNTED}
    pooled["after_to_oracle"] = pooled["recall_after"] / pooled["recall_oracle"]
    return [
        Figure(name, value, UNITS.get(name, "share"), min(t[name] for t in figures), max(t[name] for t in figures))
        for name, value in pooled.items()
    ]


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.loop")
