"""`python -m training draft FILE`: a mapping and a platform's declaration for an unknown table."""

import json
from pathlib import Path

import click

from training.commands.console import FOLDER, json_option, one_line_errors, progress_display


@click.command("draft")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--label", help="The column that says which payments were fraud; a likely one by default.")
@click.option("--out", type=FOLDER, default=Path(), show_default=True, help="Folder of mapping.toml and platform.toml.")
@json_option
def draft_command(*, file: Path, label: str | None, out: Path, as_json: bool) -> None:
    """Guess what the columns of a CSV or Parquet file of payments are, and write it down to be checked."""
    from training.data.drafting.draft import draft
    from training.data.drafting.write import write_draft

    with one_line_errors(), progress_display() as progress:
        made = draft(file, label, advance=lambda share: progress(f"reading {file.name}", share))
        mapping, platform = write_draft(made, out)
    if as_json:
        columns = {row.column: row.becomes + (f" ({row.kind})" if row.kind else "") for row in made.columns}
        paths = {"mapping": str(mapping), "platform": str(platform)}
        click.echo(json.dumps({**paths, "columns": columns, "problems": made.problems, "notes": made.notes}))
    else:
        used = sum(row.used for row in made.columns)
        click.echo(f"{made.table.rows:,} rows, {used:,} of {len(made.columns):,} columns used: {mapping}, {platform}")
        for note in made.notes:
            click.echo(f"check: {note}")
    if made.problems:
        raise click.ClickException(f"{mapping} is to be mended by hand: {'; '.join(made.problems)}")
