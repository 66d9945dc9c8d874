"""The closed loop at length, on a real broker of its own in simulated time: `make loop-test`."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from benchmarks.report import FOLDER as REPORTS
from benchmarks.report import Figure, report
from deploy.demo.readapt.plan import Plan, prepare
from deploy.demo.readapt.play import played
from deploy.demo.readapt.plot import draw, table
from deploy.demo.readapt.recall import RECOVERED, measure, told
from deploy.demo.stream import Topics
from deploy.kafka.broker import LocalBroker

FOLDER: Final = Path("build/loop")
UNITS: Final = {"days_to_learn": "days", "days_to_recover": "days", "promotions": "count", "after_to_oracle": "ratio",
                "frauds_after": "payments", "swapped_under": "payments", "lost": "payments",
                "doubled": "payments"}  # fmt: skip
"""Of figures that are no shares."""

console = Console(stderr=True, width=140)


@click.command()
@click.option("--transactions", default=Plan().transactions, show_default=True)
@click.option("--strategy", default=Plan().strategy, show_default=True)
@click.option("--seed", default=Plan().seed, show_default=True)
@click.option(
    "--bases",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A model directory whose base is taken, instead of pre-training one.",
)
def main(*, transactions: int, strategy: str, seed: int, bases: Path | None) -> None:
    """Run the closed loop and report how far recall came back."""
    plan = replace(Plan(), transactions=transactions, strategy=strategy, seed=seed)
    world = prepare(plan, FOLDER, bases=bases)
    with LocalBroker() as broker, played(
        plan, world, broker.bootstrap_servers, Topics(), folder=FOLDER, tell=console.print
    ) as story:  # fmt: skip
        seen = told(story)
        said = measure(story, seen)
    figures = [Figure(name, value, UNITS.get(name, "share")) for name, value in said.as_dict().items()]
    console.print(table(seen, plan))
    draw(seen, plan, said, REPORTS / "loop-test.png")
    report("loop-test", figures, title="the closed loop: a new pattern, labels, re-adaptation")
    wrong = said.lost or said.doubled or not said.after_to_oracle >= RECOVERED
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.loop")
