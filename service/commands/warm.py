"""`python -m service warm`: snapshots made ahead of a start."""

import click

from service.commands.console import ready


@click.command("warm")
def warm_command() -> None:
    """Build a snapshot of every partition's history from the topic, beside or before a running service."""
    from service.operations.snapshot_builder import build_snapshots

    settings = ready()
    for built in build_snapshots(settings):
        complete = "complete" if built.complete else "shorter than the horizon"
        click.echo(f"partition {built.partition}: position {built.position}, {built.events} events, {complete}")
