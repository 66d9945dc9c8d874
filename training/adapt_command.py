"""`python -m training adapt`: a candidate for one target platform from a base and few labels."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import click
import msgspec
import numpy as np
import numpy.typing as npt

from fraud.bundle import BASE, read_manifest, verify_files
from fraud.pacing import HOURS, Capacity
from fraud.policy import InvalidPolicy, Policy
from fraud.risk import RiskTables
from training.adapt import STRATEGIES, adapt
from training.adapt_inputs import labels_beside, lacking, without
from training.console import (
    FILE,
    cache_option,
    json_option,
    models_option,
    now,
    one_line_errors,
    partitions_option,
    progress_display,
    seed_option,
)
from training.datasets import Dataset, InvalidDataset, RiskPlan, World, build, count_risk, draw_labels, read_stream
from training.export import export_bundle
from training.pretrained import Base, load_base
from training.registry import find
from training.sample import MIN_FRAUDS, Sample
from training.strategies.task import AdaptOptions, Task

HOUR_US = 3_600_000_000
MONDAY_US = 4 * 24 * HOUR_US  # 1970-01-01 was a Thursday


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
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Use labels received by then (UTC)."
)
@click.option("--strategy", default="joint_distilled", show_default=True, help=f"One of {', '.join(STRATEGIES)}.")
@click.option("--from", "parent", type=click.IntRange(1), required=True, help="Version of the base.")
@click.option("--teachers", type=click.IntRange(1), help="Nets to train; as many as the base has by default.")
@click.option("--policy", "policy_file", type=FILE, help="The shop's own policy.json instead of the default one.")
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
        base = open_base(root, parent)
        path = labels_beside(events, label_file)
        if labels is not None:
            target = with_budget(events, path, labels, seed=seed, partitions=partitions, cache=cache)
        else:
            assert as_of is not None  # noqa: S101  # for mypy; checked above
            target = as_received(events, path, as_of, partitions=partitions)
        policy = policy_for(target.data, policy_file, reviews_per_day)
        absent = lacking(target.data.features)
        matched = replace(base, source=without(base.source, absent), held_out=without(base.held_out, absent))
        options = AdaptOptions(teachers=teachers or len(base.teachers))
        task = Task(matched, target.sample, target.data.features, seed, options, progress)
        candidate = adapt(task, strategy, frauds_counted=target.frauds_counted, rows_counted=target.rows_counted)
        version = export_bundle(
            root,
            candidate,
            identity=target.data.identity,
            created_at=now(),
            parent=parent,
            policy=policy.model_dump_json(indent=2).encode() + b"\n",
            write_risk=target.risk.to_file if target.risk.tables else None,
        )
    found = {"version": version} | dict(candidate.report) | {"seconds": round(perf_counter() - started, 1)}
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo(f"version {version}: {strategy}, {len(target.sample):,} labels, {target.sample.frauds} frauds")
        click.echo(f"why: {candidate.report['why']}")


def open_base(root: Path, version: int) -> Base:
    """The base of that version, its files verified."""
    area, path = find(root, version)
    manifest = read_manifest(path)
    if area != "bases" or manifest.strategy != BASE:
        raise InvalidDataset(f"version {version} is not a base; give --from the number that pretrain printed")
    verify_files(path, manifest)
    return load_base(path)


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
    until = int(as_of.replace(tzinfo=UTC).timestamp() * 1e6)
    world = World(partitions=partitions)
    stream = read_stream([events], labels, world)
    risk = count_risk(stream, RiskPlan(), until=until)
    data = build(events, labels, as_of=until, partitions=partitions, risk=risk, progress=True)
    sample = Sample.of(data)
    # Silence is no label yet, but it does count in the rate: known frauds alone would be all of the labels at first.
    return Target(data, sample, sample.frauds, len(data), risk)


def policy_for(data: Dataset, file: Path | None, reviews_per_day: float | None) -> Policy:
    """The shop's own policy or the default one, with the review capacity paced like the target's payments."""
    try:
        own = Policy.parse(file.read_bytes()) if file else Policy.default(data.identity.base_currency)
    except InvalidPolicy as error:
        raise InvalidDataset(f"{file}: {error}") from None
    if own.base_currency != data.identity.base_currency:
        raise InvalidDataset(f"{file}: money in {own.base_currency}, features in {data.identity.base_currency}")
    if reviews_per_day is None:
        return own
    capacity = Capacity(per_day=reviews_per_day, weights=hourly_weights(data.time))
    return Policy.from_costs(
        own.costs,
        base_currency=own.base_currency,
        actions=own.actions,
        flag_from=own.flag_from,
        review_capacity=capacity,
    )


def hourly_weights(time: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """Share of payments in each hour of the week (UTC, from Monday), smoothed by one payment an hour."""
    hour = (time - MONDAY_US) // HOUR_US % HOURS
    counts = np.bincount(hour, minlength=HOURS) + 1.0
    return tuple(float(round(w, 6)) for w in counts / counts.mean())
