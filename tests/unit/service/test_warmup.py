"""Nothing is left to compile when the service is ready, whatever the cache held: counted, not timed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fraud.compiled import BUILT
from local.testbed.bundles import FixedModels
from service.bootstrap import build_pipeline, domain
from service.settings import Settings
from service.warmup import warm_up
from tests.unit.service.test_runner import CONFIG

ROOT = Path(__file__).parents[3]
FIRST_BATCHES = """
import sys
from numba.core.dispatcher import Dispatcher
from service.adapters.kafka import warmup
from tests.support.memory_log import MemorySnapshots
from service.warmup import warm_up
from kafka.record.memory_records import MemoryRecords
from runtime.kafka.batch_reader import PartitionRecords
from local.testbed.bundles import FixedModels
from tests.unit.runtime.test_batch_reader import WHERE, log
from local.testbed.events import at_us, raw, transaction
from tests.unit.service.test_runner import CONFIG, all_done, filled, run_until, service

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith(("fraud.", "runtime.", "service."))]
    kernel = {id(f): f for module in modules for f in vars(module).values() if isinstance(f, Dispatcher)}.values()
    return sum(f.stats.cache_misses.total() for f in kernel), sum(len(f.signatures) for f in kernel)

warmed, _ = service(filled())
warm_up(warmed.pipeline, FixedModels().current(), CONFIG)
assert warmup.warm_up() == 2
before = compiled()
broker, snapshots = filled(), MemorySnapshots()
run_until(service(broker, snapshots=snapshots)[0], all_done(broker))
fetch = MemoryRecords(log([[(5, b"k", b"v", []), (9, None, b"w", [("a", None)])]], compression=1))
assert len(PartitionRecords(0, WHERE, fetch).take()) == 2
for i in range(35, 70):
    broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i), partition=0)
run_until(service(broker, snapshots=snapshots)[0], all_done(broker))  # restores what the first one left
print(before[0], *(after - at_ready for after, at_ready in zip(compiled(), before)))
"""


def compiled(at: Path, cache: Path) -> tuple[int, int, int]:
    """What a fresh process compiles: functions until ready, then functions and signatures in its first batches."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_BATCHES],
        cwd=at,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(at), "PYTHONDONTWRITEBYTECODE": "1"},  # noqa: TID251 - passed on
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    until_ready, functions, signatures = map(int, done.stdout.splitlines()[-1].split())
    return until_ready, functions, signatures


def test_the_first_batches_compile_nothing_with_an_empty_cache_or_with_an_images(tmp_path: Path) -> None:
    for package in ("fraud", "runtime", "service", "local", "tests"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "built"))
    until_ready, *later = compiled(tmp_path, tmp_path / "first")
    assert until_ready > 0
    assert later == [0, 0]
    built = tmp_path / BUILT.relative_to(ROOT)
    built.mkdir()
    for made in (tmp_path / "first").glob("*/*"):
        shutil.move(made, built)
    files = {path: path.stat().st_mtime_ns for path in built.iterdir()}
    for source in tmp_path.rglob("*.py"):
        os.utime(source, (1, 1))  # a date does not survive the way of an image
    assert compiled(tmp_path, tmp_path / "second") == (0, 0, 0)
    assert not list((tmp_path / "second").rglob("*.nbc"))
    assert {path: path.stat().st_mtime_ns for path in built.iterdir()} == files


def test_the_way_to_an_alert_is_taken_and_no_trace_is_left() -> None:
    settings = Settings()
    pipeline = build_pipeline(settings, domain(settings), lambda: 0.0)
    assert warm_up(pipeline, FixedModels().current(), CONFIG) > 0
    assert not pipeline.partitions
