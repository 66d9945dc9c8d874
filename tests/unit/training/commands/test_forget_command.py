"""Forgetting a customer: their rows leave the ledger, everybody else's stay."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from training.commands.forget import forget_command
from training.labels.store import Kind, LedgerStore, Record

T0 = 20_000 * 86_400_000_000


@pytest.fixture
def store(tmp_path: Path) -> LedgerStore:
    """Payments t0 to t5, by two customers in turn; each with an event, a decision and a label; one broken event."""
    made = LedgerStore(tmp_path / "ledger")
    message = [json.dumps({"transaction_id": f"t{i}"}).encode() for i in range(6)]
    customers = [("alice", "bob")[i % 2] for i in range(6)]
    keys: dict[Kind, list[str]] = {"events": customers, "decisions": customers, "labels": [f"t{i}" for i in range(6)]}
    for kind, wanted in keys.items():
        made.append(kind, [Record(0, i, T0 + i, key, message[i]) for i, key in enumerate(wanted)])
    made.append("events", [Record(0, 6, T0 + 6, "alice", b"broken")])
    return made


def run(store: LedgerStore, *words: str) -> str:
    done = CliRunner().invoke(forget_command, [*words, "--data", str(store.root.parent)])
    assert done.exit_code == 0, done.output
    return done.output


def test_without_yes_nothing_is_erased(store: LedgerStore) -> None:
    assert run(store, "alice") == "10 ledger rows would be erased, of 3 transactions\n"
    assert store.read("events").num_rows == 7


def test_a_customers_events_decisions_and_labels_are_erased_and_no_others(store: LedgerStore) -> None:
    assert run(store, "alice", "--yes") == "10 ledger rows erased, of 3 transactions\n"
    assert set(store.read("events")["key"].to_pylist()) == {"bob"}
    assert set(store.read("decisions")["key"].to_pylist()) == {"bob"}
    assert store.read("labels")["key"].to_pylist() == ["t1", "t3", "t5"]
    assert run(store, "alice", "--yes") == "0 ledger rows erased, of 0 transactions\n"


def test_what_has_another_key_is_found_by_its_value(store: LedgerStore) -> None:
    mine = json.dumps({"customer_id": "josé", "transaction_id": "t9"}).encode()
    store.append("events", [Record(0, 7, T0, "", mine), Record(0, 8, T0, "other", b'{"customer_id":"jos\\u00e9",')])
    store.append("labels", [Record(0, 7, T0, "", b'{"transaction_id":"t9"}')])
    assert run(store, "josé", "--yes") == "3 ledger rows erased, of 1 transactions\n"
    assert (store.read("events").num_rows, store.read("labels").num_rows) == (7, 6)


def test_kept_data_sets_are_removed_where_their_folder_is_named(store: LedgerStore, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("dataset-1.npz", ".dataset-2.npz.tmp", "other"):
        (cache / name).touch()
    assert run(store, "alice", "--cache", str(cache)).startswith("2 kept data sets would be removed\n")
    assert run(store, "alice", "--cache", str(cache), "--yes").startswith("2 kept data sets removed\n")
    assert [path.name for path in cache.iterdir()] == ["other"]


def test_without_a_ledger_there_is_nothing_to_erase(tmp_path: Path) -> None:
    done = CliRunner().invoke(forget_command, ["alice", "--data", str(tmp_path / "none"), "--yes"])
    assert done.exit_code == 0
    assert done.output.startswith("0 ledger rows")
    assert not (tmp_path / "none").exists()
