"""The loop killed with -9 twenty times at random moments: no half bundle, no lost label, no broken serving.json."""

import json
import os
import subprocess
import sys

import pytest

from fraud.models.bundle import verify
from fraud.models.serving import area_folder, read_serving
from tests.support.killed_loop import FileFeed, label, loop_over, prepare, turn
from training.labels.store import LedgerStore
from training.loop.decision import Decision
from training.loop.record import all_records
from training.loop.runner import Loop
from training.loop.state import load_state
from training.registry import versions as registry

KILLS = 20


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    folder = tmp_path_factory.mktemp("killed")
    prepare(folder)
    command = [sys.executable, "-m", "tests.support.killed_loop", str(folder), "7", str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert load_state(folder).runs >= 5, "the loop hardly got to work"
    return loop_over(folder)


@pytest.mark.timeout(700)
def test_every_bundle_is_whole_and_serving_json_names_one_that_the_service_takes(survivor: Loop) -> None:
    root = survivor.trainer.root
    known = registry.versions(root)
    champion = read_serving(root).slot(survivor.features).champion
    assert champion in {v.version for v in known if v.area == "live"}
    for version in known:
        path = area_folder(root, version.area) / str(version.version)
        blessed = version.area == "live"
        verify(path, features_fingerprint=survivor.features, partitions=1, stage="pre_auth", require_blessing=blessed)
    numbered = [p for p in (*root.iterdir(), *(root / "candidates").iterdir()) if p.name.isdecimal()]
    assert len(numbered) == len(known)


def test_every_label_is_in_the_ledger_once_and_as_it_came(survivor: Loop) -> None:
    rows = survivor.store.read("labels")
    kept = dict(zip(rows["offset"].to_pylist(), rows["value"].to_pylist(), strict=True))
    assert len(kept) == len(rows) >= survivor.store.progress("labels")[0]
    assert kept == {i: label(i).value for i in range(len(kept))}


def test_the_next_start_finishes_what_was_begun_and_every_promotion_was_announced(survivor: Loop) -> None:
    turn(survivor)
    turn(survivor)
    state = load_state(survivor.folder)
    records = all_records(survivor.folder)
    assert state.unfinished is None
    assert [record.run for record in records] == list(range(1, state.runs + 1))
    lines = (survivor.folder / "announced.jsonl").read_text(encoding="utf-8").splitlines()
    announced = {said["version"] for said in map(json.loads, lines) if said["type"] == "promotion"}
    assert announced == {record.candidate for record in records if record.decision is Decision.PROMOTE}
    assert registry.champion(survivor.trainer.root, survivor.features) == max(announced)


def test_what_dead_loops_left_half_built_is_cleared_away(survivor: Loop) -> None:
    for left in survivor.trainer.root.glob(f"{registry.TEMPORARY}*"):
        for path in (left, *left.rglob("*")):
            os.utime(path, (0, 0))  # as a day later: what is young may be another process's work
    registry.prune(survivor.trainer.root, keep=2)
    assert not list(survivor.trainer.root.glob(f"{registry.TEMPORARY}*"))


def test_reading_again_from_an_older_place_changes_nothing(survivor: Loop) -> None:
    before = survivor.store.read("labels")
    survivor.store.append("labels", [label(i) for i in range(7)])
    assert survivor.store.read("labels").equals(before)
    assert FileFeed().pull(LedgerStore(survivor.folder / "ledger")) > 0
    assert len(survivor.store.read("labels")) > len(before)
