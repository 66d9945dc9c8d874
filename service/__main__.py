"""`python -m service COMMAND`: the service, and what an operator needs around it."""

from typing import Final

import click

from runtime.command_line import LazyGroup
from service.process import prepare_tensorflow

COMMANDS: Final = {
    "run": "service.commands.run:run_command",
    "check": "service.commands.check:check_command",
    "topics": "service.commands.topics:topics_command",
    "warm": "service.commands.warm:warm_command",
    "replay": "service.commands.replay:replay_command",
    "controls": "service.commands.controls:controls_command",
    "redrive": "service.commands.redrive:redrive_command",
    "forget": "service.commands.forget:forget_command",
}


@click.group(cls=LazyGroup, places=COMMANDS)
def commands() -> None:
    """Score payment events: transactions in; alerts, decisions and dead letters out."""


def main() -> None:
    """Runs the command line in a process of its own."""
    prepare_tensorflow()
    commands()


if __name__ == "__main__":
    main()
