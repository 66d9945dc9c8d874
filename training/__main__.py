"""`python -m training COMMAND`: each command lives in its own module and is imported only when it is called."""

from importlib import import_module
from typing import Final

import click

from training.process import prepare_libraries

COMMANDS: Final = {
    "import": "training.commands.import_events:import_command",
    "pretrain": "training.commands.pretrain:pretrain_command",
    "adapt": "training.commands.adapt:adapt_command",
    "evaluate": "training.commands.evaluate:evaluate_command",
    "promote": "training.commands.promote:promote_command",
    "list": "training.commands.promote:list_command",
    "rollback": "training.commands.promote:rollback_command",
    "prune": "training.commands.promote:prune_command",
    "forecast": "training.commands.forecast:forecast_command",
    "loop": "training.commands.loop:loop_command",
    "forget": "training.commands.forget:forget_command",
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
        prepare_libraries()
        try:
            return super().invoke(ctx)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise click.ClickException(f"{error.strerror or error}{where}") from error


@click.group(cls=LazyGroup)
def main() -> None:
    """Import, pre-train, adapt, evaluate, promote, and the loop that keeps doing it."""


if __name__ == "__main__":
    main(prog_name="python -m training")
