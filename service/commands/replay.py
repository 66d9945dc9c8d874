"""`python -m service replay`: models side by side on past events."""

import click

from service.commands.console import ready


@click.command("replay")
@click.option("--from", "source", required=True, help="A .jsonl or .parquet file of events in log order, or a topic.")
@click.option("--model", "versions", type=int, multiple=True, required=True, help="Version; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def replay_command(source: str, versions: tuple[int, ...], as_json: bool) -> None:
    """Show what models would have flagged, side by side, by the service's own pipeline over past events."""
    from service.operations.replay import replay, to_json

    found = replay(ready(), source, versions)
    if as_json:
        click.echo(to_json(found))
        return
    rate = found.records / max(found.seconds, 1e-9)
    click.echo(f"{found.records} records, {found.dead_letters} dead letters, {rate:.0f} a second")
    for tally in found.tallies:
        actions = ", ".join(f"{count} {action}" for action, count in tally.actions.items())
        click.echo(
            f"model {tally.version}: {tally.transactions} transactions, {actions}; flagged money "
            f"{tally.flagged_amount:.2f} of {tally.amount:.2f}; {tally.only_here} flagged beyond the first model, "
            f"{tally.missed} fewer"
        )
