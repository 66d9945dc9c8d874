"""`python -m gateway labels import FILE.csv --mapping MAPPING.toml`: labels from a spreadsheet to their topic."""

import csv
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from runtime.errors import Unavailable

SECONDS = 60.0
"""For Kafka to take what was read."""


@click.group("labels")
def labels_command() -> None:
    """Labels by other ways than HTTP."""


@labels_command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--mapping", "mapping_path", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="which column is what: docs/how-to/gateway.md",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="read and tell, send nothing")
def import_command(file: Path, mapping_path: Path, *, dry_run: bool) -> None:
    """Send the labels of a CSV FILE; rows that give none go to FILE.refused.csv with the reason.

    A file may be imported again: the same row gives the same label.
    """
    from gateway.label_files import Row, read_mapping, read_rows
    from gateway.settings import Settings

    mapping = read_mapping(mapping_path)
    refused: list[Row] = []

    def good() -> Iterator[dict[str, object]]:
        for row in read_rows(file, mapping, now=datetime.now(UTC)):
            if row.fields is None:
                refused.append(row)
            else:
                yield row.fields

    labels = list(good())
    if labels and not dry_run:
        _send(Settings.load(), labels)
    click.echo(f"{len(labels)} labels{' found' if dry_run else ' sent'}, {len(refused)} rows refused")
    if refused:
        path = file.with_name(f"{file.stem}.refused.csv")
        with path.open("w", encoding="utf-8", newline="") as output:
            writer = csv.writer(output)
            writer.writerow(["row", "reason", *refused[0].cells])
            writer.writerows([row.number, row.why, *row.cells.values()] for row in refused)
        click.echo(f"first: row {refused[0].number}: {refused[0].why}; all in {path}")


def _send(settings: "object", labels: Sequence[dict[str, object]]) -> None:
    from gateway.settings import Settings
    from runtime.kafka.client import Cluster
    from runtime.kafka.delivery import Delivery, Outgoing, Placed

    assert isinstance(settings, Settings)  # noqa: S101 - its import waits for the command to run
    left = threading.Semaphore(0)
    failures: list[BaseException] = []

    def placed(_placed: Placed) -> None:
        left.release()

    def broken(error: BaseException) -> None:
        failures.append(error)
        left.release()

    delivery = Delivery(Cluster.of(settings), placed=placed, broken=broken)
    delivery.open([settings.labels_topic])
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    try:
        delivery.send(
            Outgoing(
                number, settings.labels_topic, str(label["transaction_id"]).encode(), msgspec.json.encode(label), (),
                now_ms,
            )
            for number, label in enumerate(labels)
        )  # fmt: skip
        for done in range(len(labels)):
            if not left.acquire(timeout=SECONDS) or failures:
                why = failures[0] if failures else f"no answer in {SECONDS:g} s"
                raise Unavailable(f"{done} of {len(labels)} labels sent, then: {why}; import the file again")
    finally:
        delivery.close()
