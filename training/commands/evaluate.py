"""`python -m training evaluate`: one or more versions on data that they have not seen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
from training.data.dataset import END_OF_TIME, Dataset, InvalidDataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import Stream, from_stream, read_stream
from training.evaluation.evaluate import Json, Model, check_features, compare, evaluate, scores_of, to_scored
from training.evaluation.report import ORDER, evaluation_report, number
from training.evaluation.scores import Scored
from training.modelling.inputs import labels_beside
from training.registry.versions import find


@dataclass(frozen=True, slots=True)
class Measured:
    """One version's outcome."""

    model: Model
    scored: Scored
    figures: Json

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"v{self.model.version} {self.model.manifest.strategy}"


@click.command("evaluate")
@click.option("--version", "numbers", type=int, multiple=True, required=True, help="Repeat it to compare versions.")
@click.option("--data", "events", type=FILE, required=True, help="Event file, labels.parquet beside it.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--since", type=TIME, help="First event time (UTC).")
@click.option("--until", type=TIME, help="End of the period (UTC).")
@click.option("--as-of", type=TIME, help="Use labels received by then (UTC); all, and silence matured, by default.")
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
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
    sources: Sequence[Path],
    out: Path | None,
    root: Path,
    seed: int,
    as_json: bool,
) -> None:
    """Measure versions on a period of payments, features as the service builds them, labels as of a time."""
    with one_line_errors():
        models = [Model.read(find(root, number)[1], bundle_key()) for number in numbers]
        known_at = END_OF_TIME if as_of is None else to_us(as_of)
        stream, world = open_stream(events, labels_beside(events, label_file), models)
        done = [measure(m, stream, world, period=(since, until), as_of=known_at, seed=seed) for m in models]
    differences = compare(done[0].scored, {m.name: m.scored.score for m in done[1:]}, seed=seed)
    document: Json = {
        "data": str(events),
        "sources": list(stream.sources),
        "since": iso(since),
        "until": iso(until),
        "as_of": iso(as_of),
        "models": {str(m.model.version): m.figures | {"strategy": m.model.manifest.strategy} for m in done},
        "differences": differences,
    }
    if out is not None:
        with one_line_errors():
            write(out, document, done, differences=differences, domains=by_domain(done[0], sources, world))
    if as_json:
        # One version: its figures at the top level, where scripts look for them.
        click.echo(json.dumps({"version": numbers[0]} | done[0].figures | document if len(done) == 1 else document))
    else:
        Console(stderr=False, width=120).print(table(done))


def open_stream(events: Path, labels: Path, models: Sequence[Model]) -> tuple[Stream, FeatureContext]:
    """The stream as these versions must see it.

    Raises:
        InvalidDataset: they were made for different partitions or currencies.
    """
    demands = {(m.manifest.partitions, m.manifest.base_currency) for m in models}
    if len(demands) > 1:
        raise InvalidDataset("these versions were made for different partitions or currencies: evaluate them apart")
    world = FeatureContext(partitions=models[0].manifest.partitions)
    if world.money.base != models[0].manifest.base_currency:
        raise InvalidDataset(f"version {models[0].version} counts in {models[0].manifest.base_currency}, not in EUR")
    return read_stream([events], labels, world), world


def measure(
    model: Model,
    stream: Stream,
    world: FeatureContext,
    *,
    period: tuple[datetime | None, datetime | None],
    as_of: int,
    seed: int,
) -> Measured:
    """One version on one period. Its own risk tables are used: what it ships is what it would see."""
    dataset = from_stream(stream, world, as_of=as_of, risk=model.risk, progress=True)
    check_features(model, dataset)
    chosen: Dataset = dataset.between(*(None if t is None else to_us(t) for t in period)).labelled()
    scored = to_scored(chosen, scores_of(model.path, chosen.features))
    return Measured(model, scored, evaluate(scored, model.policy, seed=seed))


def by_domain(measured: Measured, sources: Sequence[Path], world: FeatureContext) -> dict[str, Scored]:
    """The evaluated payments and each source's, all scored by the same version."""
    domains = {"these payments": measured.scored}
    for path in sources:
        stream = read_stream([path], labels_beside(path, None), world)
        known = from_stream(stream, world, risk=measured.model.risk, progress=True).labelled()
        name = path.parent.name or path.name
        domains[name] = to_scored(known, scores_of(measured.model.path, known.features))
    return domains


def write(
    out: Path, document: Json, done: Sequence[Measured], *, differences: Json, domains: Mapping[str, Scored]
) -> None:
    """metrics.json and report.html."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    report = evaluation_report(
        {m.name: (m.scored, m.model.policy) for m in done},
        {m.name: m.figures for m in done},
        differences,
        title=f"Evaluation of version {done[0].model.version}",
        lead=f"{document['data']}, {document['since'] or 'start'} to {document['until'] or 'end'}, labels as of "
        f"{document['as_of'] or 'the end of time'}",
        domains=domains,
    )
    (out / "report.html").write_text(report, encoding="utf-8")


def table(done: Sequence[Measured]) -> Table:
    """The figures side by side."""
    shown = Table("figure", *(m.name for m in done))
    for name, words in ORDER.items():
        shown.add_row(words, *(number(m.figures.get(name)) for m in done))
    if done[0].figures["underpowered"]:
        shown.caption = "underpowered: fewer than 600 frauds"
    return shown


def iso(moment: datetime | None) -> str | None:
    """A naive UTC time as ISO 8601 with offset."""
    return None if moment is None else moment.replace(tzinfo=UTC).isoformat()
