"""`python -m training forecast`: what to expect before go-live, with and without transfer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from training.commands.console import (
    FILE,
    bundle_key,
    declared_context,
    json_option,
    models_option,
    one_line_errors,
    platform_beside,
    platform_option,
    policy_option,
    progress_display,
    seed_option,
)
from training.data.errors import InvalidDataset
from training.modelling.strategies import QUICK, STRATEGIES

if TYPE_CHECKING:
    from training.evaluation.forecast import Forecast

DAYS: Final = (14, 30, 60, 90)


@click.command("forecast")
@click.option("--target", "events", type=FILE, required=True, help="The target's past, labels.parquet beside it.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--from", "parent", type=click.IntRange(1), help="Version of the base; the newest by default.")
@click.option("--strategy", default=QUICK, show_default=True, help=f"One of {', '.join(STRATEGIES)}.")
@click.option("--days", type=click.IntRange(1), multiple=True, default=DAYS, show_default=True, help="Since launch.")
@platform_option
@policy_option
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
    platform_file: Path | None,
    policy_file: Path | None,
    root: Path,
    seed: int,
    as_json: bool,
) -> None:
    """Expected recall and money by days since launch, with and without transfer, or "do not transfer" and why."""
    from fraud.features.risk_tables import RiskTables
    from training.data.replayed_stream import from_stream, read_stream
    from training.evaluation.forecast import ALONE, forecast
    from training.evaluation.shop_policy import shop_policy
    from training.modelling.adapt import strategy_named
    from training.modelling.inputs import labels_beside, open_base

    with one_line_errors(), progress_display() as progress:
        strategy_named(strategy)
        if strategy == ALONE:
            raise InvalidDataset(f"{ALONE} is what transfer is compared with; choose another --strategy")
        _, base = open_base(root, parent, bundle_key())
        context = declared_context(platform_file, platform_beside(events))
        stream = read_stream([events], labels_beside(events, label_file), context)
        target = from_stream(stream, context, risk=RiskTables(), progress=True)
        policy = shop_policy(target, policy_file)
        made = forecast(base, target, stream.ledger, policy, strategy=strategy, seed=seed, days=days, progress=progress)
    if as_json:
        click.echo(json.dumps(made.as_json()))
    else:
        show(made)


def show(made: "Forecast") -> None:
    """The forecast as a table with its conclusion, and what it rests on."""
    from training.evaluation.report import number
    from training.evaluation.scores import ENOUGH_FRAUDS

    console = Console(width=150)
    table = Table(
        "days", "labels", "of them fraud", "presumed", "frauds ahead", "recall at 1 %", "alone", "money / 1,000",
        "alone", "gain in average precision", "gain in money",
        title="What would have been caught in the 30 days after, with transfer and alone",
    )  # fmt: skip
    for p in made.points:
        figures = (p.recall, p.recall_alone, p.money, p.money_alone)
        counts = (str(p.days), *(f"{count:,}" for count in (p.labels, p.frauds, p.presumed, p.test_frauds)))
        gains = ("{:+.3f} ({:+.3f} to {:+.3f})".format(*p.gain), "{:+.1f} ({:+.1f} to {:+.1f})".format(*p.money_gain))
        table.add_row(*counts, *map(number, figures), *gains)
    console.print(table)
    console.print(made.reason)
    console.print("assumed:")
    for said in made.arrival.said():
        console.print(f"- {said}")
    if made.underpowered:
        console.print(f"fewer than {ENOUGH_FRAUDS} frauds ahead: a gain below a seventh cannot be told from chance")
    console.print("a look back at this target's own past, not a promise: it holds as far as the future is like it")
