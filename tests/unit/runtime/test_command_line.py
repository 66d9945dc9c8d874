"""Every failure of a command is one line and an exit code; a command is loaded when it is called."""

import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from runtime.command_line import LazyGroup
from runtime.errors import Fenced, Misconfigured, Unavailable

FAILURES: dict[str, BaseException] = {
    "misconfigured": Misconfigured("FRAUD_X is wrong"),
    "unavailable": Unavailable("no broker answers"),
    "fenced": Fenced("another process"),
    "full": OSError(28, "No space left on device", "/data/file"),
    "system": OSError("no such thing"),
    "interrupted": KeyboardInterrupt(),
}


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


for name, failure in FAILURES.items():
    setattr(sys.modules[__name__], name, click.command(name)(raising(failure)))


@click.group(cls=LazyGroup, places={name: f"{__name__}:{name}" for name in FAILURES} | {"absent": "no.such:thing"})
def program() -> None:
    """A program."""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("misconfigured", 2, "Error: FRAUD_X is wrong"),
        ("unavailable", 1, "Error: no broker answers"),
        ("fenced", 4, "Error: another process"),
        ("full", 1, "Error: No space left on device (/data/file)"),
        ("system", 1, "Error: no such thing"),
    ],
)
def test_a_failure_is_one_line_and_its_exit_code(name: str, code: int, line: str) -> None:
    result = call(name)
    assert (result.exit_code, result.output.splitlines()) == (code, [line])


def test_an_interrupted_command_ends_as_shells_expect() -> None:
    assert call("interrupted").exit_code == 130


def test_a_command_is_loaded_when_it_is_called_and_not_before() -> None:
    assert call("--no-such-option").exit_code == 2
    with pytest.raises(ModuleNotFoundError, match="no"):
        program.get_command(click.Context(program), "absent")


def test_an_unknown_command_is_a_usage_error() -> None:
    result = call("nonsense")
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.output
