"""`python -m training adapt`: a candidate for one target platform from a base and few labels."""

from datetime import datetime
from pathlib import Path
from time import perf_counter

import click
import msgspec

from training.commands.console import (
    FILE,
    TIME,
    bundle_key,
    cache_option,
    declared_context,
    json_option,
    models_option,
    now,
    one_line_errors,
    platform_beside,
    platform_option,
    policy_option,
    progress_display,
    seed_option,
    to_us,
)
from training.modelling.strategies import DEFAULT, STRATEGIES


@click.command("adapt")
@click.option("--target", "events", type=FILE, required=True, help="Event file, labels.parquet beside it.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--labels", type=click.IntRange(1), help="Draw this many matured labels.")
@click.option("--as-of", type=TIME, help="Use labels received by then (UTC).")
@click.option("--strategy", default=DEFAULT, show_default=True, help=f"One of {', '.join(STRATEGIES)}.")
@click.option("--from", "parent", type=click.IntRange(1), required=True, help="Version of the base.")
@click.option("--teachers", type=click.IntRange(1), help="Nets to train; as many as the base has by default.")
@click.option("--self-supervised", is_flag=True, help="auto also weighs a net that was pre-trained without labels.")
@click.option("--surprise", is_flag=True, help="Models also read how unlikely a payment is given its history.")
@policy_option
@click.option(
    "--reviews-per-day", type=click.FloatRange(min=0, min_open=True), help="Review capacity, paced by the hour."
)
@models_option
@platform_option
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
    self_supervised: bool,
    surprise: bool,
    policy_file: Path | None,
    reviews_per_day: float | None,
    root: Path,
    platform_file: Path | None,
    cache: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Adapt a base to a target platform; prints the version of the candidate."""
    if (labels is None) == (as_of is None):
        raise click.UsageError("give either --labels N or --as-of T")
    if self_supervised and strategy != DEFAULT:
        raise click.UsageError(f"--self-supervised is weighed by {DEFAULT}, not by {strategy}: leave one of them out")
    from training.commands.target import as_received, with_budget
    from training.data.declines import declined
    from training.data.sample import check_trainable
    from training.evaluation.shop_policy import shop_policy
    from training.modelling.adapt import adapt, strategy_named
    from training.modelling.export import export_bundle, learnt_from
    from training.modelling.inputs import labels_beside, matched, open_base
    from training.modelling.strategies.task import AdaptOptions, Task
    from training.registry.learnt import checksums, read_delay

    started = perf_counter()
    with one_line_errors(), progress_display() as progress:
        strategy_named(strategy)  # complains before the long work
        _, base = open_base(root, parent, bundle_key())
        context = declared_context(platform_file, platform_beside(events))
        path = labels_beside(events, label_file)
        if labels is not None:
            target = with_budget(events, path, labels, seed=seed, context=context, cache=cache)
        else:
            assert as_of is not None  # noqa: S101  # for mypy; checked above
            delay = read_delay(root, parent)
            target = as_received(events, path, to_us(as_of), context=context, source=delay, seed=seed)
        check_trainable(target.sample, "target")
        policy = shop_policy(target.data, policy_file, reviews_per_day)
        options = AdaptOptions(
            teachers=teachers or len(base.teachers), weigh_self_supervised=self_supervised, surprise=surprise
        )
        data = target.data
        task = Task(matched(base, data), target.sample, data.features, seed, options, progress, declined=declined(data))
        candidate = adapt(task, strategy, frauds_counted=target.frauds_counted, rows_counted=target.rows_counted)
        facts = {"data": checksums([events, path])}
        version = export_bundle(
            root,
            learnt_from(candidate, target.data, target.learnt, as_received=target.as_received, facts=facts),
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
