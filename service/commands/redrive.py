"""`python -m service redrive`: dead letters on their way back."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from fraud.contracts.inbound import Reason
from service.commands.console import ready


@click.command("redrive")
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
def redrive_command(
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
    from service.operations.redrive import Selection, recorded, redrive, select

    settings = ready()
    record = record or settings.snapshots_dir / "redriven.jsonl"
    selection = Selection(frozenset(map(Reason, reasons)), _utc(since), _utc(until), offsets, attempts)
    before = recorded(record)
    with closing(Reader(Cluster.of(settings), settings.dlq_topic)) as reader:
        found = list(select(reader, selection, before))
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
    sent = redrive(Cluster.of(settings), chosen, record, topic=settings.transactions_topic, now=now)
    click.echo(f"{sent} letters sent, recorded in {record}")


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
