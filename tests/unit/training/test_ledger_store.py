"""The ledger on disk: once however often it is written, whole after a crash, bounded, and forgetful on demand."""

from pathlib import Path

import pandas as pd
import pytest

from training import ledger_store
from training.ledger_store import LedgerStore, Record

DAY = 86_400_000_000
T0 = 20_000 * DAY


def records(first: int, count: int, *, partition: int = 0, per_day: int = 4) -> list[Record]:
    return [
        Record(partition, i, T0 + i * DAY // per_day, f"c{i % 3}", f'{{"n": {i}}}'.encode())
        for i in range(first, first + count)
    ]


def offsets(store: LedgerStore) -> list[int]:
    return sorted(store.read("events")["offset"].to_pylist())


def test_records_come_back_as_they_came_and_progress_says_how_far(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 10))
    store.append("events", records(0, 3, partition=1))
    again = LedgerStore(tmp_path)
    assert again.read("events")["value"].to_pylist()[-1] == b'{"n": 9}'
    assert again.progress("events") == {0: 10, 1: 3}
    assert again.progress("labels") == {}
    assert again.newest("events") == T0 + 9 * DAY // 4


def test_writing_again_in_other_batches_changes_nothing(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 10))
    store.append("events", records(0, 4))
    store.append("events", records(3, 9))
    assert offsets(store) == list(range(12))


def test_a_crash_between_files_and_progress_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 5))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger_store, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            store.append("events", records(5, 5))
    again = LedgerStore(tmp_path)
    assert again.progress("events") == {0: 5}
    again.append("events", records(5, 7))
    assert offsets(again) == list(range(12))


def test_reading_a_period_takes_only_that_period(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 40))
    part = store.read("events", since=T0 + DAY, until=T0 + 2 * DAY)
    assert part["offset"].to_pylist() == [4, 5, 6, 7]


def test_retention_removes_whole_days_only(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 40))
    assert store.retain(T0 + 5 * DAY + DAY // 2) == 5
    assert offsets(store) == list(range(20, 40))
    assert store.progress("events") == {0: 40}


def test_compaction_keeps_every_record(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    for i in range(40):
        store.append("events", records(i, 1, per_day=20))
    store.compact(T0 + DAY)
    assert len(list(tmp_path.glob("events/*/*.parquet"))) == 21
    assert offsets(store) == list(range(40))
    store.append("events", records(0, 5, per_day=20))
    assert offsets(store) == list(range(40))


def test_a_forgotten_customer_is_gone_from_every_kind(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 9))
    store.append("decisions", records(0, 9))
    store.append("labels", [Record(0, i, T0, f"t{i}", b"{}") for i in range(4)])
    assert store.forget("events", lambda key, _: key == "c1", really=False) == 3
    assert store.forget("events", lambda key, _: key == "c1") == 3
    assert store.forget("labels", lambda key, value: key in {"t1", "t2"} and value == b"{}") == 2
    assert "c1" not in store.read("events")["key"].to_pylist()
    assert store.read("labels")["key"].to_pylist() == ["t0", "t3"]


def test_pandas_reads_the_folder_as_one_table(tmp_path: Path) -> None:
    LedgerStore(tmp_path).append("events", records(0, 10))
    frame = pd.read_parquet(tmp_path / "events")
    assert len(frame) == 10
    assert set(frame["day"].astype(str)) == {"2024-10-04", "2024-10-05", "2024-10-06"}
