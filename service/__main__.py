"""`python -m service`: run, and what an operator needs around it."""

import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import structlog

from fraud.contracts.inbound import Reason
from runtime.errors import ServiceError
from runtime.logging import configure_logs
from service.process import skip_keras_import
from service.settings import Settings, load_settings

_log = structlog.get_logger("service")

INTERNAL_ERROR = 1


def main() -> None:
    """Runs the command line; every failure is one line and an exit code."""
    skip_keras_import()
    try:
        commands(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except ServiceError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.code)
    except OSError as error:
        click.echo(f"error: {error.filename or 'system'}: {error.strerror or error}", err=True)
        sys.exit(INTERNAL_ERROR)


@click.group(help="Scores payment events: transactions in; alerts, decisions and dead letters out.")
def commands() -> None:
    """The commands."""


def ready() -> Settings:
    """This process's settings, with logs configured."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return settings


@commands.command()
def run() -> None:
    """Score transactions until told to stop (SIGTERM).

    Exit codes: 0 stopped in order, 1 past the deadline or an error, uncommitted, 2 wrong settings, 3 too many dead
    letters, 4 another process has this instance's id.
    """
    from service.bootstrap import serve

    settings = ready()
    try:
        serve(settings)
    except ServiceError as error:
        _log.error("stopped", error=str(error), code=error.code)
        sys.exit(error.code)
    except Exception:  # noqa: BLE001 - the last resort: a line in the log instead of a bare traceback
        _log.exception("stopped by an error of the program; nothing of the batch in hand is committed")
        sys.exit(INTERNAL_ERROR)


@commands.command()
def topics() -> None:
    """Create the topics that are missing, with the right configuration; may be run again."""
    from runtime.kafka.client import Cluster
    from runtime.kafka.topics import TopicAdmin
    from service.topics import wanted_topics

    settings = ready()
    for name, done in TopicAdmin(Cluster.of(settings)).create(wanted_topics(settings)).items():
        click.echo(f"{done:8} {name}")


@commands.command()
def warm() -> None:
    """Build a snapshot of every partition's history from the topic, beside or before a running service."""
    from service.commands.warm import warm as each

    settings = ready()
    for made in each(settings):
        complete = "complete" if made.complete else "shorter than the horizon"
        click.echo(f"partition {made.partition}: position {made.position}, {made.events} events, {complete}")


@commands.command()
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([reason.value for reason in Reason]),
    help="Only these; may be repeated.",
)
@click.option("--since", type=click.DateTime(), help="Set aside at or after this time (UTC).")
@click.option("--until", type=click.DateTime(), help="Set aside before this time (UTC).")
@click.option("--offsets", type=(int, int), help="First and last offset in the source topic.")
@click.option("--attempts", default=3, show_default=True, help="Leave those that were redriven as often as this.")
@click.option(
    "--record", type=click.Path(path_type=Path),
    help="File that lists what was redriven; letters in it are left. By default redriven.jsonl in FRAUD_SNAPSHOTS_DIR.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
def redrive(
    *,
    reasons: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    offsets: tuple[int, int] | None,
    attempts: int,
    record: Path | None,
    dry_run: bool,
) -> None:
    """Send dead letters to where they came from again, with their own key."""
    from runtime.kafka.client import Cluster
    from service.adapters.kafka.group import Reader
    from service.commands import redrive as letters

    settings = ready()
    record = record or settings.snapshots_dir / "redriven.jsonl"
    selection = letters.Selection(frozenset(map(Reason, reasons)), _utc(since), _utc(until), offsets, attempts)
    before = letters.recorded(record)
    with closing(Reader(Cluster.of(settings), settings.dlq_topic)) as reader:
        found = list(letters.select(reader, selection, before))
    chosen = [letter for letter in found if letter.facts.source_topic == settings.transactions_topic]
    for reason, count in sorted(Counter(letter.facts.reason for letter in chosen).items()):
        click.echo(f"{count:8} {reason}")
    if len(chosen) < len(found):
        click.echo(f"{len(found) - len(chosen)} letters came from elsewhere than {settings.transactions_topic}: left")
    doubtful = sum(letter.origin in before.doubtful for letter in chosen)
    if doubtful:
        click.echo(f"{doubtful} may have been sent by a run that stopped; the service drops what it has scored before")
    if dry_run:
        click.echo(f"{len(chosen)} letters would be sent")
        return
    now = datetime.now(UTC)
    sent = letters.redrive(Cluster.of(settings), chosen, record, topic=settings.transactions_topic, now=now)
    click.echo(f"{sent} letters sent, recorded in {record}")


@commands.command()
@click.option("--from", "source", required=True, help="A .jsonl or .parquet file of events in log order, or a topic.")
@click.option("--model", "versions", type=int, multiple=True, required=True, help="Version; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def replay(source: str, versions: tuple[int, ...], as_json: bool) -> None:
    """Show what models would have flagged, side by side, by the service's own pipeline over past events."""
    from service.commands import replay as history

    found = history.replay(ready(), source, versions)
    if as_json:
        click.echo(history.to_json(found))
        return
    rate = found.records / max(found.seconds, 1e-9)
    click.echo(f"{found.records} records, {found.dead_letters} dead letters, {rate:.0f} a second")
    for tally in found.tallies:
        actions = ", ".join(f"{count} {action}" for action, count in tally.actions.items())
        click.echo(
            f"model {tally.version}: {tally.transactions} transactions, {actions}; flagged money "
            f"{tally.flagged_amount:.2f} of {tally.amount:.2f}; {tally.only_here} flagged beyond the first model, "
            f"{tally.missed} fewer"
        )


@commands.command()
@click.argument("customer_id")
@click.option("--yes", is_flag=True, help="Really erase; without it, only say what would be.")
def forget(customer_id: str, yes: bool) -> None:
    """Erase a customer's id from dead letters and snapshots; services must be stopped."""
    from service.commands import forget as erasing

    settings = ready()
    found = erasing.erase(settings, customer_id, really=yes)
    click.echo(f"{found.dead_letters} dead letters {'erased' if yes else 'would be erased'}")
    click.echo(f"{found.snapshots} snapshots {'removed' if yes else 'would be removed'}, to be built anew from the log")
    click.echo(
        f"the id leaves {settings.transactions_topic} itself within {settings.retention_days} days of its last event"
    )


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


@commands.command()
def check() -> None:
    """Look at settings, broker, topics, permissions and model, one line a finding; exit code 2 on an error."""
    from service.commands.check import findings

    settings = load_settings()
    configure_logs("ERROR")
    worst = 0
    for finding in findings(settings):
        click.echo(f"{finding.level:8} {finding.subject:12} {finding.text}")
        worst = max(worst, 2 if finding.level == "error" else 0)
    sys.exit(worst)


if __name__ == "__main__":
    main()
