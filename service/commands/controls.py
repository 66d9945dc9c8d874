"""`python -m service controls`: rules, lists, conditions and levers, written and looked at."""

import csv
import getpass
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fraud.contracts.controls import Control, Status
from runtime.command_line import LazyGroup
from runtime.errors import Misconfigured
from service.commands.console import ready

if TYPE_CHECKING:
    from runtime.kafka.controls_log import ControlsWriter
    from service.settings import Settings

_HERE = "service.commands.controls"
COMMANDS = {
    name: f"{_HERE}:{name}_command"
    for name in ("put", "show", "log", "names", "approve", "pause", "expire", "import", "export")
} | {"follow-labels": f"{_HERE}:follow_labels_command"}


def _by(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--by", default=getpass.getuser, show_default="your login", help="Who does it.")(command)


@click.group("controls", cls=LazyGroup, places=COMMANDS)
def controls_command() -> None:
    """Rules, lists, conditions and levers beside the model, live within two seconds."""


@click.command("put")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_by
def put_command(file: Path, by: str) -> None:
    """Write the controls of a TOML file, each as a new version."""
    from service.operations.controls.files import controls_of

    with _writer() as (settings, writer):
        _put(settings, writer, controls_of(file, by=by, now=datetime.now(UTC)))


@click.command("show")
@click.argument("control_id", required=False)
@click.option("--status", type=click.Choice(["draft", "shadow", "live", "paused", "archived"]), help="Only these.")
def show_command(control_id: str | None, status: Status | None) -> None:
    """Show one control, or all, as `put` reads them."""
    from service.operations.controls.files import to_toml

    with _writer() as (_, writer):
        current = writer.refresh().current()
        chosen = [_known(current.get(control_id), control_id)] if control_id else list(current.values())
        click.echo("\n".join(to_toml(each) for each in chosen if status in {None, each.status}))


@click.command("log")
@click.argument("control_id", required=False)
def log_command(control_id: str | None) -> None:
    """Show every version ever written, those that do not count with the reason."""
    from runtime.kafka.client import Cluster
    from runtime.kafka.controls_log import ControlsReader
    from service.operations.controls.log import lines

    settings = ready()
    reader = ControlsReader(Cluster.of(settings), settings.controls_topic)
    try:
        for line in lines(reader.to_end(), control_id):
            click.echo(line)
    finally:
        reader.close()


@click.command("names")
@click.argument("containing", default="")
def names_command(containing: str) -> None:
    """List what rules may use, with type, meaning and an example."""
    from service.bootstrap import rulebook

    click.echo(rulebook(ready()).vocabulary.table(containing))


@click.command("approve")
@click.argument("control_id")
@_by
@click.option("--reason", help="Why; by default the author's.")
def approve_command(control_id: str, by: str, reason: str | None) -> None:
    """Approve the present content of a control and let it go live."""
    _change(control_id, {"status": "live", "approver": by} | ({"reason": reason} if reason else {}))


@click.command("pause")
@click.argument("control_id")
@_by
@click.option("--reason", required=True, help="Why.")
def pause_command(control_id: str, by: str, reason: str) -> None:
    """Stop a control from acting, until it is put or approved again."""
    _change(control_id, {"status": "paused", "author": by, "reason": reason})


@click.command("expire")
@click.argument("control_id")
@_by
@click.option("--reason", required=True, help="Why.")
@click.option("--at", type=click.DateTime(), help="Event time (UTC) from which on it does not act; by default now.")
def expire_command(control_id: str, by: str, reason: str, at: datetime | None) -> None:
    """Give a control an end."""
    end = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    _change(control_id, {"valid_until": end, "author": by, "reason": reason})


@click.command("import")
@click.argument("list_name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as", "prefix", required=True, help="Id of the entries, each with a number behind it.")
@click.option("--reason", required=True, help="Why.")
@click.option("--until", type=click.DateTime(), help="Event time (UTC) when they expire; by default never.")
@_by
def import_command(*, list_name: str, file: Path, prefix: str, reason: str, until: datetime | None, by: str) -> None:
    """Put the first column of a CSV file into a list."""
    from service.operations.controls.files import list_entries

    end = until.replace(tzinfo=UTC) if until else None
    entries = list_entries(file, list_name, prefix=prefix, by=by, reason=reason, until=end, now=datetime.now(UTC))
    with _writer() as (settings, writer):
        _put(settings, writer, entries)


@click.command("export")
@click.argument("list_name")
def export_command(list_name: str) -> None:
    """Write the live values of a list as CSV: value, control, end."""
    from service.operations.controls.files import list_rows

    with _writer() as (_, writer):
        csv.writer(sys.stdout).writerows(list_rows(writer.refresh().current(), list_name))


@click.command("follow-labels")
@click.option("--once", is_flag=True, help="End when all that is there now is done.")
def follow_labels_command(*, once: bool) -> None:
    """Keep the list `confirmed` of what confirmed frauds had: in within seconds of the label, out on its reversal.

    Runs until told to stop (SIGTERM); one process is enough, and a second one changes nothing.
    """
    from runtime.clock import SystemClock
    from runtime.shutdown import Shutdown
    from service.operations.controls.follow_labels import follow_labels

    settings = ready()
    stop = Shutdown(seconds=settings.shutdown.total_seconds(), monotonic=SystemClock().monotonic)
    with stop.on_signals():
        follow_labels(settings, stop, once=once)


@contextmanager
def _writer() -> Iterator[tuple["Settings", "ControlsWriter"]]:
    from runtime.kafka.client import Cluster
    from runtime.kafka.controls_log import ControlsWriter

    settings = ready()
    writer = ControlsWriter(Cluster.of(settings), settings.controls_topic)
    try:
        yield settings, writer
    finally:
        writer.close()


def _put(settings: "Settings", writer: "ControlsWriter", controls: list[Control]) -> None:
    from service.operations.controls.check import check_controls

    check_controls(settings, controls)  # all of them before the first is written
    for control in controls:
        click.echo(f"{control.name} {control.status} at offset {writer.put(control)}")


def _change(control_id: str, changes: Mapping[str, object]) -> None:
    """Writes the present version with some fields changed."""
    with _writer() as (settings, writer):
        present = _known(writer.refresh().current().get(control_id), control_id)
        facts = {**present.model_dump(), "version": present.version + 1, "written_at": datetime.now(UTC), **changes}
        _put(settings, writer, [Control.model_validate(facts)])


def _known(control: Control | None, control_id: str | None) -> Control:
    if control is None:
        raise Misconfigured(f"there is no control {control_id}; `controls show` lists them")
    return control
