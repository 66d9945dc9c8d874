"""A trainer killed with -9 twenty times at random: no half bundle, no lost label, no broken serving.json."""

import subprocess
import sys
from pathlib import Path

from fraud.bundle import read_serving, verify
from tests.unit.training.test_registry import FEATURES
from training import registry
from training.ledger_store import LedgerStore

# The parent imports everything once, then forks: each child works until it is killed, the next one goes on.
TRAINER = """
import os, random, signal, sys, time
from pathlib import Path
from tests.unit.training.test_registry import AT, publish
from training import registry
from training.ledger_store import LedgerStore, Record

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
models = folder / "models"

def work():
    store = LedgerStore(folder / "ledger")
    while True:
        first = store.progress("labels").get(0, 0)
        times = [1_700_000_000_000_000 + i * 40_000_000_000 for i in range(first, first + 5)]
        store.append("labels", [Record(0, first + i, t, "t", b"%d" % (first + i)) for i, t in enumerate(times)])
        registry.promote(models, publish(models), reason="better", at=AT)
        registry.prune(models, keep=2)

dice = random.Random(seed)
for _ in range(20):
    child = os.fork()
    if child == 0:
        work()
    time.sleep(dice.uniform(0.02, 0.25))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_twenty_kills_leave_everything_whole(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", TRAINER, str(tmp_path), "7"], check=True, timeout=120)
    models = tmp_path / "models"
    champion = read_serving(models).slot(FEATURES).champion
    known = registry.versions(models)
    assert champion == max(v.version for v in known if v.area == "live" and v.role == "champion")
    for version in known:
        path = registry.folder(models, version.area) / str(version.version)
        blessed = version.area == "live"
        verify(path, features_fingerprint=FEATURES, partitions=1, stage="pre_auth", require_blessing=blessed)
    numbered = [p for p in (*models.iterdir(), *(models / "candidates").iterdir()) if p.name.isdecimal()]
    assert len(numbered) == len(known)

    store = LedgerStore(tmp_path / "ledger")
    kept = [int(value) for value in store.read("labels")["value"].to_pylist()]
    reached = store.progress("labels")[0]
    assert sorted(kept) == list(range(len(kept)))
    assert len(kept) >= reached

    registry.prune(models, keep=2)
    assert not list(models.glob(f"{registry.TEMPORARY}*"))
