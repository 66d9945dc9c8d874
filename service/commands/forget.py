"""`python -m service forget`: a customer's erasure."""

import click

from service.commands.console import ready


@click.command("forget")
@click.argument("customer_id")
@click.option("--yes", is_flag=True, help="Really erase; without it, only say what would be.")
def forget_command(customer_id: str, yes: bool) -> None:
    """Erase a customer's id from dead letters and snapshots; services must be stopped."""
    from service.operations.erasure import erase

    settings = ready()
    found = erase(settings, customer_id, really=yes)
    click.echo(f"{found.dead_letters} dead letters {'erased' if yes else 'would be erased'}")
    click.echo(f"{found.snapshots} snapshots {'removed' if yes else 'would be removed'}, to be built anew from the log")
    click.echo(
        f"the id leaves {settings.transactions_topic} itself within {settings.retention_days} days of its last event"
    )
