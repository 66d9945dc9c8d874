"""What a view holds: the same whenever it was looked at, and no more than it may."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.shop_tables import DAY, T0, events_table
from training.data.feature_context import FeatureContext
from training.data.files.events import Events, from_table
from training.data.files.json_lines import to_wire
from training.data.replayed_stream import from_stream, to_stream
from training.labels.store import LedgerStore, Record
from training.loop import ledger_view as view
from training.loop.ledger_view import COLUMNS, LedgerViewReader

END = T0 + 1_000 * DAY
WINDOW = 2_000 * DAY


def fill(store: LedgerStore, count: int, *, first: int = 0, partitions: int = 1) -> None:
    table = events_table(count)
    rows = list(zip(table["event_time"].cast(pa.int64()).to_pylist(), to_wire(table), strict=True))
    for partition in range(partitions):
        chosen = [i for i in range(first, count) if i % partitions == partition]
        store.append("events", [Record(partition, i, rows[i][0], "c", rows[i][1]) for i in chosen])


@pytest.fixture
def store(tmp_path: Path) -> LedgerStore:
    return LedgerStore(tmp_path)


@pytest.fixture(autouse=True)
def exact_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "SLACK", 0)


def reader(store: LedgerStore, max_events: int) -> LedgerViewReader:
    return LedgerViewReader(store, FeatureContext(), max_events=max_events)


def held(found: view.LedgerView) -> list[str]:
    return [str(name) for name in found.stream.events.table["transaction_id"].to_pylist()]


def test_features_from_the_ledgers_columns_are_those_of_the_whole_table(store: LedgerStore) -> None:
    fill(store, 60)
    found = reader(store, 1_000).read(END, window=WINDOW, maturity_days=None)
    assert set(found.stream.events.table.column_names) == set(COLUMNS)
    whole = to_stream(from_table(events_table(), FeatureContext()))
    mine, theirs = from_stream(found.stream, FeatureContext()), from_stream(whole, FeatureContext())
    assert mine.features.tobytes() == theirs.features.tobytes()
    assert {n: v.tolist() for n, v in mine.segments.items()} == {n: v.tolist() for n, v in theirs.segments.items()}


@pytest.mark.parametrize("partitions", [1, 3])
def test_beyond_the_limit_the_newest_are_held_however_often_one_looked(store: LedgerStore, partitions: int) -> None:
    often = reader(store, 20)
    for upto in (10, 25, 26, 60):
        fill(store, upto, partitions=partitions)
        often.read(END, window=WINDOW, maturity_days=None)
    seen = often.read(END, window=WINDOW, maturity_days=None)
    once = reader(store, 20).read(END, window=WINDOW, maturity_days=None)
    assert sorted(held(once)) == sorted(f"t{i}" for i in range(40, 60))
    assert held(seen) == held(once)
    assert (seen.since, once.since) == (seen.since, seen.since)
    assert seen.since > T0 + 10 * DAY  # what only fills the history is not learnt from


def test_a_window_that_fits_begins_where_it_would(store: LedgerStore) -> None:
    fill(store, 60)
    assert reader(store, 60).read(END, window=WINDOW, maturity_days=None).since == END - WINDOW


def test_four_times_the_payments_are_never_held_at_once(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 400)
    most: list[int] = []
    decode, shorten = view.decode, LedgerViewReader._shorten

    def measured(self: LedgerViewReader) -> None:
        most.append(sum(len(part.batch) for part in self._held.values()))
        shorten(self)

    sizes: list[int] = []
    monkeypatch.setattr(LedgerViewReader, "_shorten", measured)

    def counted(rows: pa.Table, context: FeatureContext) -> Events:
        sizes.append(len(rows))
        return decode(rows, context)

    monkeypatch.setattr(view, "decode", counted)
    found = reader(store, 100).read(END, window=WINDOW, maturity_days=None)
    assert len(held(found)) == 100
    assert max(most) <= 100 + max(sizes)
    assert max(sizes) == 4  # one file's


def test_what_was_decoded_is_not_decoded_again(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 40)
    both = reader(store, 1_000)
    both.read(END, window=WINDOW, maturity_days=None)
    loaded: list[int] = []
    scan = LedgerStore.scan

    def counted(self: LedgerStore, *args: object, **options: object) -> Iterator[pa.Table]:
        for part in scan(self, *args, **options):  # type: ignore[arg-type]  # as given
            loaded.append(len(part))
            yield part

    monkeypatch.setattr(LedgerStore, "scan", counted)
    fill(store, 44, first=40)
    assert len(held(both.read(END, window=WINDOW, maturity_days=None))) == 44
    assert np.sum(loaded) == 4
