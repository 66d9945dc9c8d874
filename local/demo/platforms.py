"""The demo's simulated platforms as files, and the target's log cut at the day on which the service goes live."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local.load import Message
from runtime.event_tables import to_json


@dataclass(frozen=True, slots=True)
class Target:
    """The target platform's stream around the go-live.

    Attributes:
        past: folder with what is known on the day of the go-live: events before it, labels received before it.
        history: events of the last days before it, which only fill the history.
        live: events from it on, which are judged.
        truth: of every transaction.
    """

    past: Path
    history: pa.Table
    live: pa.Table
    truth: pd.DataFrame


def cut(folder: Path, *, go_live: datetime, history_days: int) -> Target:
    """Cuts a simulated platform at the go-live; `past` is written beside `folder`."""
    events = pq.read_table(folder / "events.parquet")
    labels = pq.read_table(folder / "labels.parquet")
    truth = pd.read_parquet(folder / "truth.parquet")
    past = folder.with_name(f"{folder.name}-past")
    past.mkdir(exist_ok=True)
    cut_at = pa.scalar(go_live, pa.timestamp("us", "UTC"))
    history_from = pa.scalar(go_live - timedelta(days=history_days), pa.timestamp("us", "UTC"))
    # Row order is log order and an outcome follows its attempt, so the cut is a position, not a filter on time.
    position = pc.index(pc.greater_equal(events["event_time"], cut_at), value=True).as_py()
    before = events.slice(0, position)
    pq.write_table(before, past / "events.parquet")
    pq.write_table(labels.filter(pc.less(labels["received_at"], cut_at)), past / "labels.parquet")
    start = pc.index(pc.greater_equal(before["event_time"], history_from), value=True).as_py()
    live = events.slice(position)
    return Target(past=past, history=before.slice(max(start, 0)), live=live, truth=truth)


def messages(events: pa.Table) -> Iterator[Message]:
    """Every event as a record, in log order."""
    columns = (events[name].to_pylist() for name in ("type", "transaction_id", "customer_id"))
    times = pc.divide(pc.cast(events["event_time"], pa.int64()), 1000).to_pylist()
    for kind, transaction_id, customer_id, time_ms, value in zip(*columns, times, to_json(events), strict=True):
        counts = kind == "transaction"
        yield Message(
            customer_id.encode(), value, time_ms, counts=counts, transaction_id=transaction_id if counts else None
        )


def among(good: Iterator[Message], bad: list[bytes], *, every: int) -> Iterator[Message]:
    """The good messages, with a bad one after each `every` of them until there are no bad ones left."""
    rest = iter(bad)
    for index, message in enumerate(good):
        yield message
        if index % every == every - 1 and (value := next(rest, None)) is not None:
            yield Message(message.key, value, message.timestamp_ms, counts=True)
