"""`python -m training try FILE --label COLUMN`: from a file of payments to a model and a report, in one command."""

import json
from pathlib import Path
from time import perf_counter

import click

from training.commands.console import (
    FILE,
    FOLDER,
    bundle_key,
    json_option,
    now,
    one_line_errors,
    progress_display,
    seed_option,
)


@click.command("try")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--label", help="The column that says which payments were fraud; a likely one by default.")
@click.option("--mapping", "mapping_file", type=FILE, help="What the columns become; drafted by default.")
@click.option("--platform", "platform_file", type=FILE, help="What own fields are; drafted, or beside the mapping.")
@click.option("--base", type=click.IntRange(1), help="Adapt this base; by default the file's own past is learnt from.")
@click.option("--models", "root", type=FOLDER, help="The model directory; OUT/models by default.")
@click.option("--out", type=FOLDER, help="Folder of all that is written; build/try/FILE by default.")
@seed_option
@json_option
def try_command(
    *,
    file: Path,
    label: str | None,
    mapping_file: Path | None,
    platform_file: Path | None,
    base: int | None,
    root: Path | None,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Understand a file of past payments, learn from its past, test on its last part, and write a report."""
    if base is not None and root is None:
        raise click.UsageError("--base needs --models, where the base is")
    with one_line_errors():
        key = bundle_key()
    with one_line_errors(), progress_display() as progress:
        from training.trial.program import Plan, run

        folder = out or Path("build/try") / file.name.split(".")[0]
        models = root or folder / "models"
        plan = Plan(file, label, mapping_file, platform_file, models, base, folder, seed, key)
        tried = run(plan, now=now(), clock=perf_counter, progress=progress)
    if as_json:
        found = {"version": tried.version, "report": str(tried.report), "verdict": tried.verdict}
        click.echo(json.dumps({**found, **tried.figures, "warnings": tried.warnings, "peak_bytes": tried.peak_bytes}))
        return
    click.echo(tried.verdict)
    for warning in tried.warnings:
        click.echo(f"check: {warning}")
    click.echo(f"report: {tried.report} (version {tried.version}, {tried.peak_bytes / 1e9:.1f} GB of memory at most)")
    for step in tried.steps:
        click.echo(f"\n{step.title}:\n{step.commands}")
