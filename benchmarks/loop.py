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
from local.demo.closed_loop.recall import RECOVERED, Recall, measure, told
from local.demo.closed_loop.run import played
from local.demo.closed_loop.scenario import Plan, prepare
from local.demo.outputs import Topics

FOLDER: Final = Path("build/loop")
UNITS: Final = {"days_to_learn": "days", "days_to_recover": "days", "promotions": "count", "after_to_oracle": "ratio",
                "frauds_after": "payments", "swapped_under": "payments", "lost": "payments",
                "doubled": "payments"}  # fmt: skip
"""Of figures that are no shares."""

SEEDS: Final = (11, 12, 13)
"""One world has a hundred frauds of the new pattern behind the adaptation, which cannot tell 90 % from 100 %."""

WEIGHED: Final = ("recall_after", "recall_oracle", "recall_unadapted")
COUNTED: Final = tuple(name for name, unit in UNITS.items() if unit in {"count", "payments"})

console = Console(stderr=True, width=140)


@click.command()
@click.option("--transactions", default=Plan().transactions, show_default=True)
@click.option("--strategy", default=Plan().strategy, show_default=True)
@click.option("--seed", "seeds", multiple=True, default=SEEDS, show_default=True, help="Worlds, one after the other.")
@click.option(
    "--bases",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A model directory whose base is taken, instead of pre-training one.",
)
def main(*, transactions: int, strategy: str, seeds: Sequence[int], bases: Path | None) -> None:
    """Run the closed loop in each world and report how far recall came back in all of them together."""
    plans = [replace(Plan(), transactions=transactions, strategy=strategy, seed=seed) for seed in seeds]
    runs = [run(plan, bases) for plan in plans]
    figures = pool(runs)
    report(
        "loop-test", figures, title="the closed loop: a new pattern, labels, re-adaptation (lowest and highest world)"
    )
    value = {figure.name: figure.value for figure in figures}
    wrong = value["lost"] or value["doubled"] or not value["after_to_oracle"] >= RECOVERED
    raise SystemExit(1 if wrong else 0)


def run(plan: Plan, bases: Path | None) -> Recall:
    """One world, on a broker of its own."""
    world = prepare(plan, FOLDER, bases=bases)
    with LocalBroker() as broker, played(
        plan, world, broker.bootstrap_servers, Topics(), folder=FOLDER, tell=console.print
    ) as story:  # fmt: skip
        seen = told(story)
        said = measure(story, seen)
    console.print(table(seen, plan))
    console.print({"seed": plan.seed} | said.as_dict())
    draw(seen, plan, said, REPORTS / f"loop-test-{plan.seed}.png")
    return said


def pool(runs: Sequence[Recall]) -> list[Figure]:
    """Each figure over all worlds, with its lowest and highest.

    What follows the adaptation is of all its frauds together, counts are sums, everything else is the mean over worlds.
    """
    told = [said.as_dict() for said in runs]
    frauds = [said.frauds_after for said in runs]
    pooled = {
        name: float(np.average([t[name] for t in told], weights=frauds if name in WEIGHED else None))
        for name in told[0]
    }
    pooled |= {name: pooled[name] * len(runs) for name in COUNTED}
    pooled["after_to_oracle"] = pooled["recall_after"] / pooled["recall_oracle"]
    return [
        Figure(name, value, UNITS.get(name, "share"), min(t[name] for t in told), max(t[name] for t in told))
        for name, value in pooled.items()
    ]


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.loop")
