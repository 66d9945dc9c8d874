"""`python -m training import FILE --mapping MAPPING --out events.parquet`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from runtime.platform_file import read_platform
from training.commands.console import one_line_errors
from training.data.importing.mapping import load_mapping, shipped

if TYPE_CHECKING:
    from training.data.importing.importer import Imported, RejectedRows


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--mapping", "mapping_name", required=True, help=f"A TOML file, or one of: {', '.join(shipped())}.")
@click.option(
    "--platform",
    "platform_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The platform's declaration: which attributes are numbers, flags, categories, entities.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Events, as Parquet.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Take only the first rows.")
@click.option("--outcomes/--no-outcomes", default=True, help="Also write the outcomes that the mapping implies.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def import_command(
    *,
    file: Path,
    mapping_name: str,
    platform_file: Path | None,
    out: Path,
    limit: int | None,
    outcomes: bool,
    as_json: bool,
) -> None:
    """Map any table of payments to events, validate each row, and write labels and rejects beside them."""
    from training.data.importing.importer import import_file

    with one_line_errors():
        mapping = load_mapping(mapping_name)
        platform = read_platform(platform_file).platform
        if not outcomes:
            mapping = mapping.model_copy(update={"outcome": None})
        console = Console(stderr=True)
        with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task(f"importing {file.name}", total=limit)
            done = import_file(
                file, mapping, out, platform=platform, limit=limit, advance=lambda rows: progress.advance(task, rows)
            )
    if as_json:
        click.echo(json.dumps(done.as_json()))
    else:
        tell(done)


def tell(done: "Imported") -> None:
    """What became of the file, in words."""
    click.echo(
        f"{done.transactions:,} of {done.rows:,} rows to {done.events}, {done.frauds:,} frauds to {done.labels}, "
        f"{done.rejects:,} rejects to {done.rejects_file}"
    )
    if done.rejected:
        Console(width=120).print(rejects_table(done.rejected))
    for warning in done.warnings:
        click.echo(f"warning: {warning}")


def rejects_table(rejected: "tuple[RejectedRows, ...]") -> Table:
    """Rejects by reason."""
    table = Table("rejected because", title="Rows that became no events", title_justify="left")
    for name in ("rows", "first row"):
        table.add_column(name, justify="right")
    table.add_column("for example")
    for rows in rejected:
        first = "" if rows.first_row is None else f"{rows.first_row:,}"
        table.add_row(Text(rows.reason), f"{rows.rows:,}", first, Text(rows.example))
    return table
