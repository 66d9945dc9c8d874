"""`python -m console COMMAND`: the analysts' page, and what an operator needs around it."""

from typing import Final

import click

from runtime.command_line import LazyGroup

COMMANDS: Final = {
    "run": "console.commands.run:run_command",
    "topics": "console.commands.topics:topics_command",
    "users": "console.commands.users:users_command",
    "rebuild": "console.commands.rebuild:rebuild_command",
}


@click.group(cls=LazyGroup, places=COMMANDS)
def commands() -> None:
    """Work alerts in a browser: a queue, cases, verdicts that become labels, rules and lists."""


def main() -> None:
    """Runs the command line in a process of its own."""
    commands()


if __name__ == "__main__":
    main()
