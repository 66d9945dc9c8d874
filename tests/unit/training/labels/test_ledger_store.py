"""The ledger on disk: once however often it is written, whole after a crash, bounded, and forgetful on demand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

from runtime import files
from training.labels import store as ledger_store
from training.labels.store import DamagedLedger, LedgerStore, Record

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
    store.append("events", records(0, 3))
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


def test_a_quote_in_the_folders_name_is_a_letter_like_others(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "shop's data")
    store.append("events", records(0, 10))
    assert offsets(store) == list(range(10))


def scanned(store: LedgerStore, *, after: dict[int, int] | None = None) -> list[tuple[int, int]]:
    parts = list(store.scan("events", after=after or {}))
    return [
        pair for part in parts for pair in zip(*(part[n].to_pylist() for n in ("partition", "offset")), strict=True)
    ]


def test_a_scan_gives_each_record_once_in_the_logs_order_although_days_overlap(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    # Every third record is late by two days: the files of three days lie within one another.
    late = [replace(r, timestamp=r.timestamp - 2 * DAY * (r.offset % 3 == 0)) for r in records(0, 60, per_day=10)]
    for first in range(0, 60, 15):
        store.append("events", late[first : first + 20])
    store.append("events", records(0, 5, partition=3))
    assert scanned(store) == [*((0, i) for i in range(60)), *((3, i) for i in range(5))]
    assert scanned(store, after={0: 57, 3: 4}) == [(0, 57), (0, 58), (0, 59), (3, 4)]
    store.compact(T0 + 100 * DAY)
    assert scanned(store) == [*((0, i) for i in range(60)), *((3, i) for i in range(5))]


def test_a_scan_of_many_files_holds_about_one_at_a_time(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 400))
    assert max(len(part) for part in store.scan("events", after={})) == 4


@pytest.mark.parametrize("damage", [b"", b"PAR1 but no Parquet"])
@pytest.mark.parametrize("use", ["read", "scan", "newest", "forget", "compact"])
def test_a_file_that_cannot_be_read_counts_as_missing_and_is_fetched_again(
    tmp_path: Path, damage: bytes, use: str
) -> None:
    store = LedgerStore(tmp_path)
    for first in range(0, 80, 8):
        store.append("events", records(first, 8, per_day=100))
    store.append("events", records(0, 8, partition=1, per_day=100))
    sorted(tmp_path.glob("events/day=*/0-*.parquet"))[3].write_bytes(damage)
    uses: dict[str, Callable[[], object]] = {
        "read": lambda: store.read("events"),
        "scan": lambda: list(store.scan("events", after={})),
        "newest": lambda: store.newest("events"),
        "forget": lambda: store.forget("events", lambda _key, _value: False),
        "compact": lambda: store.compact(T0 + 100 * DAY),
    }
    with pytest.raises(DamagedLedger, match="events of partition 0 from offset 24 are fetched again"):
        uses[use]()
    again = LedgerStore(tmp_path)
    assert again.progress("events") == {0: 24, 1: 8}
    again.append("events", records(24, 56, per_day=100))
    whole = again.read("events")
    assert sorted(whole.filter(pc.equal(whole["partition"], 0))["offset"].to_pylist()) == list(range(80))


def test_a_flipped_bit_within_a_file_is_noticed(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 200, per_day=1000))
    [file] = tmp_path.glob("events/day=*/*.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedLedger, match="from offset 0"):
        store.read("events")


def test_progress_that_cannot_be_read_means_that_everything_is_fetched_again(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path)
    store.append("events", records(0, 10))
    (tmp_path / "progress.json").write_text('{"events": {"0": "many"}}', encoding="utf-8")
    assert store.progress("events") == {}
    store.append("events", records(0, 10))
    assert offsets(store) == list(range(10))


def test_progress_follows_the_files_onto_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    sync, save = files.sync, files.write_json

    def syncing(path: Path) -> None:
        synced.append(path)
        sync(path)

    def saving(path: Path, value: object) -> None:
        synced.append(path)
        save(path, value)

    for module in (ledger_store, files):
        monkeypatch.setattr(module, "sync", syncing)
    monkeypatch.setattr(ledger_store, "write_json", saving)
    LedgerStore(tmp_path).append("events", records(0, 2))
    day = tmp_path / "events" / "day=2024-10-04"
    name = f"0-{0:020d}-{1:020d}.parquet"
    progress = [tmp_path / "progress.json", tmp_path / ".progress.json.tmp", tmp_path]
    assert synced == [tmp_path / "events", tmp_path, day / f".{name}.tmp", day, *progress]
