"""`python -m training COMMAND`: each command lives in its own module and is imported only when it is called."""

from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "simulate": "training.simulate.cli:simulate_command",
    "import": "training.import_events.cli:import_command",
    "pretrain": "training.pretrain_command:pretrain_command",
    "adapt": "training.adapt_command:adapt_command",
    "evaluate": "training.evaluate_command:evaluate_command",
    "promote": "training.promote_command:promote_command",
    "list": "training.promote_command:list_command",
    "rollback": "training.promote_command:rollback_command",
    "prune": "training.promote_command:prune_command",
    "forecast": "training.forecast_command:forecast_command",
    "loop": "training.loop.cli:loop_command",
    "forget": "training.forget_command:forget_command",
}


class LazyGroup(click.Group):
    """Imports a command's module on use: TensorFlow and LightGBM take seconds, `--help` should not."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The commands, in the order in which one uses them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; what the operating system refuses (a full disk, a missing permission) becomes one line."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise click.ClickException(f"{error.strerror or error}{where}") from error


@click.group(cls=LazyGroup)
def main() -> None:
    """Simulate, import, pre-train, adapt, evaluate, promote, and the loop that keeps doing it."""


if __name__ == "__main__":
    main(prog_name="python -m training")
