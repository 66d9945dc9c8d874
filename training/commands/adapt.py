"""`python -m training adapt`: a candidate for one target platform from a base and few labels."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

import click
import msgspec
import numpy as np

from fraud.features.risk_tables import RiskTables
from training.commands.console import (
    FILE,
    TIME,
    bundle_key,
    cache_option,
    json_option,
    models_option,
    now,
    one_line_errors,
    partitions_option,
    progress_display,
    seed_option,
    to_us,
)
from training.commands.shop_policy import policy_option, shop_policy
from training.data.dataset import Dataset, draw_labels
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import build, count_risk, read_stream
from training.data.risk_plan import RiskPlan
from training.data.sample import MIN_FRAUDS, Sample
from training.modelling.adapt import STRATEGIES, adapt, strategy_named
from training.modelling.export import export_bundle
from training.modelling.inputs import labels_beside, matched, open_base
from training.modelling.strategies.task import AdaptOptions, Task


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of the target.

    Attributes:
        data: all of its transactions.
        sample: the labelled rows to learn from.
        frauds_counted, rows_counted: for its fraud rate.
        risk: dated tables behind its features.
    """

    data: Dataset
    sample: Sample
    frauds_counted: int
    rows_counted: int
    risk: RiskTables


@click.command("adapt")
@click.option("--target", "events", type=FILE, required=True, help="Event file, labels.parquet beside it.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--labels", type=click.IntRange(1), help="Draw this many matured labels.")
@click.option("--as-of", type=TIME, help="Use labels received by then (UTC).")
@click.option("--strategy", default="joint_distilled", show_default=True, help=f"One of {', '.join(STRATEGIES)}.")
@click.option("--from", "parent", type=click.IntRange(1), required=True, help="Version of the base.")
@click.option("--teachers", type=click.IntRange(1), help="Nets to train; as many as the base has by default.")
@policy_option
@click.option(
    "--reviews-per-day", type=click.FloatRange(min=0, min_open=True), help="Review capacity, paced by the hour."
)
@models_option
@partitions_option
@cache_option
@seed_option
@json_option
def adapt_command(
    *,
    events: Path,
    label_file: Path | None,
    labels: int | None,
    as_of: datetime | None,
    strategy: str,
    parent: int,
    teachers: int | None,
    policy_file: Path | None,
    reviews_per_day: float | None,
    root: Path,
    partitions: int,
    cache: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Adapt a base to a target platform; prints the version of the candidate."""
    if (labels is None) == (as_of is None):
        raise click.UsageError("give either --labels N or --as-of T")
    started = perf_counter()
    with one_line_errors(), progress_display() as progress:
        strategy_named(strategy)  # complains before the long work
        _, base = open_base(root, parent, bundle_key())
        path = labels_beside(events, label_file)
        if labels is not None:
            target = with_budget(events, path, labels, seed=seed, partitions=partitions, cache=cache)
        else:
            assert as_of is not None  # noqa: S101  # for mypy; checked above
            target = as_received(events, path, as_of, partitions=partitions)
        policy = shop_policy(target.data, policy_file, reviews_per_day)
        options = AdaptOptions(teachers=teachers or len(base.teachers))
        task = Task(matched(base, target.data.features), target.sample, target.data.features, seed, options, progress)
        candidate = adapt(task, strategy, frauds_counted=target.frauds_counted, rows_counted=target.rows_counted)
        version = export_bundle(
            root,
            candidate,
            identity=target.data.identity,
            created_at=now(),
            parent=parent,
            policy=policy.model_dump_json(indent=2).encode() + b"\n",
            write_risk=target.risk.to_file if target.risk.tables else None,
            key=bundle_key(),
        )
    found = {"version": version} | dict(candidate.report) | {"seconds": round(perf_counter() - started, 1)}
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo(f"version {version}: {strategy}, {len(target.sample):,} labels, {target.sample.frauds} frauds")
        click.echo(f"why: {candidate.report['why']}")


def with_budget(events: Path, labels: Path, count: int, *, seed: int, partitions: int, cache: Path | None) -> Target:
    """A drawn budget of matured labels. Risk features stay empty: their tables would know more labels than that."""
    data = build(events, labels, partitions=partitions, risk=RiskTables(), cache=cache, progress=True)
    drawn = draw_labels(data, count, seed, MIN_FRAUDS)
    known = int(data.observed.sum())
    # The fraud rate comes from the uniform draw, before frauds were exchanged in.
    uniform = np.random.default_rng(seed).permutation(np.flatnonzero(data.observed))[: min(count, known)]
    return Target(data, Sample.of(data.take(drawn)), int(data.label[uniform].sum()), count, RiskTables())


def as_received(events: Path, labels: Path, as_of: datetime, *, partitions: int) -> Target:
    """Everything that had been received by a date, dated risk tables included."""
    until = to_us(as_of)
    world = FeatureContext(partitions=partitions)
    stream = read_stream([events], labels, world)
    risk = count_risk(stream, RiskPlan(), until=until)
    data = build(events, labels, as_of=until, partitions=partitions, risk=risk, progress=True)
    sample = Sample.of(data)
    # Silence is no label yet, but it does count in the rate: known frauds alone would be all of the labels at first.
    return Target(data, sample, sample.frauds, len(data), risk)
