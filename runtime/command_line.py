"""The command line of every program: commands are loaded on use, errors are one line and an exit code."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

from runtime.errors import ServiceError

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""


class LazyGroup(click.Group):
    """A group that imports a command's module on use: TensorFlow and LightGBM take seconds, `--help` should not.

    Args:
        places: command -> `module:attribute`, in the order in which one uses them.
        options: click's own.
    """

    def __init__(self, places: Mapping[str, str], **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(**options)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands, in order."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name, or None."""
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; its own errors, and what the operating system refuses (a full disk), become one line."""
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            raise _one_line(str(error), error.code) from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise _one_line(f"{error.strerror or error}{where}", ServiceError.code) from error
        except (KeyboardInterrupt, click.Abort):
            raise click.exceptions.Exit(INTERRUPTED) from None


def _one_line(text: str, code: int) -> click.ClickException:
    failure = click.ClickException(text)
    failure.exit_code = code  # type: ignore[misc] # click reads it from the instance
    return failure
