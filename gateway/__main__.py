"""`python -m gateway COMMAND`: the gateway, its keys, and labels from a file."""

from typing import Final

import click

from runtime.command_line import LazyGroup

COMMANDS: Final = {
    "run": "gateway.commands.run:run_command",
    "keys": "gateway.commands.keys:keys_command",
    "labels": "gateway.commands.labels:labels_command",
}


@click.group(cls=LazyGroup, places=COMMANDS)
def commands() -> None:
    """Answer payments over HTTP, and take in outcomes, labels and disputes."""


def main() -> None:
    """Runs the command line in a process of its own."""
    commands()


if __name__ == "__main__":
    main()
