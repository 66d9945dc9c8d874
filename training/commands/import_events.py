"""`python -m training import FILE --mapping MAPPING --out events.parquet`."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from training.data.importing.mapping import InvalidMapping, load_mapping, shipped


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--mapping", "mapping_name", required=True, help=f"A TOML file, or one of: {', '.join(shipped())}.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Events, as Parquet.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Take only the first rows.")
@click.option("--outcomes/--no-outcomes", default=True, help="Also write the outcomes that the mapping implies.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def import_command(
    *, file: Path, mapping_name: str, out: Path, limit: int | None, outcomes: bool, as_json: bool
) -> None:
    """Map any table of payments to events, validate each row, and write labels and rejects beside them."""
    from training.data.importing.importer import import_file

    try:
        mapping = load_mapping(mapping_name)
        if not outcomes:
            mapping = mapping.model_copy(update={"outcome": None})
        console = Console(stderr=True)
        with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task(f"importing {file.name}", total=limit)
            done = import_file(file, mapping, out, limit=limit, advance=lambda rows: progress.advance(task, rows))
    except InvalidMapping as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(done.as_json()))
    else:
        click.echo(
            f"{done.transactions:,} of {done.rows:,} rows to {done.events}, {done.frauds:,} frauds to {done.labels}, "
            f"{done.rejects:,} rejects to {done.rejects_file}"
        )
