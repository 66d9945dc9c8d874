"""`python -m training label-queue`: which payments to have reviewed, so that little work teaches much."""

import json
from collections.abc import Iterable
from csv import DictWriter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.console import (
    FILE,
    TIME,
    bundle_key,
    json_option,
    models_option,
    one_line_errors,
    seed_option,
    to_us,
)
from training.data.errors import InvalidDataset
from training.labels.label_queue import PARTS, Shares, choose

if TYPE_CHECKING:
    from training.data.dataset import Dataset
    from training.evaluation.evaluate import Model

FIELDS = ("transaction_id", "event_time", "score", "chosen_by", "propensity")


@click.command("label-queue")
@click.option("--data", "events", type=FILE, required=True, help="Event file with the payments to choose from.")
@click.option("--label-file", type=FILE, help="What is known already, left out; labels.parquet beside it by default.")
@click.option("--version", "number", type=int, required=True, help="The version whose scores choose.")
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="Payments to review.")
@click.option("--top", type=click.FloatRange(0, 1), default=Shares().top, show_default=True, help="Share: top scores.")
@click.option(
    "--near", type=click.FloatRange(0, 1), default=Shares().near, show_default=True,
    help="Share: drawn from what ranks next; the rest is drawn from all others.",
)  # fmt: skip
@click.option("--since", type=TIME, help="First event time (UTC).")
@click.option("--until", type=TIME, help="End of the period (UTC).")
@click.option("--as-of", type=TIME, help="Labels received by then are known (UTC); the last event's time by default.")
@click.option("--out", type=FILE, required=True, help="The queue: .csv, or .jsonl.")
@models_option
@seed_option
@json_option
def label_queue_command(
    *,
    events: Path,
    label_file: Path | None,
    number: int,
    count: int,
    top: float,
    near: float,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
    out: Path,
    root: Path,
    seed: int,
    as_json: bool,
) -> None:
    """Choose unlabelled payments to review: mostly top scores, part random, with the probability of each."""
    from training.evaluation.evaluate import Model
    from training.registry.versions import find

    period = (None if since is None else to_us(since), None if until is None else to_us(until))
    with one_line_errors():
        try:
            shares = Shares(top, near)
        except ValueError as error:
            raise InvalidDataset(f"--top and --near: {error}") from None
        if out.suffix not in {".csv", ".jsonl"}:
            raise InvalidDataset(f"{out}: a queue is written as .csv or .jsonl")
        model = Model.read(find(root, number)[1], bundle_key())
        open_payments = _unlabelled(events, label_file, model, None if as_of is None else to_us(as_of))
        offered = open_payments.between(*period)
        if len(offered) == 0:
            raise InvalidDataset(f"{events}: no payment of the period is without a label")
        score = model.scores(offered.features)
        queue = choose(score, count, seed=seed, shares=shares)
        rows = [
            {
                "transaction_id": str(offered.transaction_ids[row]),
                "event_time": datetime.fromtimestamp(int(offered.time[row]) / 1e6, UTC).isoformat(),
                "score": round(float(score[row]), 6),
                "chosen_by": PARTS[part],
                "propensity": propensity,
            }
            for row, part, propensity in zip(queue.rows, queue.part, queue.propensity.tolist(), strict=True)
        ]
        _write(out, rows)
    told = {"offered": len(offered), "chosen": len(queue), "out": str(out)}
    told |= {name: int((queue.part == part).sum()) for part, name in enumerate(PARTS)}
    if as_json:
        click.echo(json.dumps(told))
    else:
        parts = ", ".join(f"{told[name]:,} {name}" for name in PARTS)
        click.echo(f"{out}: {len(queue):,} of {len(offered):,} unlabelled payments ({parts})")


def _unlabelled(events: Path, label_file: Path | None, model: "Model", as_of: int | None) -> "Dataset":
    """The payments of which nothing is known as of a time, features as the version reads them.

    Declined, voided and refunded ones are left out: a clearance of them teaches nothing, for nobody could have
    reported them.
    """
    from training.data.replayed_stream import from_stream
    from training.evaluation.evaluate import check_features
    from training.evaluation.side_by_side import open_stream
    from training.labels.ledger import State
    from training.modelling.inputs import LABELS, labels_beside

    beside = events.with_name(LABELS)
    labels = labels_beside(events, label_file) if label_file or beside.is_file() else None
    stream, context = open_stream(events, labels, [model])
    known_at = int(stream.events.batch.time.max()) if as_of is None else as_of
    dataset = from_stream(stream, context, as_of=known_at, risk=model.risk, progress=True)
    check_features(model, dataset)
    state = stream.ledger.as_of(known_at).of(dataset.transaction)["state"].to_numpy()
    return dataset.take(state == State.IMMATURE)


def _write(out: Path, rows: Iterable[dict[str, object]]) -> None:
    """The queue as a file; InvalidDataset where that cannot be written."""
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            if out.suffix == ".csv":
                writer = DictWriter(file, FIELDS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row) + "\n" for row in rows)
    except OSError as error:
        raise InvalidDataset(f"{out}: {error.strerror or error}") from None
