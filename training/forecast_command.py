"""`python -m training forecast`: what to expect before go-live, with and without transfer."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from fraud.policy import Policy
from fraud.risk import RiskTables
from training.adapt import STRATEGIES
from training.adapt_inputs import labels_beside
from training.console import FILE, json_option, models_option, one_line_errors, progress_display, seed_option
from training.datasets import World, from_stream, read_stream
from training.forecast import DAYS, Forecast, forecast
from training.loop.adaptation import find_base
from training.report import number


@click.command("forecast")
@click.option("--target", "events", type=FILE, required=True, help="The target's past, labels.parquet beside it.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--from", "parent", type=click.IntRange(1), help="Version of the base; the newest by default.")
@click.option("--strategy", default="joint_distilled", show_default=True, help=f"One of {', '.join(STRATEGIES)}.")
@click.option("--days", type=click.IntRange(1), multiple=True, default=DAYS, show_default=True, help="Since launch.")
@models_option
@seed_option
@json_option
def forecast_command(
    *,
    events: Path,
    label_file: Path | None,
    parent: int | None,
    strategy: str,
    days: tuple[int, ...],
    root: Path,
    seed: int,
    as_json: bool,
) -> None:
    """Expected recall and money by days since launch, with and without transfer, or "do not transfer" and why."""
    with one_line_errors(), progress_display() as progress:
        _, base = find_base(root, parent)
        world = World()
        stream = read_stream([events], labels_beside(events, label_file), world)
        target = from_stream(stream, world, risk=RiskTables(), progress=True)
        policy = Policy.default(world.money.base)
        said = forecast(base, target, stream.ledger, policy, strategy=strategy, seed=seed, days=days, progress=progress)
    if as_json:
        click.echo(json.dumps(said.as_json()))
    else:
        show(said)


def show(said: Forecast) -> None:
    """The forecast as a table with its verdict."""
    table = Table(
        "days", "labels", "frauds", "recall at 1 %", "without transfer", "money / 1,000", "without transfer",
        caption=said.reason,
    )  # fmt: skip
    for p in said.points:
        figures = (p.recall, p.recall_alone, p.money, p.money_alone)
        table.add_row(str(p.days), f"{p.labels:,}", f"{p.frauds:,}", *map(number, figures))
    Console(width=120).print(table)
