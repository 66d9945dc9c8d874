"""Snapshots come back whole, or not at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fraud.decode import Decoder
from fraud.features import SPEC, Encoder
from fraud.history import History, HistoryConfig
from fraud.money import Rates
from service.adapters.snapshots import SnapshotDirectory
from service.errors import Misconfigured
from service.ports import Snapshot
from tests.events import at_us, raw, transaction

CONFIG = HistoryConfig(max_entities=1 << 12, max_entries=1 << 14, max_bucketed=1 << 8, recent_capacity=1 << 12)


def history(events: int = 50) -> History:
    made = History(CONFIG)
    grow(made, 0, events)
    return made


def grow(made: History, first: int, last: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    decoder = Decoder(Rates.default("EUR"))
    numbers = range(first, last)
    decoded = decoder.decode([raw(transaction(i)) for i in numbers], [at_us(i) for i in numbers])
    return Encoder(SPEC, made).encode(decoded.batch).features


def directory(root: Path, *, config: HistoryConfig = CONFIG, cluster: str = "cluster") -> SnapshotDirectory:
    made = SnapshotDirectory(root, topic="topic", config=config, wrote=lambda _: None, failed=lambda: None)
    made.open(cluster)
    return made


def saved(root: Path, *positions: int) -> SnapshotDirectory:
    made = directory(root)
    for position in positions:
        assert made.save(Snapshot(0, position, history(position)))
        made.wait()
    return made


def test_a_snapshot_goes_on_exactly_where_it_was_taken(tmp_path: Path) -> None:
    found = saved(tmp_path, 50).newest(0, 50)
    assert found is not None
    np.testing.assert_array_equal(grow(found.history, 50, 90), grow(history(50), 50, 90))


def test_the_newest_at_or_before_a_position_is_found(tmp_path: Path) -> None:
    store = saved(tmp_path, 20, 40)
    assert [found.position if (found := store.newest(0, at)) else None for at in (19, 20, 39, 40, 99)] == [
        None, 20, 20, 40, 40,
    ]  # fmt: skip
    assert store.newest(1, 99) is None


def test_what_happens_after_saving_is_not_in_it(tmp_path: Path) -> None:
    store, changing = directory(tmp_path), history(50)
    store.save(Snapshot(0, 50, changing))
    grow(changing, 50, 80)
    store.wait()
    found = store.newest(0, 50)
    assert found is not None
    assert found.history.events == 50


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_snapshot_is_passed_over(tmp_path: Path, damage: str) -> None:
    store = saved(tmp_path, 20, 40)
    (path,) = tmp_path.glob("*/0-40.npz")
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes({"cut": bytes(content[: len(content) // 2]), "flipped": bytes(content), "emptied": b""}[damage])
    found = store.newest(0, 99)
    assert found is not None
    assert found.position == 20


def test_two_are_kept_of_each_partition(tmp_path: Path) -> None:
    saved(tmp_path, 10, 20, 30)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["0-20.npz", "0-30.npz"]


def test_another_cluster_or_history_has_snapshots_of_its_own(tmp_path: Path) -> None:
    saved(tmp_path, 20)
    assert directory(tmp_path, cluster="other").newest(0, 99) is None
    assert directory(tmp_path, config=replace(CONFIG, degree_cap=7)).newest(0, 99) is None


def test_where_an_incomplete_history_begins_is_kept(tmp_path: Path) -> None:
    store = directory(tmp_path)
    store.save(Snapshot(0, 5, history(5), history_from=at_us()))
    store.wait()
    found = store.newest(0, 5)
    assert found is not None
    assert found.history_from == at_us()


def test_a_failure_is_counted_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    store = SnapshotDirectory(
        tmp_path, topic="topic", config=CONFIG, wrote=lambda _: None, failed=lambda: failures.append(1)
    )
    store.open("cluster")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.adapters.snapshots.np.savez", full)
    store.save(Snapshot(0, 5, history(5)))
    store.wait()
    assert failures == [1]
    assert list(tmp_path.glob("*/*")) == []
    assert list(tmp_path.glob("*/.*")) == []


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="FRAUD_SNAPSHOTS_DIR"):
        directory(tmp_path / "file")
