"""The console of training's commands: options, a progress display, and errors as one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fraud.models.bundle import InvalidBundle
from runtime.errors import Misconfigured
from runtime.model_registry import RegistryError
from runtime.platform_file import PLATFORM, read_platform
from runtime.settings import revealed
from training.data.errors import (
    InvalidDataset,
)
from training.data.importing.mapping import InvalidMapping
from training.settings import load_settings

if TYPE_CHECKING:
    from training.data.feature_context import FeatureContext
    from training.modelling.train_loop import (  # loads TensorFlow, which `list` and `promote` do without
        Progress as Tell,
    )

FILE: Final = click.Path(path_type=Path, dir_okay=False)
FOLDER: Final = click.Path(path_type=Path, file_okay=False)
TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])

models_option = click.option("--models", "root", type=FOLDER, required=True, help="The model directory.")
seed_option = click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of everything drawn.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
platform_option = click.option(
    "--platform",
    "platform_file",
    type=FILE,
    help=f"The target's declaration; by default {PLATFORM} beside its events, else the standard fields.",
)
policy_option = click.option(
    "--policy", "policy_file", type=FILE, help="The shop's own policy.json instead of the default one."
)
cache_option = click.option("--cache", type=FOLDER, help="Keep replayed data sets here, by content.")


class WrongSettings(click.ClickException):
    """What a setting, a topic or a right is wrong with: trying again would not help."""

    exit_code = Misconfigured.code


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what users can mend into one line and exit code 1, or 2 where it is a setting."""
    try:
        yield
    except (InvalidDataset, InvalidMapping, InvalidBundle, RegistryError, FloatingPointError) as error:
        raise click.ClickException(str(error)) from None
    except Misconfigured as error:
        raise WrongSettings(str(error)) from None


@contextmanager
def progress_display() -> "Iterator[Tell]":
    """A bar per step on a terminal; a line per finished step elsewhere, so that logs show where time goes."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, int] = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, completed=1.0)  # type: ignore[arg-type]  # a TaskID is an int
                tasks[what] = int(bar.add_task(what, total=1.0))
            bar.update(tasks[what], completed=share)  # type: ignore[arg-type]  # a TaskID is an int

        yield tell


def _lines() -> "Tell":
    told: set[str] = set()

    def tell(what: str, _share: float) -> None:
        if what not in told:
            told.add(what)
            click.echo(what, err=True)

    return tell


def declared_context(*candidates: Path | None) -> "FeatureContext":
    """Features and rates of the platform that the first of these files declares; of the standard one without any.

    Raises:
        Misconfigured: the file cannot be used.
    """
    from training.data.feature_context import FeatureContext  # loads Numba

    declared = read_platform(next((path for path in candidates if path is not None), None))
    return FeatureContext(declared.platform, declared.rates)


def platform_beside(events: Path) -> Path | None:
    """The declaration in an event file's folder, if there is one."""
    path = events.with_name(PLATFORM)
    return path if path.is_file() else None


def bundle_key() -> str | None:
    """What models are signed under: `FRAUD_BUNDLE_KEY`, or its file; None without one.

    Raises:
        Misconfigured: it is too short, or another setting is wrong.
    """
    return revealed(load_settings().bundle_key)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time, or of a naive UTC one, as `TIME` gives it."""
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def now() -> datetime:
    """The wall clock, read at the edge and passed on."""
    return datetime.now(UTC)
