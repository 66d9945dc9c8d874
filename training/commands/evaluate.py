"""`python -m training evaluate`: one or more versions on data that they have not seen."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from training.commands.console import (
    FILE,
    FOLDER,
    TIME,
    bundle_key,
    json_option,
    models_option,
    one_line_errors,
    seed_option,
    to_us,
)

if TYPE_CHECKING:
    from training.evaluation.side_by_side import Measured


@click.command("evaluate")
@click.option("--version", "numbers", type=int, multiple=True, required=True, help="Repeat it to compare versions.")
@click.option("--data", "events", type=FILE, required=True, help="Event file, labels.parquet beside it.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--platform", "platform_file", type=FILE, help="Where the versions' own rates lie beside.")
@click.option("--since", type=TIME, help="First event time (UTC).")
@click.option("--until", type=TIME, help="End of the period (UTC).")
@click.option("--as-of", type=TIME, help="Use labels received by then (UTC); now by default.")
@click.option(
    "--labels-final", is_flag=True, help="All labels are there: whatever is silent is genuine, however young."
)
@click.option(
    "--include-training-rows", "in_sample", is_flag=True, help="Measure also on what was learnt from: too good figures."
)
@click.option("--source", "sources", type=FILE, multiple=True, help="A source's event file: its scores in the report.")
@click.option("--out", type=FOLDER, help="Write metrics.json and report.html there.")
@models_option
@seed_option
@json_option
def evaluate_command(
    *,
    numbers: Sequence[int],
    events: Path,
    label_file: Path | None,
    platform_file: Path | None,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
    labels_final: bool,
    in_sample: bool,
    sources: Sequence[Path],
    out: Path | None,
    root: Path,
    seed: int,
    as_json: bool,
) -> None:
    """Measure versions on a period of payments, features as the service builds them, labels as of a time.

    Payments that a version learnt from are left out.
    """
    from training.commands.target import known_from
    from training.data.dataset import END_OF_TIME
    from training.evaluation.evaluate import Json, Model, compare
    from training.evaluation.side_by_side import by_domain, measure, measured_on, open_stream, write
    from training.modelling.inputs import labels_beside
    from training.registry.learnt import Learnt
    from training.registry.versions import find

    if labels_final and as_of is not None:
        raise click.UsageError("give either --as-of T or --labels-final")

    period = (None if since is None else to_us(since), None if until is None else to_us(until))
    with one_line_errors():
        models = [Model.read(find(root, number)[1], bundle_key()) for number in numbers]
        learnt = Learnt() if in_sample else Learnt.of(root, *numbers)
        stream, context = open_stream(events, labels_beside(events, label_file), models, platform_file=platform_file)
        known_at = END_OF_TIME if labels_final else known_from(as_of, stream)
        done = [measure(m, stream, context, period=period, as_of=known_at, seed=seed, learnt=learnt) for m in models]
    differences = compare(done[0].scored, {m.name: m.scored.score for m in done[1:]}, seed=seed)
    document: Json = {
        "data": str(events),
        "sources": list(stream.sources),
        "since": iso(since),
        "until": iso(until),
        "as_of": None if known_at == END_OF_TIME else datetime.fromtimestamp(known_at / 1e6, UTC).isoformat(),
        "in_sample": in_sample,
        "left_out": done[0].left_out,
        "models": {str(m.model.version): m.figures | {"strategy": m.model.manifest.strategy} for m in done},
        "differences": differences,
    }
    if out is not None:
        with one_line_errors():
            write(out, document, done, differences=differences, domains=by_domain(done[0], sources, context))
    if as_json:
        # One version: its figures at the top level, where scripts look for them.
        click.echo(json.dumps({"version": numbers[0]} | done[0].figures | document if len(done) == 1 else document))
    else:
        Console(stderr=False, width=120).print(table(done))
        click.echo(measured_on(document))


def table(done: "Sequence[Measured]") -> Table:
    """The figures side by side."""
    from training.evaluation.report import ORDER, number

    shown = Table("figure", *(m.name for m in done))
    for name, words in ORDER.items():
        shown.add_row(words, *(number(m.figures.get(name)) for m in done))
    if done[0].figures["underpowered"]:
        shown.caption = "underpowered: fewer than 600 frauds"
    return shown


def iso(moment: datetime | None) -> str | None:
    """A naive UTC time as ISO 8601 with offset."""
    return None if moment is None else moment.replace(tzinfo=UTC).isoformat()
