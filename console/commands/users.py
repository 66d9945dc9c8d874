"""`python -m console users`: who may log in."""

import sys

import click

from console.accounts.roles import Role
from console.accounts.store import Accounts
from console.settings import load_settings
from runtime.errors import Misconfigured


@click.group("users")
def users_command() -> None:
    """Add, list and remove users; they take effect at once, while the console runs."""


@users_command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.name for role in Role]), required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
def add_command(*, name: str, role: str, password_stdin: bool) -> None:
    """Add a user, or change role and password of one."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    _accounts().put_user(name, Role[role], password)
    click.echo(f"{name}: {role}")


@users_command.command("list")
def list_command() -> None:
    """List who may log in."""
    for user in _accounts().users():
        click.echo(f"{user.name}\t{user.role.name}")


@users_command.command("remove")
@click.argument("name")
def remove_command(name: str) -> None:
    """Shut a user out; open sessions end."""
    if not _accounts().remove_user(name):
        raise Misconfigured(f"there is no user {name}")
    click.echo(f"{name}: removed")


def _accounts() -> Accounts:
    return Accounts(load_settings().console_data_dir / "accounts.db")
