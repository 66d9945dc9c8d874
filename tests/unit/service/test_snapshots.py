"""Snapshots come back whole, or not at all."""

import os
import signal
import socket
import time
import zipfile
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from fraud.decoding.decoder import Decoder
from fraud.features.encoder import SPEC, Encoder
from fraud.features.platform import FieldKind, OwnField, Platform
from fraud.history.history import History, HistoryConfig, history_fingerprint
from fraud.money import Rates
from local.testbed.events import at_us, raw, transaction
from runtime.errors import Misconfigured
from runtime.platform_file import standing_for
from service.adapters.snapshots import SnapshotDirectory
from service.adapters.snapshots.fork import fork
from service.bootstrap import domain, snapshot_fingerprint
from service.ports import Snapshot
from service.settings import Settings

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


def directory(
    root: Path,
    *,
    config: HistoryConfig = CONFIG,
    log: str = "log",
    topic: str = "topic",
    settings: str = "settings",
) -> SnapshotDirectory:
    made = SnapshotDirectory(
        root, topic=topic, config=config, settings=settings, wrote=lambda _: None, failed=lambda: None
    )
    made.open(log)
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


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_cut_snapshot_is_passed_over(tmp_path: Path, damage: str) -> None:
    store = saved(tmp_path, 20, 40)
    (path,) = tmp_path.glob("*/0-40.npz")
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "emptied": b""}[damage])
    with capture_logs() as logged:
        found = store.newest(0, 99)
    assert found is not None
    assert found.position == 20
    assert [(line["event"], line["path"]) for line in logged] == [("snapshot refused", str(path))]
    assert logged[0]["error"].startswith("damaged: ")


def test_a_flipped_bit_anywhere_is_noticed_or_does_not_matter(tmp_path: Path) -> None:
    store = saved(tmp_path, 20, 40)
    (path,) = tmp_path.glob("*/0-40.npz")
    content, whole = path.read_bytes(), history(40).arrays()
    rng, refused = np.random.default_rng(5), 0
    with zipfile.ZipFile(path) as archive:
        starts = [member.header_offset for member in archive.infolist()] + [archive.start_dir]
    arrays = [int(rng.integers(*span)) for span in pairwise(starts)]
    headers = [start + int(at) for start in starts for at in rng.integers(0, 250, 12) if start + at < len(content)]
    with capture_logs():
        for place in arrays + headers:
            damaged = bytearray(content)
            damaged[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            found = store.newest(0, 99)
            assert found is not None
            refused += found.position == 20
            if found.position == 40:
                assert_same(found.history.arrays(), whole)
    assert refused > len(arrays + headers) * 0.8


def assert_same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.tobytes() == right[name].tobytes(), name


def test_each_position_of_a_changing_history_is_kept_as_it_was_array_by_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    savez = np.savez

    def slow(*args: object, **arrays: object) -> None:
        started.touch()  # arrays are chosen by now; the parent changes its own
        time.sleep(0.3)
        savez(*args, **arrays)  # type: ignore[arg-type]

    monkeypatch.setattr("service.adapters.snapshots.file.np.savez", slow)
    store, changing = directory(tmp_path), History(CONFIG)
    for position in (60, 130):
        grow(changing, changing.events, position)
        assert store.save(Snapshot(0, position, changing))
        while not started.exists():
            time.sleep(0.01)
        grow(changing, position, position + 40)
        started.unlink()
        store.wait()
        found = store.newest(0, position)
        assert found is not None
        assert_same(found.history.arrays(), history(position).arrays())
    assert_same(changing.arrays(), history(170).arrays())


def test_a_restored_history_and_the_records_since_are_an_uninterrupted_run_array_by_array(tmp_path: Path) -> None:
    found = saved(tmp_path, 50).newest(0, 50)
    assert found is not None
    features, whole = grow(found.history, 50, 120), History(CONFIG)
    assert features.tobytes() == grow(whole, 0, 120)[50:].tobytes()
    assert_same(found.history.arrays(), whole.arrays())


FOREIGN = {
    "log": ({"log": "other"}, "of log other, not log"),
    "settings": ({"settings": "other"}, "of settings other, not settings"),
    "topic": ({"topic": "other"}, "of topic other, not topic"),
    "fingerprint": ({"config": replace(CONFIG, degree_cap=7)}, f"not {history_fingerprint(CONFIG)}"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_snapshot_of_something_else_is_refused_by_name_and_the_next_older_used(tmp_path: Path, what: str) -> None:
    store = saved(tmp_path / "own", 20)
    (own,) = tmp_path.glob("own/*/0-20.npz")
    asked, reason = FOREIGN[what]
    other = directory(tmp_path / "other", **asked)  # type: ignore[arg-type]
    assert other.save(Snapshot(0, 40, history(40)))
    other.wait()
    (path,) = tmp_path.glob("other/*/0-40.npz")
    path.rename(own.with_name("0-40.npz"))
    with capture_logs() as logged:
        found = store.newest(0, 99)
    assert found is not None
    assert found.position == 20
    assert reason in logged[0]["error"]


@pytest.mark.parametrize(("name", "reason"), [("0-41.npz", "of position 40, not 41"), ("1-40.npz", "of partition 0")])
def test_a_snapshot_under_a_wrong_name_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    store = saved(tmp_path, 40)
    (path,) = tmp_path.glob("*/0-40.npz")
    path.rename(path.with_name(name))
    with capture_logs() as logged:
        assert store.newest(int(name[0]), 99) is None
    assert reason in logged[0]["error"]


def test_two_are_kept_of_each_partition(tmp_path: Path) -> None:
    saved(tmp_path, 10, 20, 30)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["0-20.npz", "0-30.npz"]


@pytest.mark.parametrize("other", [{"log": "other"}, {"config": replace(CONFIG, degree_cap=7)}, {"settings": "other"}])
def test_another_log_history_or_setting_has_snapshots_of_its_own_and_one_line_says_so(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    saved(tmp_path, 20)
    (folder,) = tmp_path.iterdir()
    with capture_logs() as logged:
        assert directory(tmp_path, **other).newest(0, 99) is None
        directory(tmp_path, **other)
    assert [line["others"] for line in logged] == [[folder.name]]


def test_where_offsets_are_set_back_the_new_snapshots_stay_and_the_old_ones_go(tmp_path: Path) -> None:
    saved(tmp_path, 300, 400, 10, 20)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["0-10.npz", "0-20.npz"]


def test_what_lies_beyond_a_position_is_discarded_on_request(tmp_path: Path) -> None:
    store = saved(tmp_path, 20, 40)
    with capture_logs() as logged:
        store.discard_after(0, 39)
        store.discard_after(1, 0)
    assert [path.name for path in tmp_path.glob("*/*")] == ["0-20.npz"]
    assert [line["at"] for line in logged] == [39]


CHANGED: dict[str, dict[str, Any]] = {
    "base currency": {"platform_file": standing_for(Platform(base_currency="USD"))},
    "max_ahead": {"max_ahead": timedelta(hours=2)},
    "own fields": {"platform_file": standing_for(Platform(fields={"age": OwnField(kind=FieldKind.NUMBER)}))},
    "secret": {"secret": "0123456789abcdef0123456789abcdef"},
    "dedupe_records": {"dedupe_records": 1 << 20},
    "group": {"group_id": "other"},
}


@pytest.mark.parametrize("what", [*CHANGED, "rates"])
def test_each_setting_that_a_history_depends_on_has_snapshots_of_its_own(tmp_path: Path, what: str) -> None:
    rates = tmp_path / "rates.json"
    rates.write_text('{"2025-01-01": {"USD": 1, "EUR": 1.04}}')
    shop = tmp_path / "platform.toml"
    shop.write_text('rates = "rates.json"')
    changed = CHANGED.get(what, {"platform_file": shop})
    before, after = (snapshot_fingerprint(settings, domain(settings)) for settings in (Settings(), Settings(**changed)))
    assert before != after


def test_a_secret_places_ids_where_nobody_else_can_tell() -> None:
    salts = [domain(Settings(**given)).salt for given in ({}, CHANGED["secret"])]
    assert salts[0] == 0
    assert salts[1] > 1 << 32


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    store = saved(tmp_path, 20)
    (path,) = tmp_path.glob("*/0-20.npz")
    with np.load(path) as arrays:
        np.savez_compressed(path, **{name: arrays[name] for name in arrays.files})
    with capture_logs() as logged:
        assert store.newest(0, 99) is None
    assert logged[0]["error"] == "damaged: it is compressed, which none is"


ASTRAY = {
    "slot's block": ("slots", "block", 1 << 31),
    "slot's kind": ("slots", "kind", 200),
    "slot's order": ("slots", "order", 60),
    "slot's length": ("slots", "length", 255),
    "slot's key": ("slots", "key", 77),
    "free mark": ("entries", "status", 128),
    "table of entities": ("table_values", None, 1 << 31),
    "table of transactions": ("recent_table_values", None, 1 << 31),
    "place in a table": ("table_places", None, 1 << 31),
    "key of a transaction": ("recents", "key", 77),
    "counters": ("counters", None, 1 << 40),
}


@pytest.mark.parametrize("what", ASTRAY)
def test_an_index_that_leads_astray_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    """The checksums are right: somebody wrote the file so, or a bug did."""
    name, field, value = ASTRAY[what]
    forged = {key: array.copy() for key, array in history(40).arrays().items()}
    target = forged[name] if field is None else forged[name][field]  # type: ignore[call-overload]
    target[: 20 if name == "counters" else 3] = value
    store = saved(tmp_path, 20, 40)
    (path,) = tmp_path.glob("*/0-40.npz")
    with np.load(path) as kept:
        np.savez(path, **{**{key: kept[key] for key in kept.files}, **forged})
    with capture_logs() as logged:
        found = store.newest(0, 99)
    assert found is not None
    assert found.position == 20
    assert logged[0]["error"].startswith("damaged: ValueError: ")


def test_no_forged_array_makes_the_kernel_leave_its_arrays() -> None:
    """Whatever is changed: refused, or a history that takes more events; it would crash or hang otherwise."""
    rng, refused = np.random.default_rng(11), 0
    whole = history(120)
    for _ in range(300):
        forged = {key: array.copy() for key, array in whole.arrays().items()}
        name = ("slots", "entries", "counters", "table_values", "table_places", "recents", "bucket_heads")[
            int(rng.integers(7))
        ]
        raw_bytes = forged[name].reshape(-1).view(np.uint8)
        for at in rng.integers(0, raw_bytes.size, int(rng.integers(1, 4))):
            raw_bytes[at] = rng.integers(256)
        try:
            made = History.from_arrays(CONFIG, forged)
        except ValueError:
            refused += 1
        else:
            grow(made, 100, 160)
    assert 60 < refused < 300


def test_where_an_incomplete_history_begins_is_kept(tmp_path: Path) -> None:
    store = directory(tmp_path)
    store.save(Snapshot(0, 5, history(5), history_from=at_us()))
    store.wait()
    found = store.newest(0, 5)
    assert found is not None
    assert found.history_from == at_us()


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (signal.SIGKILL, "the process that wrote it ended with -9"),
        (None, "not done after 0.5 s"),
    ],
)
def test_a_failure_is_told_and_counted_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception | int | None, expected: str
) -> None:
    failures: list[int] = []
    store = SnapshotDirectory(
        tmp_path,
        topic="topic",
        config=CONFIG,
        settings="settings",
        wrote=lambda _: None,
        failed=lambda: failures.append(1),
    )
    store.open("log")

    def fail(file: IO[bytes], **_: object) -> None:
        file.write(b"half a file")
        if isinstance(failure, Exception):
            raise failure
        if failure:
            os.kill(os.getpid(), failure)
        time.sleep(60)

    monkeypatch.setattr("service.adapters.snapshots.file.np.savez", fail)
    monkeypatch.setattr("service.adapters.snapshots.directory.WRITE_SECONDS", 0.5)
    with capture_logs() as logged:
        store.save(Snapshot(0, 5, history(5)))
        store.wait()
    assert failures == [1]
    assert [line["error"] for line in logged] == [expected]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_process_left_unfinished_is_removed_later(tmp_path: Path) -> None:
    store = saved(tmp_path, 10)
    (path,) = tmp_path.glob("*/*.npz")
    left, fresh = path.with_name(".0-5.npz.77"), path.with_name(".0-7.npz.78")
    for unfinished in (left, fresh):
        unfinished.touch()
    os.utime(left, (0, 0))
    store.save(Snapshot(0, 20, history(20)))
    store.wait()
    assert not left.exists()
    assert fresh.exists()


def test_a_writer_holds_none_of_the_parents_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        child = fork(lambda: time.sleep(30))
    for _ in range(100):  # until the child has closed its copy
        with socket.socket() as client:
            if client.connect_ex(address):
                break
        time.sleep(0.05)
    else:
        raise AssertionError(f"something still listens on {address}")
    assert child.wait(0.01) == "not done after 0.01 s"


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="FRAUD_SNAPSHOTS_DIR"):
        directory(tmp_path / "file")
