"""`python -m training pretrain`: a base from one or more source platforms."""

from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import click
import msgspec

from fraud.models.bundle import BASE, TrainedOn
from training.commands.console import (
    FILE,
    bundle_key,
    cache_option,
    declared_context,
    json_option,
    models_option,
    now,
    one_line_errors,
    platform_beside,
    platform_option,
    progress_display,
    seed_option,
)


@click.command("pretrain")
@click.option(
    "--source", "sources", type=FILE, multiple=True, required=True, help="Event file of a source; repeatable."
)
@click.option("--unlabelled", type=FILE, multiple=True, help="Event file of the target; its labels are not looked at.")
@click.option("--teachers", type=click.IntRange(1), default=3, show_default=True, help="Nets to train.")
@click.option("--steps", type=click.IntRange(1), default=600, show_default=True, help="Training steps of a net.")
@click.option(
    "--max-source-rows", type=click.IntRange(1000), default=400_000, show_default=True, help="Frauds all stay."
)
@models_option
@platform_option
@cache_option
@seed_option
@json_option
def pretrain_command(
    sources: tuple[Path, ...],
    unlabelled: tuple[Path, ...],
    *,
    teachers: int,
    steps: int,
    max_source_rows: int,
    root: Path,
    platform_file: Path | None,
    cache: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Pre-train nets and trees on source platforms; prints the version of the base.

    A source's own fields are declared in platform.toml beside its events, else in --platform; platforms meet by the
    names of their fields.
    """
    from training.modelling.base import save_base
    from training.modelling.export import write_version
    from training.modelling.inputs import (
        kinds_of,
        labels_beside,
        lacking,
        read_source,
        read_unlabelled,
        source_delay,
        united_names,
        without,
    )
    from training.modelling.pretrain import PretrainOptions, pretrain
    from training.registry.learnt import checksums, code_version, write_delay, write_learnt

    started = perf_counter()
    with one_line_errors(), progress_display() as progress:
        theirs = [declared_context(platform_beside(path), platform_file) for path in sources]
        ours = [declared_context(platform_file, platform_beside(path)) for path in unlabelled]
        contexts = [*theirs, *ours]
        names = united_names([context.spec.names for context in contexts])
        kinds = kinds_of(names, [context.platform for context in contexts])
        data, source = read_source(sources, theirs, names=names, cache=cache, progress=True)
        target = read_unlabelled(unlabelled, ours, names=names, cache=cache, progress=True)
        options = PretrainOptions(teachers=teachers, steps=steps, max_rows=max_source_rows)
        delay = source_delay(sources, theirs)
        base = pretrain(
            without(source, lacking(target)),
            target,
            names=names,
            kinds=kinds,
            seed=seed,
            options=options,
            progress=progress,
        )
        facts = {
            "feature_names": names,
            "strategy": BASE,
            "seed": seed,
            "prior": base.source_prior,
            "trained_on": TrainedOn(
                rows=len(source),
                frauds=source.frauds,
                options=asdict(options),
                code=code_version(),
                data=checksums([*sources, *(labels_beside(path, None) for path in sources), *unlabelled]),
            ),
        }

        def fill(path: Path) -> None:
            save_base(base, path)
            write_learnt(path, data.labelled().transaction)
            write_delay(path, delay)

        version = write_version(root, "bases", fill, facts, identity=data.identity, created_at=now(), key=bundle_key())
    seconds = round(perf_counter() - started, 1)
    found = {"version": version, "rows": len(source), "frauds": source.frauds, "unlabelled": len(target)}
    if as_json:
        click.echo(msgspec.json.encode(found | {"seconds": seconds}).decode())
    else:
        click.echo(f"base {version}: {len(source):,} rows, {source.frauds:,} frauds, {seconds:.0f} s")
